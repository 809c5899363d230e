// Several alerts as one message: what happened to how many, the first few in full, all of
// them by name with numbered processes folded. In a storm one message that is read is worth
// more than three hundred that mute the robot.

import type { Alert } from "./alert.ts";
import {
  compose,
  type ComposeOptions,
  type Fact,
  formatTime,
  happened,
  layOut,
  type Message,
  subjectOf,
  whereOf,
  withOwn,
} from "./compose.ts";
import { foldNames } from "./fold.ts";
import { WORDS, type Words } from "./messages.ts";
import { type MessageTemplate, render } from "./template.ts";
import { truncateChars } from "./truncate.ts";

/** So many alerts are told in full. */
const IN_FULL = 3;
const MAX_NAMES_IN_TITLE_CHARS = 80;
const MAX_TITLE_CHARS = 200;

/** The message about the alerts; they are of one host. With a single one the plain message. */
export function composeDigest(
  alerts: readonly [Alert, ...Alert[]],
  options: ComposeOptions,
): Message {
  const [first] = alerts;
  if (alerts.length === 1) return compose(first, options);
  const words = WORDS[options.language];
  const membersByWhat = Map.groupBy(alerts, (alert) => words.inPlural(happened(alert, words)));
  const groups = [...membersByWhat].map(([what, members]) => ({
    what: members.length > 1 ? what : happened(members[0]!, words),
    count: members.length,
    names: foldNames(members.map((alert) => subjectOf(alert, words))).join(words.nameComma),
  }));
  const parts = groups.map(({ what, names }) =>
    words.digestPart(truncateChars(names, MAX_NAMES_IN_TITLE_CHARS), what)
  );
  const title = words.digestTitle(alerts.length, first.host.name, parts.join(words.semicolon));
  const times = alerts.map(({ atMs }) => atMs);
  const [from, to] = [Math.min(...times), Math.max(...times)]
    .map((atMs) => formatTime(atMs, options.timeZone));
  const facts: Fact[] = [
    { label: words.host, value: whereOf(first) },
    { label: words.time, value: from === to ? from! : `${from} – ${to}` },
    ...standInNotes(alerts, words),
    // The one alert may be about many processes, whose number stands among the names.
    ...groups.map(({ what, count, names }) => ({
      label: count > 1 ? `${what} (${count})` : what,
      value: names,
    })),
    ...alerts.slice(0, IN_FULL).map((alert, index): Fact => ({
      label: `${index + 1}/${alerts.length}`,
      value: compose(alert, options).text,
      wide: true,
    })),
    { label: words.alertId, value: alerts.map(({ id }) => id).join(" "), wide: true },
  ];
  const short = truncateChars(title, MAX_TITLE_CHARS);
  const message = layOut(alerts, options.language, short, facts, from!);
  return withTitle(message, options.template);
}

/** For which channels this one stands in, each once. */
function standInNotes(alerts: readonly Alert[], words: Words): Fact[] {
  const notes = alerts.flatMap(({ insteadOf }) =>
    insteadOf === undefined ? [] : words.insteadOf(insteadOf.channel, insteadOf.reason)
  );
  return [...new Set(notes)].slice(0, IN_FULL).map((value) => ({
    label: words.note,
    value,
    wide: true,
  }));
}

/**
 * The user's title, if ours stands in it: any other would be about one alert, and could not tell
 * what happened to how many. His text is that of each alert.
 */
function withTitle(message: Message, template: MessageTemplate | undefined): Message {
  const own = template?.title;
  const isForAll = own?.pieces.some((piece) =>
    typeof piece !== "string" && piece.placeholder === "summary"
  );
  if (own === undefined || isForAll !== true) return message;
  return withOwn(message, { title: truncateChars(render(own, message), MAX_TITLE_CHARS) });
}
