// From an alert to what people read: a title that suffices to decide whether to get up, and
// facts below it. Channels lay it out in their own format; they add no words of their own.

import { displayName, type Exit, type ProcessState } from "../events/event.ts";
import { conditionOf } from "../rules/rule.ts";
import type { Alert } from "./alert.ts";
import { areAll, commonExit, describeEach } from "./each_exit.ts";
import { headline } from "./headline.ts";
import {
  incidentFacts,
  severalOf,
  standingOf,
  subjectOfSeveral,
  titleAround,
} from "./incident_text.ts";
import { type Language, WORDS, type Words } from "./messages.ts";
import { type MessageTemplate, render, renderPieces, type TextPiece } from "./template.ts";
import { type Placeholder, PLACEHOLDERS, type Values } from "./values.ts";

/** A label and a value. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  /** It may have several lines. */
  readonly wide?: true;
  /** It is what a program wrote last, so its last lines matter most; indented in plain text. */
  readonly isTail?: true;
}

/** A message in words, not yet in any channel's format. */
export interface Message {
  /** The alert's id, the same for every repeat; of a digest the first one's and how many more. */
  readonly id: string;
  readonly language: Language;
  readonly title: string;
  readonly facts: readonly Fact[];
  /** The title and the facts as plain text, one a line; or the user's own text. */
  readonly text: string;
  /** The text of the user's own template, in place of the title and the facts. */
  readonly ownText?: readonly TextPiece[];
  /** The alert; the first one of a digest. */
  readonly alert: Alert;
  /** All that it tells. */
  readonly alerts: readonly Alert[];
  /** What the placeholders of a template stand for; of a digest every value that occurs. */
  readonly values: Values;
  /** The same for each alert alone. */
  readonly valuesOfEach: readonly Values[];
}

/** How to write a message. */
export interface ComposeOptions {
  readonly language: Language;
  /** An IANA name; undefined means the host's own. */
  readonly timeZone?: string | undefined;
  /** The user's own words for each alert. */
  readonly template?: MessageTemplate | undefined;
  /** The same for the alerts of a rule, by its name; it wins. */
  readonly templateOf?: ((rule: string) => MessageTemplate | undefined) | undefined;
}

/** The message about one alert. */
export function compose(alert: Alert, options: ComposeOptions): Message {
  const words = WORDS[options.language];
  const time = formatTime(alert.atMs, options.timeZone);
  const sentence = words.title(subjectOf(alert, words), happened(alert, words), alert.host.name);
  const what = titleAround(sentence, alert, words);
  const line = headline(alert);
  const title = line === undefined ? what : `${what}${words.colon}${line}`;
  const facts = factsOf(alert, words, (atMs) => formatTime(atMs, options.timeZone));
  const template = { ...options.template, ...options.templateOf?.(alert.rule) };
  return inOwnWords(layOut([alert], options.language, title, facts, time), template);
}

/** The message with the user's title and text in place of ours. */
function inOwnWords(message: Message, template: MessageTemplate | undefined): Message {
  return withOwn(message, {
    ...(template?.title && { title: render(template.title, message) }),
    ...(template?.text && { ownText: renderPieces(template.text, message.values) }),
  });
}

/** The message with another title or text, which its placeholders then stand for as well. */
export function withOwn(
  message: Message,
  own: { readonly title?: string; readonly ownText?: readonly TextPiece[] },
): Message {
  const changed = { ...message, ...own };
  const { title } = changed;
  const text = plainText(changed);
  const retold = (values: Values) => ({ ...values, summary: title, text });
  return {
    ...changed,
    text,
    values: retold(message.values),
    valuesOfEach: message.valuesOfEach.map(retold),
  };
}

/** The message that `superbell test` sends: it says that it is only a test. */
export function composeTest(alert: Alert, options: ComposeOptions): Message {
  const words = WORDS[options.language];
  const time = formatTime(alert.atMs, options.timeZone);
  const facts: Fact[] = [
    { label: words.host, value: whereOf(alert) },
    { label: words.time, value: time },
    { label: words.text, value: words.testText, wide: true },
    { label: words.alertId, value: alert.id },
  ];
  const message = layOut(
    [alert],
    options.language,
    words.testTitle(alert.host.name),
    facts,
    time,
  );
  const asTest = (values: Values) => ({
    ...values,
    on: "test",
    process: "superbell",
    happened: words.testHappened,
  });
  const test = {
    ...message,
    values: asTest(message.values),
    valuesOfEach: message.valuesOfEach.map(asTest),
  };
  return inOwnWords(test, options.template);
}

