// What a person asks of the running listener, as a command has written it down. Whatever stands
// there is only taken if it is whole and within its bounds: it comes from another process, maybe
// of another version, and must never hurt the listener.

import { formatDuration } from "../config/duration.ts";
import type { Input } from "./engine.ts";
import { LONGEST_SILENCE_MS, type Silence, wrongSilencePattern } from "./silence.ts";

/** What can be asked: what the engine takes from a person. */
export type Request = Extract<Input, { readonly kind: "acknowledge" | "silence" | "unsilence" }>;

/** A silence has so many patterns at most. */
export const MOST_PATTERNS = 100;

/** And so long is any text in a request. */
export const MAX_REQUEST_CHARS = 500;

/** The request that the JSON is, as of now; else why it cannot be done. */
export function parseRequest(text: string, nowMs: number): Request | { readonly why: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { why: "it is no JSON" };
  }
  if (!isRecord(json)) return { why: "it is no request" };
  switch (json.kind) {
    case "acknowledge": {
      const { incident, by, reason } = json;
      if (!isText(incident) || !isText(by) || !isText(reason)) return { why: "it is not whole" };
      return { kind: "acknowledge", incident, by, reason };
    }
    case "silence":
      return parseStored(json.silence, nowMs);
    case "unsilence":
      return isText(json.id) ? { kind: "unsilence", id: json.id } : { why: "it is not whole" };
    default:
      return { why: "this superbell does not know what it asks for" };
  }
}

function parseStored(silence: unknown, nowMs: number): Request | { readonly why: string } {
  if (!isRecord(silence)) return { why: "it is not whole" };
  const { id, patterns, untilMs, reason, by } = silence;
  if (!isText(id) || id === "" || !isText(reason) || !isText(by)) {
    return { why: "it is not whole" };
  }
  if (!Array.isArray(patterns) || patterns.length === 0 || patterns.length > MOST_PATTERNS) {
    return { why: `a silence has 1 to ${MOST_PATTERNS} patterns` };
  }
  if (!patterns.every(isText)) return { why: "it is not whole" };
  const wrong = patterns.map(wrongSilencePattern).find((why) => why !== undefined);
  if (wrong !== undefined) return { why: wrong };
  const wrongEnd = wrongUntil(untilMs, nowMs);
  if (wrongEnd !== undefined) return { why: wrongEnd };
  // It begins when it is taken: the clock may have been set since it was asked for.
  const taken: Silence = {
    id,
    patterns,
    createdAtMs: nowMs,
    untilMs: Number(untilMs),
    reason,
    by,
  };
  return { kind: "silence", silence: taken };
}

/** What is wrong with the end of a silence, or undefined. */
export function wrongUntil(untilMs: unknown, nowMs: number): string | undefined {
  if (typeof untilMs !== "number" || !Number.isFinite(untilMs)) return "it has no end";
  if (untilMs <= nowMs) return "its end has passed already";
  return untilMs - nowMs > LONGEST_SILENCE_MS
    ? `a silence lasts at most ${formatDuration(LONGEST_SILENCE_MS)}`
    : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_REQUEST_CHARS;
}
