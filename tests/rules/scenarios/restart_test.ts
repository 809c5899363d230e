// Restarts of superbell in the middle, and clocks that jump.

import { scenarios } from "./scenario.ts";

scenarios(`
the configuration, where a scenario has none of its own
  on: [crash, fatal]

an incident goes on over a restart of superbell
  0s   web:api EXITED    => firing crash web:api
  10s  superbell restarts
  20s  web:api EXITED    => (already-told)
  21s  web:api RUNNING
  51s                    => resolved running web:api, down 21s, ended 2 times

RUNNING must hold anew after a restart: nobody watched
  0s   web:api EXITED    => firing crash web:api
  1s   web:api RUNNING
  2s   superbell is killed
  1h   superbell restarts
  1h30s                  => resolved running web:api, down 1s

what happened while superbell was away resolves nothing
  0s   web:api EXITED    => firing crash web:api
  1s   web:api RUNNING
  2s   superbell is killed
  1h   superbell restarts
  1h1s web:api EXITED    => (already-told)  # found out by comparing
  2h   nothing

after counts on over a restart
  { on: crash, after: { count: 2, within: 1h } }
  0s   web:api EXITED    => (below-after)
  1m   superbell restarts
  2m   web:api EXITED    => firing crash web:api, since 2m, ended 2 times

flapping counts on over a restart
  { on: flapping, flapping: { exits: 2, within: 1h } }
  0s   web:api EXITED    => (not-flapping)
  1m   superbell restarts
  2m   web:api EXITED    => firing flapping web:api, since 2m, ended 2 times

a silence goes on over a restart
  0s   silence web:* for 30m
  1m   superbell restarts
  2m   web:api FATAL     => (silenced)
  30m                    => firing fatal web:api, since 28m, held: silenced

the configuration, where a scenario has none of its own
  { on: fatal, remind_every: 1h }

a reminder that fell into our absence comes once, and not at once
  0s     web:api FATAL   => firing fatal web:api
  1m     superbell is killed
  10h    superbell restarts
  10h30s                 => reminder 1 fatal web:api, since 10h30s
  12h30s                 => reminder 2 fatal web:api, since 12h30s

a clock set back moves what was to come
  0s     web:api FATAL   => firing fatal web:api
  30m    the clock is set back by 5h
  1h                     => reminder 1 fatal web:api, since 1h
  1h10m  web:api RUNNING
  1h10m30s               => resolved running web:api, down 1h10m

a clock set forth lets nothing come early
  { on: fatal, remind_every: 1h, escalate: { after: 2h, to: boss } }
  0s     web:api FATAL   => firing fatal web:api
  30m    the clock is set forth by 500h
  1h                     => reminder 1 fatal web:api, since 1h
  2h                     => escalated fatal web:api to boss, since 2h
  3h                     => reminder 2 fatal web:api to oncall, boss, since 3h

RUNNING does not hold by a clock set forth
  on: crash
  0s     web:api EXITED  => firing crash web:api
  1s     web:api RUNNING
  2s     the clock is set forth by 5h
  31s                    => resolved running web:api, down 1s

a clock set back that nobody notices costs the time since the last event
  0s     web:api FATAL   => firing fatal web:api
  29m    tick
  30m    the clock is set back by 5h, unnoticed
  30m    tick
  1h1m                   => reminder 1 fatal web:api, since 1h

a clock set forth that nobody notices brings a reminder once
  0s     web:api FATAL   => firing fatal web:api
  30m    the clock is set forth by 500h, unnoticed
  30m                    => reminder 1 fatal web:api, since 500h30m
  30m    tick
  2h30m                  => reminder 2 fatal web:api, since 502h30m

a silence does not outlive its clock: set back, it is over
  on: fatal
  0s     silence web:* for 30m
  1m     the clock is set back by 5h
  2m     web:api FATAL   => firing fatal web:api

the configuration, where a scenario has none of its own
  on: [crash, fatal]

what became of a process while nobody listened is put right by comparing
  0s   web:a EXITED      => firing crash web:a
  1s   web:b FATAL       => firing fatal web:b
  2s   superbell is killed
  10m  superbell restarts
  10m3s only web:a web:b=FATAL is there
  10m33s                 => resolved running web:a, down 10m3s
  11m  only web:a web:b=STARTING is there
  12m  only web:a web:b is there
  12m30s                 => resolved running web:b, down 11m59s

what another rule's incident held is told after a restart without that rule
  rules: [{ on: fatal, where: { process: 'db:*' } }, { on: crash, where: { process: 'web:*' }, suppressed_by: 'db:*', group_wait: 0s }]
  0s     db:main FATAL    => firing fatal db:main by r1
  1s     web:api EXITED   => (r2: suppressed)
  1m     superbell restarts with another configuration
  1m30s                   => firing crash web:api by r2, since 1m29s, held: suppressed
  another configuration:
    rules: [{ on: fatal, name: other, where: { process: 'cache:*' } }, { on: crash, where: { process: 'web:*' }, suppressed_by: 'db:*', group_wait: 0s }]

a silence that a clock set forth has ended holds nothing longer
  0s   silence web:* for 1h
  1m   web:api FATAL     => (silenced)
  2m   the clock is set forth by 3h
  2m                     => firing fatal web:api, since 1m, held: silenced

a clock set back after a restart delays no end
  0s    web:api EXITED   => firing crash web:api
  1m    superbell restarts
  2m    web:api RUNNING
  125s  the clock is set back by 3h
  126s  web:api EXITED   => (already-told)
  127s  web:api RUNNING
  157s                   => resolved running web:api, down 2m7s, ended 2 times

ends that were told of a process that is gone count no more when it comes back
  0s   web:api EXITED    => firing crash web:api
  1s   web:api EXITED    => (already-told)
  2s   only db:main is there
  1m   web:api EXITED    => firing crash web:api
`);