/** The finished message about one alert or several. */
export function layOut(
  alerts: readonly [Alert, ...Alert[]],
  language: Language,
  title: string,
  facts: readonly Fact[],
  time: string,
): Message {
  const text = plainText({ language, title, facts });
  const [alert] = alerts;
  return {
    id: alerts.length === 1 ? alert.id : `${alert.id}+${alerts.length - 1}`,
    language,
    title,
    facts,
    text,
    alert,
    alerts,
    ...valuesOfAll(alerts, language, { title, text, time }),
  };
}

/** The title and the facts as plain text, one a line; or the user's own text. */
export function plainText(
  message: Pick<Message, "language" | "title" | "facts" | "ownText">,
): string {
  if (message.ownText !== undefined) return message.ownText.map(({ text }) => text).join("");
  const { colon } = WORDS[message.language];
  const lines = message.facts.map(({ label, value, wide, isTail }) => {
    // Indented, no line of a program looks like one of our facts.
    if (isTail === true) return `${label}${colon.trim()}\n${value.replace(/^(?=.)/gm, "  ")}`;
    return `${label}${colon}${wide === true && value.includes("\n") ? "\n" : ""}${value}`;
  });
  return [message.title, "", ...lines].join("\n");
}

function valuesOfAll(
  alerts: readonly Alert[],
  language: Language,
  { title, text, time }: { readonly title: string; readonly text: string; readonly time: string },
): Pick<Message, "values" | "valuesOfEach"> {
  const words = WORDS[language];
  const all = alerts.map((alert) => valuesOf(alert, words, { summary: title, text, time }));
  const names = Object.keys(PLACEHOLDERS) as Placeholder[];
  const pairs = names.map((name) => [name, [...new Set(all.map((one) => one[name]))].join(", ")]);
  return { values: Object.fromEntries(pairs) as Message["values"], valuesOfEach: all };
}

/** Whom an alert is about; where a rule gathers all that it fits, the rule's name comes first. */
export function subjectOf(alert: Alert, words: Words): string {
  const subject = namedSubjectOf(alert, words);
  return alert.incident?.by === "rule" ? `${alert.rule}${words.colon}${subject}` : subject;
}

function namedSubjectOf(alert: Alert, words: Words): string {
  const several = subjectOfSeveral(alert.incident, words);
  if (several !== undefined) return several;
  if (alert.process !== undefined) return displayName(alert.process);
  if (alert.trouble !== undefined) return `${words.channel} ${alert.trouble.name}`;
  if (isAboutReload(alert)) return words.newConfiguration;
  return alert.group === undefined ? "supervisord" : `${words.group} ${alert.group}`;
}

function isAboutReload({ word }: Alert): boolean {
  return word === "reload_failed" || word === "reload_recovered";
}

/** Whether it is told without a rule of the configuration: that one has the name of its word. */
function isOwnRule({ rule, word }: Alert): boolean {
  return rule === word && conditionOf(word).about === "superbell";
}

/** What happened, in the words of the language. */
export function happened(alert: Alert, words: Words): string {
  const what = happenedToOne(alert, words);
  return severalOf(alert.incident) === undefined ? what : words.inPlural(what);
}

function happenedToOne(alert: Alert, words: Words): string {
  const standing = standingOf(alert.incident, words);
  if (standing !== undefined) return standing;
  const expected = alert.expected === true;
  const isOfSeveral = severalOf(alert.incident) !== undefined;
  if (alert.word === "crash" || alert.word === "exit") {
    const { status, signal, coreDumped = false } = commonExit(alert) ?? {};
    if (signal !== undefined && alert.memory?.certainty === "sure" && !isOfSeveral) {
      return words.killedForMemory(signal);
    }
    if (signal !== undefined) return words.killedBy(signal, coreDumped);
    if (status !== undefined) return words.exitedWith(status, expected);
    if (expected) return words.exitedAsExpected;
  }
  if (isOfSeveral && mayBeOfOne(alert)) return words.incident.failed;
  if (alert.word === "fatal" && alert.failedStarts !== undefined && !isOfSeveral) {
    return words.gaveUp(alert.failedStarts);
  }
  const { gap } = alert;
  return gap === undefined ? words.happened[alert.word] : words.dropped(gap.dropped, gap.recovered);
}

/** The state that a process is in of which the word is true. */
const STATES: Readonly<Partial<Record<Alert["word"], ProcessState>>> = {
  start_failed: "BACKOFF",
  fatal: "FATAL",
  state_unknown: "UNKNOWN",
};

