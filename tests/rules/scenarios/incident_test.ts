// An incident from its first message to its last.

import { scenarios } from "./scenario.ts";

scenarios(`
the configuration, where a scenario has none of its own
  on: [crash, fatal]

a crash is told once, and that it runs again when it has for 30 seconds
  0s   web:api RUNNING
  10s  web:api EXITED    => firing crash web:api
  11s  web:api STARTING
  12s  web:api RUNNING
  42s                    => resolved running web:api, down 2s
  10h  nothing

a crash loop is one message
  0s   web:api EXITED    => firing crash web:api
  1s   web:api STARTING
  2s   web:api RUNNING
  20s  web:api EXITED    => (already-told)
  21s  web:api STARTING
  22s  web:api RUNNING
  40s  web:api EXITED    => (already-told)
  41s  web:api STARTING
  42s  web:api RUNNING
  1m12s                  => resolved running web:api, down 42s, ended 3 times

kill and kill -9 are crashes
  0s   web:api EXITED    => firing crash web:api  # a signal is never expected
  1s   web:api STARTING
  2s   web:api RUNNING
  32s                    => resolved running web:api, down 2s

FATAL after startretries is told although the crash was
  0s   web:api EXITED    => firing crash web:api
  1s   web:api STARTING
  2s   web:api BACKOFF
  3s   web:api STARTING
  5s   web:api BACKOFF
  6s   web:api STARTING
  9s   web:api BACKOFF
  10s  web:api FATAL     => firing fatal web:api, since 10s, ended 4 times

FATAL alone: the failed starts before it are no message
  on: fatal
  0s   web:api STARTING
  1s   web:api BACKOFF
  2s   web:api STARTING
  3s   web:api BACKOFF
  4s   web:api FATAL     => firing fatal web:api

a failed start is told once
  on: [start_failed, fatal]
  0s   web:api BACKOFF   => firing start_failed web:api
  1s   web:api STARTING
  2s   web:api BACKOFF   => (already-told)
  3s   web:api STARTING
  4s   web:api FATAL     => firing fatal web:api, since 4s, ended 2 times

a second FATAL of the same incident is not told again
  0s   web:api FATAL     => firing fatal web:api
  1m   web:api STARTING  # somebody tries by hand
  61s  web:api BACKOFF
  62s  web:api FATAL     => (already-told)

after FATAL a start by hand resolves
  0s   web:api FATAL     => firing fatal web:api
  1m   web:api STARTING
  61s  web:api RUNNING
  1m31s                  => resolved running web:api, down 1m1s

a process without autorestart stays open
  0s   job:once EXITED   => firing crash job:once
  3h   nothing
  3h1m job:once STARTING
  3h2m job:once RUNNING
  3h2m30s                => resolved running job:once, down 3h2m

RUNNING shorter than resolve_after resolves nothing
  0s   web:api EXITED    => firing crash web:api
  1s   web:api RUNNING
  30s  web:api EXITED    => (already-told)
  3m   nothing

resolve_after says how long
  { on: crash, resolve_after: 2m }
  0s    web:api EXITED   => firing crash web:api
  1s    web:api RUNNING
  2m1s                   => resolved running web:api, down 1s

resolve_after: 0s tells it with the RUNNING
  { on: crash, resolve_after: 0s }
  0s    web:api EXITED   => firing crash web:api
  5s    web:api RUNNING  => resolved running web:api, down 5s

resolved: false never tells that it is over
  { on: crash, resolved: false }
  0s    web:api EXITED   => firing crash web:api
  5s    web:api RUNNING
  1m    web:api EXITED   => firing crash web:api

what comes back soon must be well for twice as long each time
  0s     web:api EXITED  => firing crash web:api
  1s     web:api RUNNING
  31s                    => resolved running web:api, down 1s
  1m     web:api EXITED  => firing crash web:api
  61s    web:api RUNNING
  2m     web:api EXITED  => (already-told)
  2m1s   web:api RUNNING
  3m1s                   => resolved running web:api, down 1m1s, ended 2 times
  4m     web:api EXITED  => firing crash web:api
  4m1s   web:api RUNNING
  6m1s                   => resolved running web:api, down 1s

after an hour of peace it begins with the first time again
  0s     web:api EXITED  => firing crash web:api
  1s     web:api RUNNING
  31s                    => resolved running web:api, down 1s
  2h     web:api EXITED  => firing crash web:api
  2h1s   web:api RUNNING
  2h31s                  => resolved running web:api, down 1s

an expected exit is news and no incident
  on: exit
  0s   job:a EXITED as expected => notice exit job:a
  5s   job:a EXITED as expected => notice exit job:a
  10h  nothing

an unexpected exit is an incident for exit as well
  on: exit
  0s   job:a EXITED      => firing exit job:a
  1s   job:a RUNNING
  31s                    => resolved running job:a, down 1s

an expected exit ends an incident: its work is done
  0s   job:a EXITED              => firing crash job:a
  1s   job:a RUNNING
  5s   job:a EXITED as expected
  35s                            => resolved exited job:a, down 5s, ended 2 times

a state that supervisord does not know is as bad as FATAL
  on: [crash, state_unknown]
  0s   web:api EXITED    => firing crash web:api
  1s   web:api UNKNOWN   => firing state_unknown web:api, since 1s

two processes are two incidents
  0s   web:a EXITED      => firing crash web:a
  1s   web:b EXITED      => firing crash web:b
  2s   web:a RUNNING
  32s                    => resolved running web:a, down 2s
  33s  web:b RUNNING
  63s                    => resolved running web:b, down 32s

two rules are two incidents
  rules:
    - { name: a, on: crash }
    - { name: b, on: crash, to: mail }
  0s   web:api EXITED    => firing crash web:api by a & firing crash web:api by b to mail
  1s   web:api RUNNING
  31s  => resolved running web:api by a, down 1s & resolved running web:api by b to mail, down 1s

a process that is not in where is nothing to the rule
  { on: crash, where: { process: 'web:*' } }
  0s   db:main EXITED
  1s   web:api EXITED    => firing crash web:api

a heartbeat is told each time
  on: tick
  0s   tick              => notice tick
  1m   tick              => notice tick
  2m   tick              => notice tick

ordinary starts are told each time by who asks for them
  on: started
  0s   web:api RUNNING   => notice started web:api
  1m   web:api RUNNING   => notice started web:api
`);
