// Who is told what superbell has to say about itself. That a channel fails, or works again, is
// never told through the channel itself.

import type { ConditionWord, Rule } from "./rule.ts";

/** The channel that the notice is about. */
export interface NoticeSubject {
  readonly word: ConditionWord;
  readonly channel: string;
  /** The channel that stands in for it. */
  readonly fallback: string | undefined;
}

/**
 * The rules that the notice goes by: those with its word in `on`, without the channel itself.
 * Else a rule of our own, for nobody should have to ask for this: to its fallback, else to the
 * channels beside it. None: nobody can be told.
 */
export function noticeRules(rules: readonly Rule[], subject: NoticeSubject): Rule[] {
  const { word, channel, fallback } = subject;
  const without = (names: readonly string[]) => names.filter((name) => name !== channel);
  const wanted = rules.filter(({ on }) => on.includes(word))
    .map((rule) => ({ ...rule, to: without(rule.to) }))
    .filter(({ to }) => to.length > 0);
  if (wanted.length > 0) return wanted;
  const beside = rules.filter(({ to }) => to.includes(channel)).flatMap(({ to }) => without(to));
  const to = fallback === undefined ? [...new Set(beside)] : [fallback];
  return to.length === 0 ? [] : [{ name: word, on: [word], where: {}, to }];
}

/**
 * The rules that a notice about the configuration goes by: those with its word in `on`. Else a rule
 * of our own to whoever is told that a channel fails, else to the channels of the first rule: the
 * one who broke the file has often gone home.
 */
export function reloadRules(rules: readonly Rule[], word: ConditionWord): Rule[] {
  const wanted = rules.filter(({ on }) => on.includes(word));
  if (wanted.length > 0) return wanted;
  const others = rules.filter(({ on }) => on.includes("channel_failing"));
  const to = [...new Set((others.length > 0 ? others : rules.slice(0, 1)).flatMap(({ to }) => to))];
  return to.length === 0 ? [] : [{ name: word, on: [word], where: {}, to }];
}
