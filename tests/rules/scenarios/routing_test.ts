// Which rules tell, whom, how urgently, and whom next.

import { scenarios } from "./scenario.ts";

scenarios(`
stop: true ends the search
  rules:
    - { name: a, on: crash, where: { process: "web:*" }, stop: true }
    - { name: b, on: crash, to: mail }
  0s   web:api EXITED    => firing crash web:api by a & (b: stopped-by-rule)
  1s   db:main EXITED    => firing crash db:main by b to mail

stop: true ends it also while the rule holds
  rules:
    - { name: a, on: crash, after: { count: 2, within: 1m }, stop: true }
    - { name: b, on: crash }
  0s   web:api EXITED    => (a: below-after) & (b: stopped-by-rule)

a rule that only watches for flapping stops nothing until it flaps
  rules:
    - { name: a, on: flapping, flapping: { exits: 2, within: 1m }, stop: true }
    - { name: b, on: crash }
  0s   web:api EXITED    => firing crash web:api by b & (a: not-flapping)
  1s   web:api EXITED    => firing flapping web:api by a, since 1s, ended 2 times & (b: stopped-by-rule)

severity stands with the message
  { on: fatal, severity: critical }
  0s   web:api FATAL     => firing fatal web:api, critical

escalate tells others while it is open, and both that it is over
  { on: fatal, escalate: { after: 15m, to: boss } }
  0s   web:api FATAL     => firing fatal web:api
  15m                    => escalated fatal web:api to boss, since 15m
  20m  web:api RUNNING
  20m30s                 => resolved running web:api to oncall, boss, down 20m

escalate: what is over before is not escalated
  { on: crash, escalate: { after: 15m, to: boss } }
  0s   web:api EXITED    => firing crash web:api
  10m  web:api RUNNING
  10m30s                 => resolved running web:api, down 10m
  1h   nothing

escalate: what is acknowledged is not escalated, nor reminded
  { on: fatal, escalate: { after: 15m, to: boss }, remind_every: 1h }
  0s   web:api FATAL     => firing fatal web:api
  5m   web:api acknowledged by ann
  5m   (log) incident 9e88a0b1: acknowledged by ann
  20h  nothing
  20h1s web:api RUNNING
  20h31s                 => resolved running web:api, down 20h1s

an acknowledged crash that becomes FATAL is told
  { on: [crash, fatal], remind_every: 1h }
  0s   web:api EXITED    => firing crash web:api
  1m   web:api acknowledged by ann
  1m   (log) incident 9e88a0b1: acknowledged by ann
  2m   web:api EXITED    => (acknowledged)
  3m   web:api FATAL     => firing fatal web:api, since 3m, ended 2 times
  1h3m                   => reminder 1 fatal web:api, since 1h3m, ended 2 times

to acknowledge what is not there is said in the log
  on: fatal
  0s   nobody acknowledged by ann
  0s   (log) no open incident nobody to acknowledge
`);
