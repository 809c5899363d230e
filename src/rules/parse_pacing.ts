// Reads the keys of a rule that say when and how often it tells. What can never come true is a
// problem here.

import { formatDuration } from "../config/duration.ts";
import type { ConfigNode, Section } from "../config/node.ts";
import type { FlappingOptions } from "./flapping.ts";
import type { NamePatterns } from "./match.ts";
import { DEFAULT_PACING, GROUPINGS, type Pacing, SEVERITIES } from "./pacing.ts";
import { conditionOf, type ConditionWord, isFailure } from "./rule.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * What others of the group, or of what it depends on, need to come in: supervisord tells one
 * disaster within a second or two.
 */
const GATHER_MS = 5 * SECOND_MS;

/** What the readers here need of the rule around them. */
export interface PacingContext {
  readonly on: readonly ConditionWord[];
  readonly to: readonly string[];
  readonly channelName: (node: ConfigNode) => string;
  readonly patterns: (node: ConfigNode) => NamePatterns;
}

/** The keys of a rule that say when and how often it tells. */
export function parsePacing(section: Section, context: PacingContext): Pacing {
  const { on } = context;
  const failures = on.filter(isFailure);
  const severity = section.optional("severity")?.oneOf(SEVERITIES) ?? DEFAULT_PACING.severity;
  const stop = section.optional("stop")?.boolean() ?? DEFAULT_PACING.stop;
  const groupBy = section.optional("group_by")?.oneOf(GROUPINGS) ?? DEFAULT_PACING.groupBy;
  const after = parseAfter(section.optional("after"), on);
  const quietMs = section.optional("quiet")?.duration({ min: 0, max: 30 * DAY_MS }) ??
    DEFAULT_PACING.quietMs;
  const suppressedBy = parseSuppressedBy(section.optional("suppressed_by"), context);
  const groupWaitMs = parseGroupWait(section.optional("group_wait"), {
    gathers: groupBy !== "process" || suppressedBy !== undefined,
  });
  const ending = parseEnding(section);
  const flappingNode = section.optional("flapping");
  const flapping = parseFlapping(flappingNode);
  if (flappingNode !== undefined && on.length > 0 && !on.includes("flapping")) {
    flappingNode.problem("stands in a rule without the word flapping in on");
  }
  const escalate = parseEscalate(section.optional("escalate"), context);
  if (on.length > 0 && failures.length === 0) refuseForNotices(section, on);
  if (on.length > 0 && on.every(isOwn)) warnOfOwn(section, on);
  return {
    severity,
    stop,
    groupBy,
    groupWaitMs,
    ...(after && { after }),
    quietMs,
    ...ending,
    flapping,
    ...(suppressedBy && { suppressedBy }),
    ...(escalate && { escalate }),
  };
}

/** Keys about incidents, which a rule of notices never has. */
const INCIDENT_KEYS = ["group_wait", "remind_every", "resolve_after", "resolved", "escalate"];

function refuseForNotices(section: Section, on: readonly ConditionWord[]): void {
  for (const key of INCIDENT_KEYS) {
    section.optional(key)?.problem(
      `never comes true: ${on.join(", ")} ${on.length > 1 ? "are" : "is"} told and over at once; ` +
        "it needs a failure in on: crash, exit, fatal, start_failed, state_unknown or flapping",
    );
  }
}

/** Keys of a rule that say how events of supervisord are told. */
const EVENT_KEYS = ["severity", "stop", "group_by", "after", "quiet", "suppressed_by", "tail"];

/** Whether the word is about superbell itself: that is told past all that holds messages. */
function isOwn(word: ConditionWord): boolean {
  return conditionOf(word).about === "superbell";
}

function warnOfOwn(section: Section, on: readonly ConditionWord[]): void {
  for (const key of EVENT_KEYS) {
    section.optional(key)?.warning(
      `has no effect: ${on.join(", ")} ${on.length > 1 ? "are" : "is"} about superbell itself, ` +
        "and told each time and at once",
    );
  }
}

