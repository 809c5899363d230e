// From an alert to what people read: a title that suffices to decide whether to get up, and
// facts below it. Channels lay it out in their own format; they add no words of their own.

import { displayName } from "../events/event.ts";
import type { Alert } from "./alert.ts";
import { type Language, WORDS, type Words } from "./messages.ts";

/** A label and a value; `wide` for text of several lines. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  readonly wide?: true;
}

/** A message in words, not yet in any channel's format. */
export interface Message {
  /** The alert's id, the same for every repeat; of a digest the first one's and how many more. */
  readonly id: string;
  readonly language: Language;
  readonly title: string;
  readonly facts: readonly Fact[];
  /** The title and the facts as plain text, one a line. */
  readonly text: string;
  /** The alert; the first one of a digest. */
  readonly alert: Alert;
  /** What the placeholders of a template stand for; of a digest every value that occurs. */
  readonly values: Readonly<Record<Placeholder, string>>;
  /** The same for each alert alone. */
  readonly valuesOfEach: readonly Readonly<Record<Placeholder, string>>[];
}

/** Every placeholder of a template, with what it stands for (shown by docs and errors). */
export const PLACEHOLDERS = {
  summary: "the title: what happened, to whom, where",
  text: "the whole message as plain text",
  host: "the host's name",
  address: "the host's address",
  supervisor: "supervisord's identifier",
  process: "group:name, or the name alone where both are the same",
  name: "the process's name",
  group: "the group's name",
  pid: "the process id",
  from_state: "the state before",
  event: "supervisord's name of the event",
  on: "the rule's word that came true: crash, fatal, …",
  tries: "failed starts so far",
  exit: "how the process ended: its exit status, or the signal that killed it; empty if not known",
  data: "what the program or the remote caller wrote",
  time: "when, with the offset from UTC",
  rule: "the rule's name",
  alert_id: "the alert's id, the same for every repeat",
} as const;
export type Placeholder = keyof typeof PLACEHOLDERS;

/** How to write a message. `timeZone` is an IANA name; undefined means the host's own. */
export interface ComposeOptions {
  readonly language: Language;
  readonly timeZone?: string | undefined;
}

/** The message about one alert. */
export function compose(alert: Alert, options: ComposeOptions): Message {
  const words = WORDS[options.language];
  const time = formatTime(alert.atMs, options.timeZone);
  const title = words.title(subjectOf(alert, words), happened(alert, words), alert.host.name);
  return layOut([alert], options.language, title, factsOf(alert, words, time), time);
}

/** The message that `superbell test` sends: it says that nothing has crashed. */
export function composeTest(alert: Alert, options: ComposeOptions): Message {
  const words = WORDS[options.language];
  const time = formatTime(alert.atMs, options.timeZone);
  const facts: Fact[] = [
    { label: words.host, value: whereOf(alert) },
    { label: words.time, value: time },
    { label: words.text, value: words.testText, wide: true },
    { label: words.alertId, value: alert.id },
  ];
  return layOut([alert], options.language, words.testTitle(alert.host.name), facts, time);
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
    ...valuesOfAll(alerts, title, text, time),
  };
}

/** The title and the facts as plain text, one a line. */
export function plainText(message: Pick<Message, "language" | "title" | "facts">): string {
  const { colon } = WORDS[message.language];
  const lines = message.facts.map(({ label, value, wide }) =>
    `${label}${colon}${wide === true && value.includes("\n") ? "\n" : ""}${value}`
  );
  return [message.title, "", ...lines].join("\n");
}

function valuesOfAll(
  alerts: readonly Alert[],
  title: string,
  text: string,
  time: string,
): Pick<Message, "values" | "valuesOfEach"> {
  const all = alerts.map((alert) => valuesOf(alert, title, text, time));
  const names = Object.keys(PLACEHOLDERS) as Placeholder[];
  const pairs = names.map((name) => [name, [...new Set(all.map((one) => one[name]))].join(", ")]);
  return { values: Object.fromEntries(pairs) as Message["values"], valuesOfEach: all };
}

