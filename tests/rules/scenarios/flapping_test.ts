// A process that ends and starts again and again.

import { scenarios } from "./scenario.ts";

scenarios(`
startsecs too short: never FATAL, and told as flapping all the same
  { on: [crash, fatal, flapping], flapping: { exits: 3, within: 1m } }
  0s   web:api EXITED    => firing crash web:api
  1s   web:api RUNNING
  3s   web:api EXITED    => (already-told)
  4s   web:api RUNNING
  6s   web:api EXITED    => firing flapping web:api, since 6s, ended 3 times
  7s   web:api RUNNING
  9s   web:api EXITED    => (flapping)
  10s  web:api RUNNING
  12s  web:api EXITED    => (flapping)
  13s  web:api RUNNING
  1m13s                  => resolved running web:api, down 13s, ended 5 times

flapping alone: single ends are nothing
  { on: flapping, flapping: { exits: 3, within: 1m } }
  0s   web:api EXITED    => (not-flapping)
  1m   web:api EXITED    => (not-flapping)
  2m   web:api EXITED    => (not-flapping)
  2m5s web:api EXITED    => (not-flapping)
  2m9s web:api EXITED    => firing flapping web:api, since 9s, ended 3 times

flapping counts failed starts and expected exits too
  { on: flapping, flapping: { exits: 3, within: 1m } }
  0s   web:api EXITED as expected => (not-flapping)
  1s   web:api BACKOFF            => (not-flapping)
  2s   web:api EXITED as expected => firing flapping web:api, since 2s, ended 3 times
  1m2s                            => resolved exited web:api, down 2s, ended 3 times

FATAL is told while it flaps
  { on: [flapping, fatal], flapping: { exits: 2, within: 1m } }
  0s   web:api EXITED    => (not-flapping)
  1s   web:api EXITED    => firing flapping web:api, since 1s, ended 2 times
  2s   web:api BACKOFF   => (flapping)
  3s   web:api FATAL     => firing fatal web:api, since 3s, ended 3 times

FATAL is news again once the process has run, also where somebody looks after it
  { on: [flapping, fatal], flapping: { exits: 2, within: 1m, stable_after: 10m }, resolve_after: 30s }
  0s   web:api EXITED    => (not-flapping)
  1s   web:api EXITED    => firing flapping web:api, since 1s, ended 2 times
  3s   web:api FATAL     => firing fatal web:api, since 3s, ended 2 times
  5s   web:api acknowledged by kim
  5s   (log) incident ad8ef97e: acknowledged by kim
  10s  web:api RUNNING
  20s  web:api BACKOFF   => (acknowledged)
  21s  web:api FATAL     => (acknowledged)
  1m   web:api RUNNING
  5m   web:api BACKOFF   => (acknowledged)
  5m1s web:api FATAL     => firing fatal web:api, since 5m1s, ended 4 times
  6m   web:api RUNNING
  16m                    => resolved running web:api, down 6m, ended 4 times

a counting reminder while it flaps
  { on: flapping, flapping: { exits: 2, within: 10m }, remind_every: 1h }
  0s     web:api EXITED  => (not-flapping)
  1m     web:api EXITED  => firing flapping web:api, since 1m, ended 2 times
  20m    web:api EXITED  => (flapping)
  40m    web:api EXITED  => (flapping)
  1h1m                   => reminder 1 flapping web:api, since 1h1m, ended 4 times

stable_after says when it is stable again
  { on: flapping, flapping: { exits: 2, within: 1m, stable_after: 5m } }
  0s     web:api EXITED  => (not-flapping)
  1s     web:api EXITED  => firing flapping web:api, since 1s, ended 2 times
  2s     web:api RUNNING
  5m2s                   => resolved running web:api, down 2s, ended 2 times

short runs in a row are flapping, however far apart
  { on: flapping, flapping: { exits: 3, within: 10s, short_run: 5m } }
  0s     web:api RUNNING
  4m     web:api EXITED  => (not-flapping)
  5m     web:api RUNNING
  9m     web:api EXITED  => (not-flapping)
  10m    web:api RUNNING
  14m    web:api EXITED  => firing flapping web:api, since 10m, ended 3 times

a long run between short ones begins the count anew
  { on: flapping, flapping: { exits: 2, within: 10s, short_run: 5m } }
  0s     web:api RUNNING
  4m     web:api EXITED  => (not-flapping)
  5m     web:api RUNNING
  15m    web:api EXITED  => (not-flapping)
  16m    web:api RUNNING
  18m    web:api EXITED  => (not-flapping)

once stable it must flap anew to be told
  { on: flapping, flapping: { exits: 2, within: 1m, stable_after: 10s } }
  0s     web:api EXITED  => (not-flapping)
  1s     web:api EXITED  => firing flapping web:api, since 1s, ended 2 times
  2s     web:api RUNNING
  12s                    => resolved running web:api, down 2s, ended 2 times
  20s    web:api EXITED  => (not-flapping)

a stop by hand ends flapping soon
  { on: flapping, flapping: { exits: 2, within: 10m } }
  0s     web:api EXITED  => (not-flapping)
  1s     web:api EXITED  => firing flapping web:api, since 1s, ended 2 times
  2s     web:api STOPPED
  32s                    => resolved stopped web:api, down 2s, ended 2 times
`);
