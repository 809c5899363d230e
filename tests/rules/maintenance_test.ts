import { ConfigNode, Reading } from "../../src/config/node.ts";
import { describeProblem } from "../../src/config/problem.ts";
import { openUntilMs, parseMaintenance } from "../../src/rules/maintenance.ts";
import { parsePatterns } from "../../src/rules/parse.ts";
import { assertEquals } from "../support/assert.ts";

function parse(windows: unknown) {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const parsed = parseMaintenance(new ConfigNode(windows, "maintenance", reading), {
    timeZone: "UTC",
    parseTimeZone: (node) => node.string(),
    patterns: parsePatterns,
  });
  return { parsed, problems: reading.problems.map((problem) => describeProblem("", problem)) };
}

/** A window, an instant, and when it ends if it is open then. */
const ROWS: readonly (readonly [string, Record<string, unknown>, string, string?])[] = [
  ["before", { from: "22:00", to: "23:00" }, "2026-11-21T21:59:59Z"],
  [
    "at the beginning",
    { from: "22:00", to: "23:00" },
    "2026-11-21T22:00:00Z",
    "2026-11-21T23:00:00Z",
  ],
  ["at the end", { from: "22:00", to: "23:00" }, "2026-11-21T23:00:00Z"],
  [
    "before midnight",
    { from: "22:00", to: "06:00" },
    "2026-11-21T23:00:00Z",
    "2026-11-22T06:00:00Z",
  ],
  [
    "after midnight",
    { from: "22:00", to: "06:00" },
    "2026-11-22T05:00:00Z",
    "2026-11-22T06:00:00Z",
  ],
  ["a whole day", { from: "00:00", to: "24:00" }, "2026-11-21T12:00:00Z", "2026-11-22T00:00:00Z"],
  ["on another day", { from: "22:00", to: "23:00", days: "sun" }, "2026-11-21T22:30:00Z"],
  [
    "the morning after its day",
    { from: "22:00", to: "06:00", days: ["fri"] },
    "2026-11-21T05:00:00Z",
    "2026-11-21T06:00:00Z",
  ],
  [
    "the evening after its day",
    { from: "22:00", to: "06:00", days: ["fri"] },
    "2026-11-21T22:00:00Z",
  ],
  [
    "in its own zone",
    { from: "02:00", to: "04:00", time_zone: "Asia/Shanghai" },
    "2026-11-21T18:30:00Z",
    "2026-11-21T20:00:00Z",
  ],
  [
    "the night that summer time makes short",
    { from: "22:00", to: "06:00", time_zone: "Europe/Berlin" },
    "2026-03-28T22:00:00Z",
    "2026-03-29T04:00:00Z",
  ],
  [
    "the night that winter time makes long",
    { from: "22:00", to: "06:00", time_zone: "Europe/Berlin" },
    "2026-10-24T22:00:00Z",
    "2026-10-25T05:00:00Z",
  ],
];
for (const [name, window, instant, until] of ROWS) {
  Deno.test(`openUntilMs() knows a window ${name}`, () => {
    const { parsed, problems } = parse([window]);
    assertEquals(problems, []);
    const untilMs = openUntilMs(parsed[0]!, Date.parse(instant));
    assertEquals(
      untilMs && new Date(untilMs).toISOString(),
      until && new Date(until).toISOString(),
    );
  });
}

const BAD: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
  ["nothing", {}, [
    "maintenance[0].from: is required and missing",
    "maintenance[0].to: is required and missing",
  ]],
  ["a time without quotes", { from: 1320, to: "23:00" }, [
    'maintenance[0].from: expected a time like "22:00"; put it in quotes',
  ]],
  ["no time", { from: "10pm", to: "23:00" }, [
    'maintenance[0].from: "10pm" is no time of day like "22:00"',
  ]],
  ["no length", { from: "22:00", to: "22:00" }, [
    'maintenance[0].to: is the same as from; write "00:00" and "24:00" for a whole day',
  ]],
  ["no day", { from: "22:00", to: "23:00", days: ["Saturday"] }, [
    'maintenance[0].days[0]: "Saturday" is not known here; known are: sun, mon, tue, wed, thu, fri, sat',
  ]],
  ["a where that says nothing", { from: "22:00", to: "23:00", where: {} }, [
    "maintenance[0].where: expected process or group; without where the window is about everything",
  ]],
];
for (const [name, window, expected] of BAD) {
  Deno.test(`parseMaintenance() refuses ${name}`, () => {
    assertEquals(parse([window]).problems, expected);
  });
}
