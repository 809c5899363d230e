-- The outbox, version 1 (pragma user_version). All times are milliseconds since 1970 UTC.

-- One alert for one channel.
create table entry (
  id            integer primary key,
  alert_id      text    not null,  -- the same for every repeat of the alert
  channel       text    not null,  -- the channel's name; its options and secrets never lie here
  alert         text    not null,  -- the alert as JSON
  state         text    not null default 'waiting'
                check (state in ('waiting', 'delivered', 'dead', 'dropped', 'rerouted')),
  created_at_ms integer not null,
  since_ms      integer not null,  -- when it began to wait: created, or retried by hand
  due_at_ms     integer not null,  -- not before
  attempts      integer not null default 0,
  claim         text,              -- who holds it; null when nobody does
  claimed_at_ms integer,           -- when it was claimed last
  claimed_until_ms integer,        -- when the claim ends by itself
  settled_at_ms integer,           -- when it left 'waiting'
  reason        text,              -- the last attempt's reason, or the service's answer
  unique (alert_id, channel)       -- an event that comes again stores nothing twice
) strict;

-- since_ms lets the search for what has waited too long do without the entries themselves.
create index entry_due on entry (channel, due_at_ms, id, since_ms) where state = 'waiting';
create index entry_settled on entry (settled_at_ms) where state <> 'waiting';
create index entry_claimed on entry (claim) where claim is not null;

-- One try to send an entry.
create table attempt (
  id       integer primary key,
  entry_id integer not null references entry (id) on delete cascade,
  at_ms    integer not null,       -- when it began
  took_ms  integer not null,
  outcome  text    not null check (outcome in ('delivered', 'retry', 'rejected')),
  reason   text    not null,
  claim    text    not null,       -- the same for all entries that its message told
  pace_key text                    -- the sender as the service sees it, to count against its limit
) strict;

create index attempt_entry on attempt (entry_id);
create index attempt_pace on attempt (pace_key, at_ms) where pace_key is not null;

-- A sender that the service has closed for a while: its pace_key, or the channel's name where
-- it has no pace.
create table pause (
  pace_key text    primary key,
  at_ms    integer not null,       -- when the service said so
  until_ms integer not null,
  reason   text    not null
) strict, without rowid;

-- How each channel fares: a ChannelState of src/outbox/channel_states.ts.
create table channel (
  name             text    primary key,
  last_at_ms       integer not null, -- the end of the last attempt, of whoever shares its sender
  last_outcome     text    not null check (last_outcome in ('delivered', 'retry', 'rejected')),
  last_reason      text    not null,
  failures         integer not null, -- since the last delivered message
  failing_since_ms integer,          -- the first of them; null while it works
  told_at_ms       integer,          -- people know that it fails, and not yet that it works again
  told_since_ms    integer,          -- the failing_since_ms that they were told
  given_up         integer not null, -- entries that became dead since then, for too many waited
  held_until_ms    integer,          -- it may not send before, by its service's word or its pace
  held_reason      text
) strict, without rowid;

-- What is known of each supervised process: a KnownProcess of src/rules/roster.ts. As JSON, for
-- it is read whole, and a row that cannot be read is only one process that must be asked for.
create table process (
  group_name text not null,
  name       text not null,
  known      text not null,
  primary key (group_name, name)
) strict, without rowid;

-- Events that supervisord discarded before they reached us.
create table gap (
  id        integer primary key,
  at_ms     integer not null,
  dropped   integer not null,      -- events
  recovered integer not null       -- ends of processes that were found out all the same
) strict;

-- What else must be known at the next start; the keys stand in src/outbox/roster_store.ts.
create table note (
  key   text primary key,
  value text not null
) strict, without rowid;

-- An incident: open ones go on after a restart, closed ones are the history.
create table incident (
  id            text    primary key,
  rule          text    not null,
  key           text    not null,  -- what of the rule it is about
  started_at_ms integer not null,
  told_at_ms    integer,           -- the first message; null: nobody was told
  closed_at_ms  integer,           -- null while it is open
  closing       text,              -- a Closing of src/rules/incident.ts
  incident      text    not null   -- an Incident of src/rules/incident.ts as JSON
) strict, without rowid;

create index incident_open on incident (id) where closed_at_ms is null;
create index incident_closed on incident (closed_at_ms) where closed_at_ms is not null;

-- A process of an incident: a Member of src/rules/incident.ts as JSON.
create table incident_process (
  incident_id text not null references incident (id) on delete cascade,
  group_name  text not null,
  name        text not null,
  member      text not null,
  primary key (incident_id, group_name, name)
) strict, without rowid;

-- What one rule counts of one key: a Tally of src/rules/rule_memory.ts as JSON.
create table tally (
  rule  text not null,
  key   text not null,
  tally text not null,
  primary key (rule, key)
) strict, without rowid;

-- A Silence of src/rules/silence.ts as JSON.
create table silence (
  id       text    primary key,
  until_ms integer not null,
  silence  text    not null
) strict, without rowid;

-- What a command asks of the listener: a Request of src/rules/request.ts as JSON. It waits here
-- while no listener runs; an answer stays for a while, for the command that waits for it.
create table request (
  id          integer primary key,
  at_ms       integer not null,
  request     text    not null,
  taken_at_ms integer,              -- null until the listener has taken it
  done        integer,              -- 1: it was done; 0: it could not be
  answer      text                  -- what came of it, in a sentence
) strict;

create index request_waiting on request (id) where taken_at_ms is null;
