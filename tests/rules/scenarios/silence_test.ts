// Silences and maintenance windows: what would be told waits, and is told if it still is so.

import { scenarios } from "./scenario.ts";

scenarios(`
the configuration, where a scenario has none of its own
  on: [crash, fatal]

a silence holds, and tells at its end what is still down
  0s    silence web:* for 30m
  1m    web:api FATAL    => (silenced)
  2m    db:main FATAL    => firing fatal db:main
  30m                    => firing fatal web:api, since 29m, held: silenced

what comes and goes during a silence is never told
  0s    silence web:* for 30m
  1m    web:api EXITED   => (silenced)
  61s   web:api RUNNING
  10h   nothing

a silence that is ended by hand tells at once
  0s    silence web:* for 30m
  1m    web:api FATAL    => (silenced)
  5m    silence web:* ends => firing fatal web:api, since 4m, held: silenced

a silence over an open incident holds its reminders and its end
  { on: crash, remind_every: 10m }
  0s    web:api EXITED   => firing crash web:api
  1m    silence web:api for 1h
  30m   web:api RUNNING
  61m                    => resolved running web:api, down 30m

a reminder that fell into a silence comes at its end
  { on: crash, remind_every: 10m }
  0s    web:api EXITED   => firing crash web:api
  1m    silence web:api for 1h
  61m                    => reminder 1 crash web:api, since 1h1m

FATAL is silenced like anything else
  0s    web:api EXITED   => firing crash web:api
  1s    silence * for 1h
  2s    web:api FATAL    => (silenced)
  1h1s                   => firing fatal web:api, since 1h1s, held: silenced

a silence of one program leaves the others of a group loud
  { on: crash, group_by: group, group_wait: 0s }
  0s    silence web:a for 1h
  1s    web:a EXITED     => (silenced)
  2s    web:b EXITED     => firing crash web:a web:b, since 1s, ended 2 times, held: silenced

a silence holds a newcomer while others of the incident are down
  { on: [crash, fatal], group_by: group, group_wait: 0s }
  0s    web:a FATAL      => firing fatal web:a
  1m    silence web:b for 30m
  2m    web:b EXITED     => (silenced)
  31m                    => joined crash web:b, 2 down, since 31m, held: silenced

a newcomer that comes and goes during its silence is never told, and the next time is news
  { on: [crash, fatal], group_by: group, group_wait: 0s, remind_every: 0s }
  0s    web:a FATAL      => firing fatal web:a
  1m    silence web:b for 30m
  2m    web:b EXITED     => (silenced)
  3m    web:b RUNNING
  1h    nothing
  2h    web:b EXITED     => joined crash web:b, 2 down, since 2h, ended 2 times

what was told of one is not news again after its silence, nor left out of the end
  { on: [crash, fatal], group_by: group, group_wait: 0s, remind_every: 0s }
  0s    web:a FATAL      => firing fatal web:a
  1s    web:b EXITED     => joined crash web:b, 2 down, since 1s
  1m    silence web:b for 30m
  2m    web:b FATAL      => (silenced)
  3m    web:b RUNNING
  1h    web:b EXITED     => (already-told)
  2h    web:b RUNNING
  2h    web:a RUNNING
  2h30s => resolved running web:a web:b, down 2h, ended 2 times

who came and went during a silence is not in the last message
  { on: [crash, fatal], group_by: group, group_wait: 0s, remind_every: 0s }
  0s    web:a FATAL      => firing fatal web:a
  1m    silence web:b for 30m
  2m    web:b EXITED     => (silenced)
  3m    web:b RUNNING
  1h    web:a RUNNING
  1h30s                  => resolved running web:a, down 1h

a silence of one of two newcomers leaves the other loud
  { on: [crash, fatal], group_by: group, group_wait: 0s, remind_every: 0s }
  0s    web:a FATAL      => firing fatal web:a
  1m    silence web:b for 30m
  2m    web:b EXITED     => (silenced)
  3m    web:b RUNNING
  4m    web:c EXITED     => joined crash web:c, 2 down, since 4m, ended 2 times
  1h    nothing

a silence holds that one gets worse, and not who else comes in
  { on: [crash, fatal], group_by: group, group_wait: 0s }
  0s    web:a EXITED     => firing crash web:a
  1s    web:b EXITED     => joined crash web:b, 2 down, since 1s, ended 2 times
  1m    silence web:b for 30m
  2m    web:b FATAL      => (silenced)
  3m    web:c EXITED     => joined crash web:c, 3 down, since 3m, ended 3 times
  31m                    => firing fatal web:a web:b web:c, since 31m, ended 3 times, held: silenced

what got worse during its silence and runs again is never told
  { on: [crash, fatal], group_by: group, group_wait: 0s, remind_every: 0s }
  0s    web:a EXITED     => firing crash web:a
  1s    web:b EXITED     => joined crash web:b, 2 down, since 1s, ended 2 times
  1m    silence web:b for 30m
  2m    web:b FATAL      => (silenced)
  3m    web:b RUNNING
  1h    nothing
  2h    web:a FATAL      => firing fatal web:a, since 2h, ended 2 times

a silence of a newcomer holds no reminder and no escalation of the others
  { on: [crash, fatal], group_by: group, group_wait: 0s, remind_every: 1h, escalate: { after: 30m, to: boss } }
  0s    web:a FATAL      => firing fatal web:a
  1m    silence web:b for 3h
  2m    web:b EXITED     => (silenced)
  30m   => escalated fatal web:a web:b to boss, since 30m
  1h    => reminder 1 fatal web:a web:b to oncall, boss, since 1h
  3h    => reminder 2 fatal web:a web:b to oncall, boss, since 3h
  3h1m  => joined crash web:b to oncall, boss, 2 down, since 3h1m, held: silenced

a maintenance window holds a newcomer while others of the incident are down
  maintenance:
    - { from: "10:00", to: "11:00", where: { process: "web:b" } }
  on: [crash, fatal]
  group_by: group
  group_wait: 0s
  0s    web:a FATAL      => firing fatal web:a
  2m    web:b EXITED     => (maintenance)
  3m    web:b FATAL      => (maintenance)
  1h                     => joined fatal web:b, 2 down, since 1h, held: maintenance

a deploy script opens a silence, and ends it
  0s    remote superbell.silence: web:* 30m deploy v2
  0s    (log) silence 6ffe8994 of web:* until 2026-11-21T10:30:00.000Z: deploy v2
  10s   web:api EXITED   => (silenced)
  12s   web:api RUNNING
  1m    remote superbell.unsilence: web:*
  1m    (log) silence 6ffe8994 of web:* ended
  2m    web:api EXITED   => firing crash web:api

a deploy script names the end
  0s    remote superbell.silence: web:*,db:* until 18:00
  0s    (log) silence 6ffe8994 of web:*,db:* until 2026-11-21T18:00:00.000Z
  10s   db:main FATAL    => (silenced)
  8h                     => firing fatal db:main, since 7h59m50s, held: silenced

what cannot be read is said in the log
  0s    remote superbell.silence: web:* soon
  0s    (log) superbell.silence: no silence begun: "soon" is no duration; expected "PATTERN 30m REASON" or "PATTERN until 18:00 REASON"
  1s    remote superbell.silence: web:* 90d
  1s    (log) superbell.silence: no silence begun: a silence lasts at most 30d
  2s    remote superbell.unsilence: db:*
  2s    (log) superbell.unsilence: no silence "db:*"; silences are: none
  3s    web:api EXITED   => firing crash web:api

notices in a silence are gone
  on: started
  0s    silence web:* for 1h
  1m    web:api RUNNING  => (silenced)
  2h    nothing

maintenance holds, also over midnight, and tells what is still down
  maintenance:
    - { from: "22:00", to: "06:00", days: [sat], where: { process: "web:*" } }
  on: [crash, fatal]
  remind_every: 0s
  11h59m  web:a EXITED   => firing crash web:a  # 21:59
  12h     web:b EXITED   => (maintenance)
  12h     db:x EXITED    => firing crash db:x
  16h     web:c FATAL    => (maintenance)
  16h1m   web:a RUNNING
  19h     web:b RUNNING
  20h     => resolved running web:a, down 4h2m & firing fatal web:c, since 4h, held: maintenance

maintenance on Saturdays is not on Sundays
  maintenance:
    - { from: "22:00", to: "06:00", days: [sat], where: { process: "web:*" } }
  on: [crash, fatal]
  remind_every: 0s
  36h  web:a EXITED      => firing crash web:a

maintenance has its own time zone
  maintenance: [{ from: "18:00", to: "19:00", time_zone: Asia/Shanghai }]
  on: crash
  0s    web:a EXITED     => (maintenance)  # 10:00 UTC is 18:00 in Shanghai
  1h                     => firing crash web:a, since 1h, held: maintenance
`);
