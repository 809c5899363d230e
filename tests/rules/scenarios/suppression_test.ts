// suppressed_by and host_incident: the cause is told, and not all that follows from it.

import { scenarios } from "./scenario.ts";

scenarios(`
the configuration, where a scenario has none of its own
  rules:
    - { name: db, on: [crash, fatal], where: { process: "db:*" } }
    - { name: web, on: [crash, fatal], where: { process: "web:*" }, suppressed_by: ["db:*"] }

suppressed_by holds while the cause is open, and tells what is left
  0s   db:main EXITED    => firing crash db:main by db
  1s   web:api EXITED    => (web: suppressed)
  2s   web:b EXITED      => (web: suppressed)
  10s  db:main RUNNING
  20s  web:b RUNNING
  40s  => resolved running db:main by db, down 10s & firing crash web:api by web, since 39s, held: suppressed

suppressed_by holds also where the cause is told a moment later
  0s   web:api EXITED    => (web: group-wait)
  1s   db:main EXITED    => firing crash db:main by db
  5s   nothing
  10s  web:api RUNNING
  11s  db:main RUNNING
  41s                    => resolved running db:main by db, down 10s

without the cause it is told after five seconds
  0s   web:api EXITED    => (web: group-wait)
  5s                     => firing crash web:api by web, since 5s

FATAL of what depends is held too
  0s   db:main FATAL     => firing fatal db:main by db
  1s   web:api FATAL     => (web: suppressed)
  1h   db:main RUNNING
  1h30s => resolved running db:main by db, down 1h & firing fatal web:api by web, since 1h29s, held: suppressed

reminders of what depends are held, and come when the cause is mended
  rules:
    - { name: db, on: fatal, where: { process: "db:*" }, remind_every: 0s }
    - { name: web, on: fatal, where: { process: "web:*" }, suppressed_by: ["db:*"], remind_every: 1h }
  0s      web:api FATAL  => (web: group-wait)
  5s                     => firing fatal web:api by web, since 5s
  30m     db:main FATAL  => firing fatal db:main by db
  2h      db:main RUNNING
  2h30s => resolved running db:main by db, down 1h30m & reminder 1 fatal web:api by web, since 2h30s

two that hold each other: the first is told, the second waits
  rules:
    - { name: a, on: crash, where: { process: "a:*" }, suppressed_by: "b:*" }
    - { name: b, on: crash, where: { process: "b:*" }, suppressed_by: "a:*" }
  0s   a:x EXITED        => (a: group-wait)
  1s   b:x EXITED        => (b: suppressed)
  5s                     => firing crash a:x by a, since 5s
  6s   a:x RUNNING
  36s  => resolved running a:x by a, down 6s & firing crash b:x by b, since 35s, held: suppressed

what suppressed_by names itself is not held by it
  { on: crash, suppressed_by: 'db:*', group_wait: 0s }
  0s   db:a EXITED       => firing crash db:a
  1s   db:b EXITED       => firing crash db:b
  2s   web:a EXITED      => (suppressed)

a cause that is silenced holds all the same
  0s   silence db:* for 1h
  1s   db:main EXITED    => (db: silenced)
  2s   web:api EXITED    => (web: suppressed)
  3s   web:api RUNNING
  4s   db:main RUNNING
  2h   nothing

the configuration, where a scenario has none of its own
  host_incident: { processes: 5, within: 10s, to: boss }
  rules:
    - { name: a, on: [crash, fatal] }

host_incident: from the fifth process on one message
  0s    web:w[0-3] EXITED  => firing crash web:w0 & firing crash web:w1 & firing crash web:w2 & firing crash web:w3
  1s    web:w4 EXITED      => firing crash 5 processes to boss, since 1s, ended 5 times, critical & (host-incident)
  2s    web:w[5-9] EXITED  => (group-wait) & (host-incident)
  5s    web:w[4-9] RUNNING
  6s    web:w[0-3] RUNNING
  36s   => resolved running web:w0, down 6s & resolved running web:w1, down 6s & resolved running web:w2, down 6s & resolved running web:w3, down 6s & resolved running 10 processes to boss, down 6s, ended 10 times, critical
  1h    nothing

host_incident: fewer, or more slowly, are told one by one
  0s    web:a EXITED     => firing crash web:a
  4s    web:b EXITED     => firing crash web:b
  8s    web:c EXITED     => firing crash web:c
  12s   web:d EXITED     => firing crash web:d
  16s   web:e EXITED     => firing crash web:e

host_incident: one process many times is one
  0s    web:a EXITED     => firing crash web:a
  1s    web:a EXITED     => (already-told)
  2s    web:a EXITED     => (already-told)
  3s    web:a EXITED     => (already-told)
  4s    web:a EXITED     => (already-told)

host_incident: who fails later is told after within, and at ever longer intervals
  0s    web:w[0-4] EXITED  => firing crash web:w0 & firing crash web:w1 & firing crash web:w2 & firing crash web:w3 & firing crash 5 processes to boss, ended 5 times, critical & (host-incident)
  1m    db:main FATAL      => (group-wait) & (host-incident)
  65s   db:copy EXITED     => (host-incident)  # that it waits has been said
  70s   => joined crash db:main db:copy to boss, 7 down, since 1m10s, ended 6 times, critical
  71s   cache:a EXITED     => (group-wait) & (host-incident)
  90s   => joined crash cache:a to boss, 8 down, since 1m30s, ended 7 times, critical
  91s   cache:b EXITED     => (group-wait) & (host-incident)
  130s  => joined crash cache:b to boss, 9 down, since 2m10s, ended 8 times, critical
  1h    cache:c FATAL      => (group-wait) & (host-incident)
  1h10s => joined fatal cache:c to boss, 10 down, since 1h10s, ended 8 times, critical

host_incident: who was in it already is told only in reminders
  host_incident: { processes: 2, within: 10s, to: boss }
  rules: [{ name: a, on: crash, group_by: group }]
  0s    web:a EXITED     => (group-wait)
  1s    web:b EXITED     => firing crash web:a web:b to boss, since 1s, ended 2 times, critical & (host-incident)
  20s   web:a RUNNING
  1m    web:a EXITED     => (host-incident)
  4h1s  => reminder 1 crash web:a web:b to boss, since 4h1s, ended 3 times, critical

host_incident: a newcomer that goes FATAL before it is told is told as FATAL
  host_incident: { processes: 2, within: 10s, to: boss }
  rules: [{ name: a, on: [crash, fatal], group_by: group }]
  0s    web:a EXITED     => (group-wait)
  1s    web:b EXITED     => firing crash web:a web:b to boss, since 1s, ended 2 times, critical & (host-incident)
  1m    db:x EXITED      => (group-wait) & (host-incident)
  61s   db:x FATAL       => (host-incident)
  70s   => joined fatal db:x to boss, 3 down, since 1m10s, ended 3 times, critical
  80s   web:a FATAL      => (host-incident)  # it is one disaster
  2m    nothing

host_incident: what stays down is in its reminder
  host_incident: { processes: 3, within: 10s, to: boss, remind_every: 1h }
  on: crash
  group_by: group
  0s    web:w[0-2] EXITED  => firing crash web:w0 web:w1 web:w2 to boss, ended 3 times, critical & (group-wait) & (host-incident)
  10s   web:w[0-1] RUNNING
  1h    => reminder 1 crash web:w2 to boss, since 1h, ended 3 times, critical
`);
