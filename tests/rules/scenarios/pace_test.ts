// after, quiet, remind_every: how often the same is told.

import { scenarios } from "./scenario.ts";

scenarios(`
the configuration, where a scenario has none of its own
  { on: crash, quiet: 10m }

after: told from the third crash in a minute
  { on: crash, after: { count: 3, within: 1m } }
  0s   web:api EXITED    => (below-after)
  1s   web:api RUNNING
  20s  web:api EXITED    => (below-after)
  21s  web:api RUNNING
  40s  web:api EXITED    => firing crash web:api, since 40s, ended 3 times
  41s  web:api RUNNING
  71s                    => resolved running web:api, down 41s, ended 3 times

after: crashes too far apart are never told
  { on: crash, after: { count: 2, within: 1m } }
  0s   web:api EXITED    => (below-after)
  1s   web:api RUNNING
  2m   web:api EXITED    => (below-after)
  2m1s web:api RUNNING
  4m   web:api EXITED    => (below-after)
  10h  nothing

after: counts over incidents that were never told
  { on: crash, after: { count: 2, within: 1h } }
  0s   web:api EXITED    => (below-after)
  1s   web:api RUNNING
  30m  web:api EXITED    => firing crash web:api, ended 2 times

after: FATAL does not wait
  { on: [crash, fatal], after: { count: 5, within: 1m } }
  0s   web:api EXITED    => (below-after)
  1s   web:api BACKOFF
  2s   web:api FATAL     => firing fatal web:api, since 2s, ended 2 times

after: counts FATAL where nothing else is asked for
  { on: fatal, group_by: group, group_wait: 0s, after: { count: 2, within: 1m } }
  0s   web:a FATAL       => (below-after)
  1s   web:b FATAL       => firing fatal web:a web:b, since 1s

after: counts notices too
  { on: process_log, where: { text: ERROR }, after: { count: 3, within: 1m } }
  0s   web:api logs ERROR 1  => (below-after)
  1s   web:api logs fine     => (text-not-matched)
  2s   web:api logs ERROR 2  => (below-after)
  3s   web:api logs ERROR 3  => notice process_log web:api
  2m   web:api logs ERROR 4  => (below-after)

quiet: told once in that time, and at its end if it still is down
  0s    web:api EXITED   => firing crash web:api
  1s    web:api RUNNING
  31s                    => resolved running web:api, down 1s
  5m    web:api EXITED   => (quiet)
  10m                    => firing crash web:api, since 5m, held: quiet

quiet: what has mended itself meanwhile is not told
  0s    web:api EXITED   => firing crash web:api
  1s    web:api RUNNING
  31s                    => resolved running web:api, down 1s
  5m    web:api EXITED   => (quiet)
  5m1s  web:api RUNNING
  10h   nothing

quiet: the next message counts what was not told
  0s    web:api EXITED   => firing crash web:api
  1s    web:api RUNNING
  31s                    => resolved running web:api, down 1s
  2m    web:api EXITED   => (quiet)
  2m1s  web:api RUNNING
  5m    web:api EXITED   => (quiet)
  5m1s  web:api RUNNING
  20m   web:api EXITED   => firing crash web:api, ended 3 times

quiet: FATAL does not wait
  { on: [crash, fatal], quiet: 10m }
  0s    web:api EXITED   => firing crash web:api
  1s    web:api RUNNING
  31s                    => resolved running web:api, down 1s
  5m    web:api EXITED   => (quiet)
  5m5s  web:api FATAL    => firing fatal web:api, since 5s, held: quiet

quiet: of notices the first one in that time
  { on: started, quiet: 10m }
  0s    web:api RUNNING  => notice started web:api
  1m    web:api RUNNING  => (quiet)
  1m    web:b RUNNING    => notice started web:b
  10m   web:api RUNNING  => notice started web:api

quiet with group_by counts the group as one
  { on: started, quiet: 10m, group_by: group }
  0s    web:a RUNNING    => notice started web:a
  1m    web:b RUNNING    => (quiet)

reminders come after 4 hours, then after 8, 16 and each day
  on: fatal
  0s    web:api FATAL    => firing fatal web:api
  4h                     => reminder 1 fatal web:api, since 4h
  12h                    => reminder 2 fatal web:api, since 12h
  28h                    => reminder 3 fatal web:api, since 28h
  52h                    => reminder 4 fatal web:api, since 52h
  76h                    => reminder 5 fatal web:api, since 76h

remind_every: 0s means none
  { on: fatal, remind_every: 0s }
  0s    web:api FATAL    => firing fatal web:api
  200h  nothing

a reminder is not told of a process that runs at that moment
  { on: crash, remind_every: 1m }
  0s    web:api EXITED   => firing crash web:api
  50s   web:api RUNNING
  70s   web:api EXITED   => reminder 1 crash web:api, since 1m10s, ended 2 times

FATAL begins the reminders anew
  { on: [crash, fatal], remind_every: 1h }
  0s      web:api EXITED => firing crash web:api
  30m     web:api FATAL  => firing fatal web:api, since 30m
  1h30m                  => reminder 1 fatal web:api, since 1h30m
`);