/** Whom an alert is about. */
export function subjectOf(alert: Alert, words: Words): string {
  if (alert.process !== undefined) return displayName(alert.process);
  return alert.group === undefined ? "supervisord" : `${words.group} ${alert.group}`;
}

/** What happened, in the words of the language. */
export function happened(alert: Alert, words: Words): string {
  const expected = alert.expected === true;
  if (alert.word === "crash" || alert.word === "exit") {
    const { status, signal, coreDumped = false } = alert.exit ?? {};
    if (signal !== undefined) return words.killedBy(signal, coreDumped);
    if (status !== undefined) return words.exitedWith(status, expected);
    if (expected) return words.exitedAsExpected;
  }
  return words.happened[alert.word];
}

/** The host's name and address. */
export function whereOf({ host }: Alert): string {
  return host.address === "" ? host.name : `${host.name} (${host.address})`;
}

function factsOf(alert: Alert, words: Words, time: string): Fact[] {
  const facts: Fact[] = [{ label: words.host, value: whereOf(alert) }];
  const add = (label: string, value: string | number | undefined, wide?: true) => {
    if (value !== undefined && value !== "") {
      facts.push({ label, value: String(value), ...(wide && { wide }) });
    }
  };
  add(words.process, alert.process && displayName(alert.process));
  add(words.group, alert.group);
  add(words.pid, alert.pid);
  add(words.exit, describeExit(alert, words));
  add(words.spawnError, alert.exit?.spawnError);
  add(words.event, alert.eventname);
  add(words.fromState, alert.fromState);
  add(words.tries, alert.tries);
  add(words.time, time);
  add(words.rule, alert.rule);
  if (alert.supervisor !== "supervisor") add(words.supervisor, alert.supervisor);
  add(words.type, alert.type);
  add(words.text, alert.text, true);
  add(words.look, lookCommand(alert));
  add(words.alertId, alert.id);
  return facts;
}

/** `status 3`, `SIGSEGV, core dumped`; with a word of doubt where there is doubt. */
function describeExit({ exit }: Alert, words: Words): string | undefined {
  if (exit === undefined) return undefined;
  const cause = exit.signal ?? (exit.status === undefined ? "" : words.exitStatus(exit.status));
  if (cause === "") return undefined;
  const core = exit.coreDumped === true ? `, ${words.coreDumped}` : "";
  return `${cause}${core}${exit.certainty === "likely" ? ` (${words.likely})` : ""}`;
}

/** The command that shows more, for a person with a shell on the host. */
function lookCommand(alert: Alert): string | undefined {
  if (alert.process === undefined) return undefined;
  const wanted: Alert["word"][] = ["crash", "exit", "fatal", "start_failed", "state_unknown"];
  if (!wanted.includes(alert.word)) return undefined;
  const name = `${alert.process.group}:${alert.process.name}`;
  const tail = `supervisorctl tail ${shellWord(name)} stderr`;
  // A program that cannot even be started has written nothing; supervisord's own log says why.
  const failed = alert.word === "fatal" || alert.word === "start_failed";
  return failed ? `${tail}; supervisorctl maintail` : tail;
}

function shellWord(text: string): string {
  return /^[\p{L}\p{N}_.:@%+=,/-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function valuesOf(
  alert: Alert,
  summary: string,
  text: string,
  time: string,
): Record<Placeholder, string> {
  return {
    summary,
    text,
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
    data: alert.text ?? "",
    time,
    rule: alert.rule,
    alert_id: alert.id,
  };
}

/** `2026-11-21 10:11:30 +08:00` in the given zone. */
export function formatTime(atMs: number, timeZone?: string): string {
  const parts = new Intl.DateTimeFormat("en-CA", {
    ...(timeZone !== undefined && { timeZone }),
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    timeZoneName: "longOffset",
  }).formatToParts(atMs);
  const part = (type: string) => parts.find((found) => found.type === type)?.value ?? "";
  const offset = part("timeZoneName").replace("GMT", "") || "+00:00";
  return `${part("year")}-${part("month")}-${part("day")} ` +
    `${part("hour")}:${part("minute")}:${part("second")} ${offset}`;
}