function parseAfter(
  node: ConfigNode | undefined,
  on: readonly ConditionWord[],
): Pacing["after"] {
  if (node === undefined) return undefined;
  const section = node.section("{ count: 3, within: 10m }");
  const count = section.required("count");
  const within = section.required("within");
  section.end();
  if (on.length === 1 && on[0] === "flapping") {
    node.problem("flapping counts by itself; write flapping: { exits: …, within: … }");
  }
  return {
    count: count.value === undefined ? 2 : count.integer({ min: 2, max: 1000 }),
    withinMs: within.value === undefined
      ? MINUTE_MS
      : within.duration({ min: SECOND_MS, max: 30 * DAY_MS }),
  };
}

function parseGroupWait(
  node: ConfigNode | undefined,
  { gathers }: { readonly gathers: boolean },
): number {
  if (node === undefined) return gathers ? GATHER_MS : DEFAULT_PACING.groupWaitMs;
  const waitMs = node.duration({ min: 0, max: HOUR_MS });
  if (!gathers && waitMs > 0) {
    node.problem(
      "there is nothing to wait for: it needs group_by: group, host or rule, or suppressed_by",
    );
  }
  return waitMs;
}

/** How an incident goes on and ends; also of the incident of the whole host. */
export function parseEnding(
  section: Section,
): Pick<Pacing, "remindEveryMs" | "resolveAfterMs" | "tellsResolved"> {
  const remind = section.optional("remind_every");
  const remindEveryMs = remind?.duration({ min: 0, max: 30 * DAY_MS }) ??
    DEFAULT_PACING.remindEveryMs;
  if (remindEveryMs > 0 && remindEveryMs < MINUTE_MS) {
    remind?.problem(
      `expected 0s (none) or at least ${formatDuration(MINUTE_MS)}, found ${
        formatDuration(remindEveryMs)
      }`,
    );
  }
  return {
    remindEveryMs,
    resolveAfterMs: section.optional("resolve_after")?.duration({ min: 0, max: DAY_MS }) ??
      DEFAULT_PACING.resolveAfterMs,
    tellsResolved: section.optional("resolved")?.boolean() ?? DEFAULT_PACING.tellsResolved,
  };
}

function parseFlapping(node: ConfigNode | undefined): FlappingOptions {
  if (node === undefined) return DEFAULT_PACING.flapping;
  const section = node.section("{ exits: 5, within: 10m }");
  const { exits, withinMs } = DEFAULT_PACING.flapping;
  const within = section.optional("within")?.duration({ min: SECOND_MS, max: 30 * DAY_MS }) ??
    withinMs;
  const shortRunMs = section.optional("short_run")?.duration({ min: SECOND_MS, max: DAY_MS });
  const options = {
    exits: section.optional("exits")?.integer({ min: 2, max: 1000 }) ?? exits,
    withinMs: within,
    ...(shortRunMs !== undefined && { shortRunMs }),
    stableAfterMs:
      section.optional("stable_after")?.duration({ min: SECOND_MS, max: 30 * DAY_MS }) ??
        within,
  };
  section.end();
  return options;
}

function parseSuppressedBy(
  node: ConfigNode | undefined,
  { patterns }: PacingContext,
): NamePatterns | undefined {
  if (node === undefined) return undefined;
  const parsed = patterns(node);
  if (parsed.wanted.length === 0) {
    node.problem("expected at least one pattern without !; otherwise everything holds everything");
  }
  return parsed;
}

function parseEscalate(
  node: ConfigNode | undefined,
  { to, channelName }: PacingContext,
): Pacing["escalate"] {
  if (node === undefined) return undefined;
  const section = node.section("{ after: 15m, to: [managers] }");
  const after = section.required("after");
  const toNode = section.required("to");
  section.end();
  const names = toNode.value === undefined ? [] : toNode.list(channelName, "[oncall]");
  if (names.length > 0 && names.every((name) => to.includes(name))) {
    toNode.problem("is told from the beginning already: it stands in to of the rule");
  }
  return {
    afterMs: after.value === undefined
      ? MINUTE_MS
      : after.duration({ min: SECOND_MS, max: 30 * DAY_MS }),
    to: names,
  };
}
