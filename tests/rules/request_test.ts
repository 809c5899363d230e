import { MAX_REQUEST_CHARS, parseRequest } from "../../src/rules/request.ts";
import { assertEquals } from "../support/assert.ts";

const NOW_MS = Date.parse("2026-11-21T10:00:00Z");
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const SILENCE = {
  id: "abc",
  patterns: ["web:*"],
  createdAtMs: NOW_MS - DAY,
  untilMs: NOW_MS + 30 * MINUTE,
  reason: "deploy",
  by: "kim",
};
const silence = (changes: Record<string, unknown>) =>
  JSON.stringify({ kind: "silence", silence: { ...SILENCE, ...changes } });

Deno.test("parseRequest() reads what a command has written", () => {
  assertEquals(parseRequest(silence({ more: 1 }), NOW_MS), {
    kind: "silence",
    // It begins when it is taken.
    silence: { ...SILENCE, createdAtMs: NOW_MS },
  });
  const acknowledge = { kind: "acknowledge", incident: "abc", by: "kim", reason: "" } as const;
  assertEquals(parseRequest(JSON.stringify(acknowledge), NOW_MS), acknowledge);
  const unsilence = { kind: "unsilence", id: "abc" } as const;
  assertEquals(parseRequest(JSON.stringify(unsilence), NOW_MS), unsilence);
});

const LONG = "x".repeat(MAX_REQUEST_CHARS + 1);

/** What stands in the file, and why it is not taken. */
const REFUSED: readonly (readonly [string, string])[] = [
  ["", "it is no JSON"],
  ["{", "it is no JSON"],
  ["null", "it is no request"],
  ["[]", "it is no request"],
  ["{}", "this superbell does not know what it asks for"],
  [`{"kind":"event"}`, "this superbell does not know what it asks for"],
  [`{"kind":"clock_set","byMs":1e12}`, "this superbell does not know what it asks for"],
  [`{"kind":"unsilence"}`, "it is not whole"],
  [`{"kind":"acknowledge","incident":1,"by":"","reason":""}`, "it is not whole"],
  [`{"kind":"acknowledge","incident":"a","by":"${LONG}","reason":""}`, "it is not whole"],
  [`{"kind":"silence"}`, "it is not whole"],
  [silence({ id: "" }), "it is not whole"],
  [silence({ reason: undefined }), "it is not whole"],
  [silence({ patterns: [] }), "a silence has 1 to 100 patterns"],
  [silence({ patterns: "web:*" }), "a silence has 1 to 100 patterns"],
  [silence({ patterns: Array(101).fill("a") }), "a silence has 1 to 100 patterns"],
  [silence({ patterns: [1] }), "it is not whole"],
  [silence({ patterns: [LONG] }), "it is not whole"],
  [silence({ patterns: ["!web:*"] }), "a silence has no exclusions; name what shall be silent"],
  [silence({ untilMs: "soon" }), "it has no end"],
  [silence({ untilMs: null }), "it has no end"],
  [silence({ untilMs: NOW_MS }), "its end has passed already"],
  [silence({ untilMs: NOW_MS + 31 * DAY }), "a silence lasts at most 30d"],
];
for (const [text, why] of REFUSED) {
  Deno.test(`parseRequest() refuses ${text.slice(0, 70)}: ${why}`, () => {
    assertEquals(parseRequest(text, NOW_MS), { why });
  });
}
