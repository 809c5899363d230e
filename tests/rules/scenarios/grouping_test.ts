// One incident for several processes.

import { scenarios } from "./scenario.ts";

scenarios(`
the configuration, where a scenario has none of its own
  { on: crash, group_by: group, group_wait: 10s }

group_by: group gathers for five seconds
  { on: crash, group_by: group }
  0s   web:a EXITED      => (group-wait)
  1s   web:b EXITED      => (group-wait)
  2s   db:x EXITED       => (group-wait)
  5s                     => firing crash web:a web:b, since 5s, ended 2 times
  7s                     => firing crash db:x, since 5s

group_wait: what runs again before it ends is told all the same
  0s   web:a EXITED      => (group-wait)
  1s   web:a RUNNING
  10s                    => firing crash web:a, since 10s
  31s                    => resolved running web:a, down 1s

who joins later is told too, after another wait
  0s   web:a EXITED      => (group-wait)
  10s                    => firing crash web:a, since 10s
  1m   web:b EXITED      => (group-wait)
  65s  web:c EXITED      => (group-wait)
  70s                    => joined crash web:b web:c, 3 down, since 1m10s, ended 3 times

who was in it already is nothing new
  { on: crash, group_by: group, group_wait: 0s }
  0s   web:a EXITED      => firing crash web:a
  1s   web:b EXITED      => joined crash web:b, 2 down, since 1s, ended 2 times
  2s   web:a RUNNING
  3s   web:a EXITED      => (already-told)

who joins later is told at ever longer intervals
  0s   web:a EXITED      => (group-wait)
  10s                    => firing crash web:a, since 10s
  11s  web:b EXITED      => (group-wait)
  21s                    => joined crash web:b, 2 down, since 21s, ended 2 times
  22s  web:c EXITED      => (group-wait)
  33s  web:d EXITED      => (group-wait)
  41s                    => joined crash web:c web:d, 4 down, since 41s, ended 4 times
  42s  web:e EXITED      => (group-wait)
  81s                    => joined crash web:e, 5 down, since 1m21s, ended 5 times

who joins after a long time of quiet need not wait longer than the first
  0s    web:a EXITED     => (group-wait)
  10s                    => firing crash web:a, since 10s
  11s   web:b EXITED     => (group-wait)
  21s                    => joined crash web:b, 2 down, since 21s, ended 2 times
  22s   web:c EXITED     => (group-wait)
  41s                    => joined crash web:c, 3 down, since 41s, ended 3 times
  1h    web:d EXITED     => (group-wait)
  1h10s                  => joined crash web:d, 4 down, since 1h10s, ended 4 times

a storm of those who join for a day is told twice an hour in the end
  { on: crash, group_by: group, group_wait: 20m, remind_every: 0s }
  0s      web:a EXITED   => (group-wait)
  20m                    => firing crash web:a, since 20m
  20m     web:b EXITED   => (group-wait)
  40m                    => joined crash web:b, 2 down, since 40m, ended 2 times
  40m     web:c EXITED   => (group-wait)
  1h10m                  => joined crash web:c, 3 down, since 1h10m, ended 3 times
  1h10m   web:d EXITED   => (group-wait)
  1h40m                  => joined crash web:d, 4 down, since 1h40m, ended 4 times

who joins and runs again is told all the same, while another is down
  0s   web:a EXITED      => (group-wait)
  10s                    => firing crash web:a, since 10s
  1m   web:b EXITED      => (group-wait)
  62s  web:b RUNNING
  70s                    => joined crash web:b, 1 down, since 1m10s, ended 2 times

when all run again by then, only that is told
  0s   web:a EXITED      => (group-wait)
  10s                    => firing crash web:a, since 10s
  1m   web:b EXITED      => (group-wait)
  61s  web:b RUNNING
  62s  web:a RUNNING
  92s                    => resolved running web:a web:b, down 1m2s, ended 2 times

a message about a newcomer is about what happened to it, and not about worse before
  { on: [crash, fatal], group_by: group, group_wait: 10s }
  0s   web:a FATAL       => (group-wait)
  10s                    => firing fatal web:a, since 10s
  1m   web:b EXITED      => (group-wait)
  70s                    => joined crash web:b, 2 down, since 1m10s

when it gets worse meanwhile all are in one message
  { on: [crash, fatal], group_by: group, group_wait: 10s }
  0s   web:a EXITED      => (group-wait)
  10s                    => firing crash web:a, since 10s
  1m   web:b EXITED      => (group-wait)
  65s  web:c FATAL       => firing fatal web:a web:b web:c, since 1m5s, ended 2 times
  10m  nothing

who joins while a silence is in force is told at its end
  0s   web:a EXITED      => (group-wait)
  10s                    => firing crash web:a, since 10s
  20s  silence web:* for 5m
  1m   web:b EXITED      => (silenced)
  5m20s => joined crash web:b, 2 down, since 5m20s, ended 2 times, held: silenced

a newcomer waits on over a restart
  0s   web:a EXITED      => (group-wait)
  10s                    => firing crash web:a, since 10s
  1m   web:b EXITED      => (group-wait)
  61s  superbell restarts
  91s                    => joined crash web:b, 2 down, since 1m31s, ended 2 times

a newcomer that was told as a crash and goes FATAL is news again
  { on: [crash, fatal], group_by: group }
  0s   web:a FATAL       => (group-wait)
  5s                     => firing fatal web:a, since 5s
  20s  web:b EXITED      => (group-wait)
  25s                    => joined crash web:b, 2 down, since 25s
  30s  web:b FATAL       => (group-wait)
  35s                    => joined fatal web:b, 2 down, since 35s
  40s  web:b STARTING
  41s  web:b FATAL       => (already-told)

who was told with the first and goes FATAL after another is news too
  { on: [crash, fatal], group_by: group }
  0s   web:a EXITED      => (group-wait)
  1s   web:b EXITED      => (group-wait)
  5s                     => firing crash web:a web:b, since 5s, ended 2 times
  10s  web:a FATAL       => firing fatal web:a web:b, since 10s, ended 2 times
  11s  web:b FATAL       => (group-wait)
  16s                    => joined fatal web:b, 2 down, since 16s, ended 2 times

a newcomer that goes FATAL before it is told is told as FATAL
  { on: [crash, fatal], group_by: group }
  0s   web:a FATAL       => (group-wait)
  5s                     => firing fatal web:a, since 5s
  20s  web:b EXITED      => (group-wait)
  22s  web:b FATAL       => (group-wait)
  25s                    => joined fatal web:b, 2 down, since 25s
  30s  web:b STARTING
  31s  web:b FATAL       => (already-told)

a newcomer that goes FATAL hours later is news, while another is down all the time
  { on: [crash, fatal], group_by: group, remind_every: 0s }
  0s    web:a FATAL      => (group-wait)
  5s                     => firing fatal web:a, since 5s
  20s   web:b EXITED     => (group-wait)
  25s                    => joined crash web:b, 2 down, since 25s
  26s   web:b RUNNING
  3h    web:b EXITED     => (already-told)
  3h1s  web:b FATAL      => (group-wait)
  3h6s                   => joined fatal web:b, 2 down, since 3h6s, ended 2 times

FATAL once more is news after the process has run for resolve_after, and only then
  { on: [crash, fatal], group_by: group, group_wait: 0s, remind_every: 0s }
  0s    web:a FATAL      => firing fatal web:a
  20s   web:b FATAL      => joined fatal web:b, 2 down, since 20s
  30s   web:b RUNNING
  40s   web:b EXITED     => (already-told)
  41s   web:b FATAL      => (already-told)
  1h    web:b RUNNING
  2h    web:b EXITED     => (already-told)
  2h1s  web:b FATAL      => joined fatal web:b, 2 down, since 2h1s, ended 2 times

a newcomer that begins to flap is news again
  { on: [crash, fatal, flapping], group_by: group, group_wait: 0s, flapping: { exits: 2, within: 1m } }
  0s   web:a FATAL       => firing fatal web:a
  20s  web:b EXITED      => joined crash web:b, 2 down, since 20s
  21s  web:b RUNNING
  30s  web:b EXITED      => joined flapping web:b, 2 down, since 30s, ended 2 times
  31s  web:b RUNNING
  40s  web:b EXITED      => (already-told)

that a newcomer goes FATAL is told over a restart
  { on: [crash, fatal], group_by: group }
  0s   web:a FATAL       => (group-wait)
  5s                     => firing fatal web:a, since 5s
  20s  web:b EXITED      => (group-wait)
  25s                    => joined crash web:b, 2 down, since 25s
  1m   superbell restarts
  2m   web:b FATAL       => (group-wait)
  2m5s                   => joined fatal web:b, 2 down, since 2m5s

resolved when all of the group have been well
  { on: crash, group_by: group }
  0s   web:a EXITED      => (group-wait)
  1s   web:b EXITED      => (group-wait)
  2s   web:a RUNNING
  5s                     => firing crash web:b, since 5s, ended 2 times
  6s   web:a EXITED      => (group-wait)  # nothing of it was told
  11s                    => joined crash web:a, 2 down, since 11s, ended 3 times
  50s  web:a RUNNING
  1m   web:b RUNNING
  1m30s                  => resolved running web:a web:b, down 1m, ended 3 times

who failed and ran again before the first message is not in the last one either
  { on: [crash, fatal], group_by: group }
  0s   web:a FATAL       => (group-wait)
  1s   web:b EXITED      => (group-wait)
  2s   web:b RUNNING
  5s                     => firing fatal web:a, since 5s
  34s  web:a RUNNING
  1m4s                   => resolved running web:a, down 34s

group_by: host gathers all groups
  { on: crash, group_by: host, group_wait: 2s }
  0s   web:a EXITED      => (group-wait)
  1s   db:x EXITED       => (group-wait)
  2s                     => firing crash web:a db:x, since 2s, ended 2 times

group_by: rule keeps rules apart
  rules:
    - { name: a, on: crash, where: { group: web }, group_by: rule, group_wait: 2s }
    - { name: b, on: crash, where: { group: db }, group_by: rule, group_wait: 2s }
  0s   web:a EXITED      => (a: group-wait)
  1s   db:x EXITED       => (b: group-wait)
  2s                     => firing crash web:a by a, since 2s
  3s                     => firing crash db:x by b, since 2s

numprocs: many of one program are one message
  { on: fatal, group_by: group }
  0s   jobs:w[0-41] FATAL  => (group-wait)
  5s                       => firing fatal 42 processes, since 5s

a stop of some and a start of the others resolve
  { on: crash, group_by: group, group_wait: 0s }
  0s   web:a EXITED      => firing crash web:a
  1s   web:b EXITED      => joined crash web:b, 2 down, since 1s, ended 2 times
  2s   web:a STOPPED
  3s   web:b RUNNING
  33s                    => resolved running web:a web:b, down 3s, ended 2 times
`);
