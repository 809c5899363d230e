// What an operator does on purpose is no crash, and ends one.

import { scenarios } from "./scenario.ts";

scenarios(`
the configuration, where a scenario has none of its own
  on: [crash, fatal]

a stop by supervisorctl is no message
  0s   web:api RUNNING
  10s  web:api STOPPING
  11s  web:api STOPPED
  10h  nothing

a restart by supervisorctl is no message
  0s   web:api STOPPING
  1s   web:api STOPPED
  2s   web:api STARTING
  3s   web:api RUNNING
  1h   nothing

a stop while the incident is open is told once, as a stop
  0s   web:api FATAL     => firing fatal web:api
  1m   web:api STOPPED
  1m30s                  => resolved stopped web:api, down 1m
  10h  nothing

a restart while the incident is open mends it, and the stop is no message
  0s   web:api EXITED    => firing crash web:api
  1s   web:api RUNNING
  10s  web:api STOPPING
  11s  web:api STOPPED
  12s  web:api STARTING
  13s  web:api RUNNING
  43s                    => resolved running web:api, down 13s

a restart that fails leaves it open
  0s   web:api EXITED    => firing crash web:api
  10s  web:api STOPPED
  12s  web:api STARTING
  13s  web:api BACKOFF
  20s  web:api FATAL     => firing fatal web:api, since 20s, ended 2 times

a group that is removed for good ends it without a word
  0s   web:api FATAL     => firing fatal web:api
  1m   web:api STOPPED
  1m1s group web removed
  10h  nothing

update: a group that comes back running is told
  0s   web:api EXITED    => firing crash web:api
  1s   web:api RUNNING
  10s  web:api STOPPING
  11s  web:api STOPPED
  12s  group web removed
  12s  group web added
  13s  web:api STARTING
  14s  web:api RUNNING
  44s                    => resolved running web:api, down 14s

update of a healthy group is no message
  0s   web:api STOPPING
  1s   web:api STOPPED
  2s   group web removed
  2s   group web added
  3s   web:api STARTING
  4s   web:api RUNNING
  1h   nothing

a shutdown ends no incident, and none begins
  0s   web:api FATAL     => firing fatal web:api
  1m   supervisord STOPPING
  61s  web:b STOPPING
  62s  web:c FATAL       => (supervisord-stopping)  # it was in BACKOFF
  63s  web:api STOPPED   => (supervisord-stopping)
  2h   nothing

after a restart of supervisord the incident goes on
  0s   web:api FATAL     => firing fatal web:api
  1m   supervisord STOPPING
  61s  web:api STOPPED   => (supervisord-stopping)
  2m   superbell restarts
  2m   supervisord RUNNING
  2m1s web:api STARTING
  2m3s web:api RUNNING
  2m33s                  => resolved running web:api, down 2m3s

after a restart of supervisord it fails again: nothing new
  0s   web:api FATAL     => firing fatal web:api
  1m   supervisord STOPPING
  2m   superbell restarts
  2m   supervisord RUNNING
  2m1s web:api STARTING
  2m3s web:api BACKOFF
  2m9s web:api FATAL     => (already-told)

a process that is gone after a restart of supervisord
  0s   web:api FATAL     => firing fatal web:api
  1m   superbell restarts
  61s  only web:b is there
  10h  nothing
`);
