-- The outbox, version 1 (pragma user_version). All times are milliseconds since 1970 UTC.

-- One alert for one channel.
create table entry (
  id            integer primary key,
  alert_id      text    not null,  -- the same for every repeat of the alert
  channel       text    not null,  -- the channel's name; its options and secrets never lie here
  alert         text    not null,  -- the alert as JSON
  state         text    not null default 'waiting'
                check (state in ('waiting', 'delivered', 'dead', 'dropped')),
  created_at_ms integer not null,
  since_ms      integer not null,  -- when it began to wait: created, or retried by hand
  due_at_ms     integer not null,  -- not before
  attempts      integer not null default 0,
  claim         text,              -- who holds it; null when nobody does
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
  pace_key text                    -- the sender as the service sees it, to count against its limit
) strict;

create index attempt_entry on attempt (entry_id);
create index attempt_pace on attempt (pace_key, at_ms) where pace_key is not null;

-- A sender that the service has closed for a while.
create table pause (
  pace_key text    primary key,
  until_ms integer not null,
  reason   text    not null
) strict, without rowid;
