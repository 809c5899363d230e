// Why something was told, held or passed over: a closed list, shared by the log, the docs, the
// tests and whoever asks "why did I get no message?".

/** Why a rule has nothing to do with an event. */
export const SKIP_REASONS = {
  "event-not-in-on": "no word of `on` is true for this event",
  "process-not-in-where": "no pattern of `where.process` fits",
  "process-excluded": "a pattern with `!` of `where.process` fits",
  "group-not-in-where": "no pattern of `where.group` fits",
  "group-excluded": "a pattern with `!` of `where.group` fits",
  "text-not-matched": "`where.text` was not found",
  "stopped-by-rule": "a rule above it fits and has `stop: true`",
  "supervisord-stopping": "supervisord is shutting down, and stops everything",
  "found-before": "superbell had found it out and told it before its event came",
  "not-flapping": "it ended, and not often enough for `flapping` yet",
} as const;

/** Why a rule that fits tells nothing now. */
export const HOLD_REASONS = {
  "below-after": "it has not happened `after.count` times within `after.within`",
  "already-told": "its incident was told, and this is nothing new",
  "flapping": "it was told that the process is flapping",
  "group-wait": "the first message, or one about newcomers, waits for more to come in",
  "quiet": "a message of this rule about it was told less than `quiet` ago",
  "suppressed": "an incident of a process in `suppressed_by` is open",
  "host-incident": "the incident of the whole host is open",
  "silenced": "a silence is in force",
  "maintenance": "a maintenance window is open",
  "supervisord-stopping": "supervisord is shutting down, and stops everything",
  "acknowledged": "somebody has acknowledged the incident",
} as const;

/** Why something is told. */
export const TELL_REASONS = {
  "matched": "a notice: a word of `on` came true and `where` fits",
  "opened": "an incident is told for the first time",
  "worse": "an incident got worse: it flaps, or supervisord gave up",
  "joined": "more processes came into an incident",
  "reminder-due": "it is still open after `remind_every`",
  "escalation-due": "it is still open after `escalate.after`, and nobody acknowledged it",
  "resolved": "everything of the incident has been well for `resolve_after`",
} as const;

export type SkipReason = keyof typeof SKIP_REASONS;
export type HoldReason = keyof typeof HOLD_REASONS;
export type TellReason = keyof typeof TELL_REASONS;

/** Every reason, with what it means. */
export const REASONS = { ...TELL_REASONS, ...HOLD_REASONS, ...SKIP_REASONS } as const;
