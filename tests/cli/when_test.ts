import { UsageError } from "../../src/cli/command.ts";
import { parseSince, parseUntil } from "../../src/cli/when.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

// 18:00 in Shanghai
const HERE = { nowMs: Date.parse("2026-11-21T10:00:00Z"), timeZone: "Asia/Shanghai" };
const iso = (atMs: number) => new Date(atMs).toISOString();

const UNTIL: readonly (readonly [string, string])[] = [
  ["20:15", "2026-11-21T12:15:00.000Z"],
  ["9:00", "2026-11-22T01:00:00.000Z"],
  ["2026-11-22", "2026-11-21T16:00:00.000Z"],
  ["2026-11-22 06:30", "2026-11-21T22:30:00.000Z"],
  ["2026-11-22 6:30", "2026-11-21T22:30:00.000Z"],
  ["2026-11-22T06:30", "2026-11-21T22:30:00.000Z"],
  ["2026-11-22T06:30:15", "2026-11-21T22:30:15.000Z"],
  ["2026-11-22T06:30:00Z", "2026-11-22T06:30:00.000Z"],
  ["2026-11-22 06:30:00+01:00", "2026-11-22T05:30:00.000Z"],
  ["2026-11-22 06:30:00 +08:00", "2026-11-21T22:30:00.000Z"],
];
for (const [text, expected] of UNTIL) {
  Deno.test(`parseUntil() reads "${text}"`, () => {
    assertEquals(iso(parseUntil("until", text, HERE)), expected);
  });
}

const WRONG = [
  "",
  "tea",
  "25:00",
  "18",
  "2026-13-01",
  "2026-02-30",
  "2026-11-31 18:00",
  "2026-11-31T9:00",
  "18:00 tea",
  "30m",
];
for (const text of WRONG) {
  Deno.test(`parseUntil() refuses "${text}" and says what it takes`, () => {
    assertThrows(
      () => parseUntil("until", text, HERE),
      UsageError,
      `--until takes a time like 18:00, 2026-11-21, 2026-11-21 18:00`,
    );
  });
}

const SINCE: readonly (readonly [string, string])[] = [
  ["90m", "2026-11-21T08:30:00.000Z"],
  ["1d", "2026-11-20T10:00:00.000Z"],
  ["17:00", "2026-11-21T09:00:00.000Z"],
  ["19:00", "2026-11-20T11:00:00.000Z"],
  ["2026-11-20", "2026-11-19T16:00:00.000Z"],
];
for (const [text, expected] of SINCE) {
  Deno.test(`parseSince() reads "${text}"`, () => {
    assertEquals(iso(parseSince("since", text, HERE)), expected);
  });
}

Deno.test("parseSince() says that it takes a duration too", () => {
  assertThrows(
    () => parseSince("since", "yesterday", HERE),
    UsageError,
    `--since takes 2h, 1d, or a time like`,
  );
});
