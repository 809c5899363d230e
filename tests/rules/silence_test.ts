import { isAbout, isInForce, parseSilence, type Silence } from "../../src/rules/silence.ts";
import { assertEquals } from "../support/assert.ts";

const NOW_MS = Date.parse("2026-11-21T10:00:00Z"); // 18:00 in Shanghai

function parsed(text: string) {
  const request = parseSilence(text, { nowMs: NOW_MS, timeZone: "Asia/Shanghai" });
  return "why" in request
    ? request.why
    : [request.patterns.join(), new Date(request.untilMs).toISOString(), request.reason];
}

const GOOD: readonly (readonly [string, string[]])[] = [
  ["web:* 30m deploy v2", ["web:*", "2026-11-21T10:30:00.000Z", "deploy v2"]],
  ["  web:*,db:main   1h30m ", ["web:*,db:main", "2026-11-21T11:30:00.000Z", ""]],
  ["* until 20:15 new disk", ["*", "2026-11-21T12:15:00.000Z", "new disk"]],
  ["* until 17:00", ["*", "2026-11-22T09:00:00.000Z", ""]],
  ["* until 2026-11-23 08:00 move", ["*", "2026-11-23T00:00:00.000Z", "move"]],
  ["* until 2026-11-23T08:00 move", ["*", "2026-11-23T00:00:00.000Z", "move"]],
  ["数据库:* 5m 升级", ["数据库:*", "2026-11-21T10:05:00.000Z", "升级"]],
];
for (const [text, expected] of GOOD) {
  Deno.test(`parseSilence() reads "${text}"`, () => assertEquals(parsed(text), expected));
}

const EXPECTED = 'expected "PATTERN 30m REASON" or "PATTERN until 18:00 REASON"';
const BAD: readonly (readonly [string, string])[] = [
  ["", `${EXPECTED}, found nothing`],
  ["web:*", `"" is no duration; ${EXPECTED}`],
  ["web:* tomorrow", `"tomorrow" is no duration; ${EXPECTED}`],
  [
    "web:* until 2026-11-31 18:00",
    `"2026-11-31 18:00" is no time like 18:00 or 2026-11-21 18:00; ${EXPECTED}`,
  ],
  [", 30m", "a silence needs a pattern like web:* or *"],
  ["web:* until tea", `"tea" is no time like 18:00 or 2026-11-21 18:00; ${EXPECTED}`],
  ["web:* until 2026-11-20 10:00", "its end has passed already"],
  ["web:* 0s", "its end has passed already"],
  ["web:* 400d", "a silence lasts at most 30d"],
  ["!web:* 30m", "a silence has no exclusions; name what shall be silent"],
  ["web：* 30m", '"web：*" holds full-width characters; write : * ?'],
];
for (const [text, expected] of BAD) {
  Deno.test(`parseSilence() refuses "${text}"`, () => assertEquals(parsed(text), expected));
}

const silence = (...patterns: string[]): Silence => ({
  id: "1",
  patterns,
  createdAtMs: NOW_MS,
  untilMs: NOW_MS + 1000,
  reason: "",
  by: "root",
});

Deno.test("isAbout() asks for processes as where does, for groups as a whole", () => {
  const about = (pattern: string) => [
    isAbout(silence(pattern), { process: { group: "web", name: "api" } }),
    isAbout(silence(pattern), { group: "web" }),
    isAbout(silence(pattern), {}),
  ];
  assertEquals(["web:*", "api", "db:*", "*", "web:api"].map(about), [
    [true, true, false],
    [true, false, false],
    [false, false, false],
    [true, true, true],
    [true, false, false],
  ]);
});

Deno.test("isInForce() ends with its time, and with a clock that is set back before it", () => {
  const times = [-3_600_000, -1000, 0, 999, 1000];
  assertEquals(times.map((ms) => isInForce(silence("*"), NOW_MS + ms)), [
    false,
    true,
    true,
    true,
    false,
  ]);
});