/** Whether what happened to one of several processes is not known to be true of the others. */
function mayBeOfOne(alert: Alert): boolean {
  // No state tells that a process flaps.
  if (alert.word === "flapping") return true;
  const state = STATES[alert.word];
  return state !== undefined && !areAll(alert, state);
}

/** The host's name and address. */
export function whereOf({ host }: Alert): string {
  return host.address === "" ? host.name : `${host.name} (${host.address})`;
}

function factsOf(
  alert: Alert,
  words: Words,
  timeOf: (atMs: number) => string,
): Fact[] {
  const { trouble } = alert;
  const facts: Fact[] = [{ label: words.host, value: whereOf(alert) }];
  const add = (label: string, value: string | number | undefined, wide?: true) => {
    if (value !== undefined && value !== "") {
      facts.push({ label, value: String(value), ...(wide && { wide }) });
    }
  };
  const isOneOfThem = severalOf(alert.incident) !== undefined;
  add(
    isOneOfThem ? words.incident.oneOfThem : words.process,
    alert.process && displayName(alert.process),
  );
  for (const [label, value] of incidentFacts(alert, words, timeOf)) add(label, value);
  add(words.group, alert.group);
  add(words.pid, alert.pid);
  const exitText = (exit: Exit) => describeExit(exit, words);
  add(words.exit, describeEach(alert, words, exitText) ?? (alert.exit && exitText(alert.exit)));
  add(words.spawnError, alert.exit?.spawnError);
  add(words.possibleCause, describeMemory(alert, words, timeOf));
  add(words.uptime, alert.uptimeMs === undefined ? undefined : words.duration(alert.uptimeMs));
  add(words.restarts, describeRestarts(alert, words));
  add(words.channel, trouble?.name);
  add(words.since, trouble && timeOf(trouble.sinceMs));
  add(words.down, trouble?.downMs && words.duration(roundSeconds(trouble.downMs)));
  add(words.reason, trouble?.reason, true);
  add(words.waiting, trouble?.waiting);
  add(words.givenUp, trouble?.givenUp);
  add(words.fallback, trouble?.fallback);
  // That it is over is not what the event of its beginning says.
  if (alert.incident?.kind !== "resolved") add(words.event, alert.eventname);
  add(words.fromState, alert.fromState);
  add(words.tries, alert.tries);
  add(alert.foundOnly === true ? words.found : words.time, timeOf(alert.atMs));
  if (!isOwnRule(alert)) add(words.rule, alert.rule);
  if (alert.supervisor !== "supervisor") add(words.supervisor, alert.supervisor);
  add(words.type, alert.type);
  add(words.file, alert.file);
  add(words.text, alert.text, true);
  for (const { stream, lines, isLate } of alert.tails ?? []) {
    const label = isLate === true
      ? words.lateTail(stream)
      : wasStartedOften(alert)
      ? words.tailOfStarts(stream)
      : words.tail(stream);
    facts.push({ label, value: lines.join("\n"), wide: true, isTail: true });
  }
  if (alert.reconciled === true) add(words.note, howFound(alert, words));
  if (alert.gap !== undefined) add(words.note, words.raiseBuffer);
  if (alert.word === "reload_failed") add(words.note, words.oldStays);
  const { insteadOf } = alert;
  add(words.note, insteadOf && words.insteadOf(insteadOf.channel, insteadOf.reason), true);
  add(words.look, lookCommand(alert));
  add(words.incident.incident, alert.incident?.id);
  add(words.alertId, alert.id);
  return facts;
}

/** Why no event told it. */
function howFound({ assumed, unsubscribed, eventname }: Alert, words: Words): string {
  if (unsubscribed === true) return words.unsubscribed(eventname);
  return assumed === true ? words.assumed : words.reconciled;
}

/** `status 3`, `SIGSEGV, core dumped`; with a word of doubt where there is doubt. */
function describeExit(exit: Exit, words: Words): string | undefined {
  const cause = exit.signal ?? (exit.status === undefined ? "" : words.exitStatus(exit.status));
  if (cause === "") return undefined;
  const core = exit.coreDumped === true ? `${words.comma}${words.coreDumped}` : "";
  return `${cause}${core}${exit.certainty === "likely" ? words.inBrackets(words.likely) : ""}`;
}

