// Another configuration in the middle: what is open goes on where its rule is still there.

import { scenarios } from "./scenario.ts";

scenarios(`
an incident goes on by the rule of the same name
  { on: [crash, fatal], resolve_after: 30s }
  0s   web:api EXITED    => firing crash web:api
  10s  another configuration
  20s  web:api EXITED    => (already-told)
  21s  web:api RUNNING
  31s                    => resolved running web:api, down 21s, ended 2 times
  another configuration:
    { on: crash, resolve_after: 10s }

an incident whose rule is gone is over without a word
  rules: [{ name: old, on: crash }]
  0s   web:api EXITED    => firing crash web:api
  10s  another configuration
  20s  web:api RUNNING
  1h   nothing
  1h1s web:api EXITED    => firing crash web:api
  another configuration:
    rules: [{ name: new, on: crash }]

an incident about something else than its rule gathers now is over without a word
  { on: crash }
  0s   web:api EXITED    => firing crash web:api
  10s  another configuration
  20s  web:worker EXITED => (group-wait)
  25s                    => firing crash web:worker, since 5s
  another configuration:
    { on: crash, group_by: group, group_wait: 5s }

reminders end with remind_every: 0s
  { on: fatal, remind_every: 1h }
  0s   web:api FATAL     => firing fatal web:api
  1h                     => reminder 1 fatal web:api, since 1h
  2h   another configuration
  99h  nothing
  another configuration:
    { on: fatal, remind_every: 0s }

a reminder comes by the shorter of both times
  { on: fatal, remind_every: 4h }
  0s    web:api FATAL    => firing fatal web:api
  30m   another configuration
  1h30m                  => reminder 1 fatal web:api, since 1h30m
  3h30m                  => reminder 2 fatal web:api, since 3h30m
  another configuration:
    { on: fatal, remind_every: 1h }

reminders begin for what was told without any
  { on: fatal, remind_every: 0s }
  0s    web:api FATAL    => firing fatal web:api
  30m   another configuration
  1h30m                  => reminder 1 fatal web:api, since 1h30m
  another configuration:
    { on: fatal, remind_every: 1h }

reminders end with remind_every: 0s over a restart as well
  { on: fatal, remind_every: 1h }
  0s   web:api FATAL     => firing fatal web:api
  10m  another configuration
  11m  superbell restarts
  99h  nothing
  another configuration:
    { on: fatal, remind_every: 0s }

an escalation that was put in later comes when its time is over
  { on: fatal, remind_every: 0s }
  0s   web:api FATAL     => firing fatal web:api
  5m   another configuration
  15m                    => escalated fatal web:api to boss, since 15m
  99h  nothing
  another configuration:
    { on: fatal, remind_every: 0s, escalate: { after: 15m, to: boss } }

what a maintenance window held is told when the window is taken out
  on: fatal
  maintenance: [{ from: "09:00", to: "12:00" }]
  0s   web:api FATAL     => (maintenance)
  10m  another configuration => firing fatal web:api, since 10m, held: maintenance
  another configuration:
    on: fatal

what a dependency held is told when it is taken out
  rules: [{ on: fatal, where: { process: 'db:*' } }, { on: fatal, where: { process: 'web:*' }, suppressed_by: 'db:*' }]
  0s   db:pg FATAL       => firing fatal db:pg by r1
  1s   web:api FATAL     => (r2: suppressed)
  10m  another configuration => firing fatal web:api by r2, since 9m59s, held: suppressed
  another configuration:
    rules: [{ on: fatal, where: { process: 'db:*' } }, { on: fatal, where: { process: 'web:*' } }]

the host's incident and a rule may go at the same time
  rules: [{ name: old, on: fatal }, { name: same, on: fatal }]
  host_incident: { to: boss, processes: 2, within: 1m }
  0s   web:a FATAL       => firing fatal web:a by old & firing fatal web:a by same
  1s   web:b FATAL       => firing fatal web:a web:b by host_incident to boss, since 1s, ended 2 times, critical & (old: host-incident) & (same: host-incident)
  10s  another configuration => firing fatal web:b by same, since 9s, held: host-incident
  another configuration:
    rules: [{ name: same, on: fatal }]
`);
