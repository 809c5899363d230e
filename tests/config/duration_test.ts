import {
  formatDuration,
  formatRoughly,
  parseDuration,
  parseSize,
} from "../../src/config/duration.ts";
import { assertEquals } from "../support/assert.ts";

const DURATIONS: readonly (readonly [string, number | undefined])[] = [
  ["0s", 0],
  ["250ms", 250],
  ["8s", 8000],
  ["10m", 600_000],
  ["1h30m", 5_400_000],
  ["7d", 604_800_000],
  ["1m30s500ms", 90_500],
  ["90", undefined],
  ["", undefined],
  ["1.5h", undefined],
  ["-1s", undefined],
  ["1 s", undefined],
  ["5x", undefined],
  ["1h 30m", undefined],
];

for (const [text, expected] of DURATIONS) {
  Deno.test(`parseDuration() reads ${JSON.stringify(text)} as ${expected}`, () => {
    assertEquals(parseDuration(text), expected);
  });
}

Deno.test("formatDuration() writes what parseDuration() reads back", () => {
  for (const durationMs of [0, 1, 999, 1000, 61_000, 3_600_000, 90_061_001]) {
    assertEquals(parseDuration(formatDuration(durationMs)), durationMs);
  }
  assertEquals(formatDuration(90_000), "1m30s");
  assertEquals(formatDuration(0), "0s");
});

const SIZES: readonly (readonly [string, number | undefined])[] = [
  ["1b", 1],
  ["10KB", 10_240],
  ["256MB", 268_435_456],
  ["2gb", 2_147_483_648],
  ["10", undefined],
  ["10 MB", undefined],
  ["MB", undefined],
];

for (const [text, expected] of SIZES) {
  Deno.test(`parseSize() reads ${JSON.stringify(text)} as ${expected}`, () => {
    assertEquals(parseSize(text), expected);
  });
}

Deno.test("formatRoughly() tells the two greatest units, no less than a second", () => {
  const HOUR = 3_600_000;
  const durationsMs = [0, 400, 10_001, 59_900, 61_000, 5 * HOUR + 61_000, 74 * HOUR + 5];
  assertEquals(durationsMs.map(formatRoughly), ["0s", "0s", "10s", "1m", "1m1s", "5h1m", "3d2h"]);
});
