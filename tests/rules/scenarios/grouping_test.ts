// One incident for several processes.

import { scenario } from "./scenario.ts";

scenario(
  "group_by: group gathers for five seconds",
  "{ on: crash, group_by: group }",
  `
  0s   web:a EXITED      => (group-wait)
  1s   web:b EXITED      => (group-wait)
  2s   db:x EXITED       => (group-wait)
  5s                     => firing crash web:a web:b, since 5s, ended 2 times
  7s                     => firing crash db:x, since 5s
`,
);

scenario(
  "group_wait: what runs again before it ends is told all the same",
  "{ on: crash, group_by: group, group_wait: 10s }",
  `
  0s   web:a EXITED      => (group-wait)
  1s   web:a RUNNING
  10s                    => firing crash web:a, since 10s
  31s                    => resolved running web:a, down 1s
`,
);

scenario(
  "who joins later is told too, after another wait",
  "{ on: crash, group_by: group, group_wait: 10s }",
  `
  0s   web:a EXITED      => (group-wait)
  10s                    => firing crash web:a, since 10s
  1m   web:b EXITED      => (group-wait)
  65s  web:c EXITED      => (group-wait)
  70s                    => firing crash web:a web:b web:c, since 1m10s, ended 3 times
`,
);

scenario(
  "who was in it already is nothing new",
  "{ on: crash, group_by: group, group_wait: 0s }",
  `
  0s   web:a EXITED      => firing crash web:a
  1s   web:b EXITED      => firing crash web:a web:b, since 1s, ended 2 times
  2s   web:a RUNNING
  3s   web:a EXITED      => (already-told)
`,
);

scenario(
  "resolved when all of the group have been well",
  "{ on: crash, group_by: group }",
  `
  0s   web:a EXITED      => (group-wait)
  1s   web:b EXITED      => (group-wait)
  2s   web:a RUNNING
  5s                     => firing crash web:b, since 5s, ended 2 times
  1m   web:b RUNNING
  1m30s                  => resolved running web:a web:b, down 1m, ended 2 times
`,
);

scenario(
  "group_by: host gathers all groups",
  "{ on: crash, group_by: host, group_wait: 2s }",
  `
  0s   web:a EXITED      => (group-wait)
  1s   db:x EXITED       => (group-wait)
  2s                     => firing crash web:a db:x, since 2s, ended 2 times
`,
);

scenario(
  "group_by: rule keeps rules apart",
  `
rules:
  - { name: a, on: crash, where: { group: web }, group_by: rule, group_wait: 2s }
  - { name: b, on: crash, where: { group: db }, group_by: rule, group_wait: 2s }
`,
  `
  0s   web:a EXITED      => (a: group-wait)
  1s   db:x EXITED       => (b: group-wait)
  2s                     => firing crash web:a by a, since 2s
  3s                     => firing crash db:x by b, since 2s
`,
);

scenario(
  "numprocs: many of one program are one message",
  "{ on: fatal, group_by: group }",
  `
  0s   jobs:w[0-41] FATAL  => (group-wait)
  5s                       => firing fatal 42 processes, since 5s
`,
);

scenario(
  "a stop of some and a start of the others resolve",
  "{ on: crash, group_by: group, group_wait: 0s }",
  `
  0s   web:a EXITED      => firing crash web:a
  1s   web:b EXITED      => firing crash web:a web:b, since 1s, ended 2 times
  2s   web:a STOPPED
  3s   web:b RUNNING
  33s                    => resolved running web:a web:b, down 3s, ended 2 times
`,
);