/** Of what only may be the cause: where the kernel has named the process, the title says so. */
function describeMemory(
  { memory }: Alert,
  words: Words,
  timeOf: (atMs: number) => string,
): string | undefined {
  if (memory?.certainty !== "possible") return undefined;
  return words.possiblyMemory(memory.kills, timeOf(memory.sinceMs));
}

function describeRestarts({ restarts }: Alert, words: Words): string | undefined {
  if (restarts === undefined || restarts.count === 0) return undefined;
  return words.restartsWithin(restarts.count, restarts.isAll);
}

/** Whether what it wrote last may be of several starts in a row. */
function wasStartedOften({ word, failedStarts, incident }: Alert): boolean {
  if (word === "fatal" || word === "start_failed") return failedStarts !== 1;
  return word === "flapping" || (incident?.ends ?? 0) > 1;
}

function roundSeconds(durationMs: number): number {
  return Math.max(1, Math.round(durationMs / 1000)) * 1000;
}

/** The command that shows more, for a person with a shell on the host. */
function lookCommand(alert: Alert): string | undefined {
  if (alert.word === "channel_failing") return "superbell outbox list";
  if (alert.word === "reload_failed") {
    return `superbell check${alert.file === undefined ? "" : ` -c ${shellWord(alert.file)}`}`;
  }
  if (alert.process === undefined || alert.incident?.kind === "resolved") return undefined;
  const wanted: Alert["word"][] = [
    "crash",
    "exit",
    "fatal",
    "start_failed",
    "flapping",
    "state_unknown",
  ];
  if (!wanted.includes(alert.word)) return undefined;
  const name = `${alert.process.group}:${alert.process.name}`;
  const stream = alert.tails?.at(-1)?.stream ?? "stderr";
  const tail = `supervisorctl tail ${shellWord(name)} ${stream}`;
  // A program that cannot even be started has written nothing; supervisord's own log says why.
  const failed = alert.word === "fatal" || alert.word === "start_failed";
  return failed ? `${tail}; supervisorctl maintail` : tail;
}

/** The text as one word for a shell. */
export function shellWord(text: string): string {
  return /^[\p{L}\p{N}_.:@%+=,/-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function valuesOf(
  alert: Alert,
  words: Words,
  whole: Pick<Values, "summary" | "text" | "time">,
): Values {
  return {
    ...whole,
    happened: happened(alert, words),
    host: alert.host.name,
    address: alert.host.address,
    supervisor: alert.supervisor,
    process: alert.process === undefined ? "" : displayName(alert.process),
    name: alert.process?.name ?? "",
    group: alert.process?.group ?? alert.group ?? "",
    pid: String(alert.pid ?? ""),
    from_state: alert.fromState ?? "",
    event: alert.eventname,
    on: alert.word,
    tries: String(alert.tries ?? ""),
    exit: alert.exit?.signal ?? String(alert.exit?.status ?? ""),
    uptime: alert.uptimeMs === undefined ? "" : words.duration(alert.uptimeMs),
    restarts: String(alert.restarts?.count || ""),
    tail: (alert.tails ?? []).map(({ lines }) => lines.join("\n")).join("\n"),
    data: alert.text ?? "",
    look: lookCommand(alert) ?? "",
    rule: alert.rule,
    severity: alert.severity ?? "",
    incident: alert.incident?.id ?? "",
    kind: alert.incident?.kind ?? "",
    alert_id: alert.id,
  };
}

/** `2026-11-21 10:11:30 +08:00` in the given zone. */
export function formatTime(atMs: number, timeZone?: string): string {
  const second = Math.floor(atMs / 1000);
  const known = lastTimes.get(timeZone);
  if (known?.second === second) return known.text;
  const format = known?.format ?? formatOf(timeZone);
  const parts = format.formatToParts(atMs);
  const part = (type: string) => parts.find((found) => found.type === type)?.value ?? "";
  const offset = part("timeZoneName").replace("GMT", "") || "+00:00";
  const text = `${part("year")}-${part("month")}-${part("day")} ` +
    `${part("hour")}:${part("minute")}:${part("second")} ${offset}`;
  lastTimes.set(timeZone, { format, second, text });
  return text;
}

/**
 * By zone, of which a configuration names few. To make a format takes as long as all the rest that
 * an event costs, and every line of the log begins with a time.
 */
const lastTimes = new Map<
  string | undefined,
  { readonly format: Intl.DateTimeFormat; readonly second: number; readonly text: string }
>();

function formatOf(timeZone: string | undefined): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-CA", {
    ...(timeZone !== undefined && { timeZone }),
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    timeZoneName: "longOffset",
  });
}
