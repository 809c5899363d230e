import { instantOf, localTime, parseClock, weekdayOf } from "../../src/rules/local_time.ts";
import { assertEquals } from "../support/assert.ts";

const at = (text: string) => Date.parse(text);

Deno.test("localTime() shows what the clocks show", () => {
  assertEquals(localTime(at("2026-11-21T16:30:00Z"), "Asia/Shanghai"), {
    year: 2026,
    month: 11,
    day: 22,
    hour: 0,
    minute: 30,
  });
});

const INSTANTS: readonly (readonly [string, string, string])[] = [
  ["2026-11-21 18:00", "Asia/Shanghai", "2026-11-21T10:00:00Z"],
  ["2026-11-21 18:00", "America/New_York", "2026-11-21T23:00:00Z"],
  ["2026-07-21 18:00", "America/New_York", "2026-07-21T22:00:00Z"],
  ["2026-11-21 18:00", "Asia/Kolkata", "2026-11-21T12:30:00Z"],
  // 02:30 is skipped on 29 March 2026 in Berlin, and comes twice on 25 October.
  ["2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"],
  ["2026-10-25 02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"],
  ["2026-12-31 24:00", "UTC", "2027-01-01T00:00:00Z"],
];
for (const [shown, zone, instant] of INSTANTS) {
  Deno.test(`instantOf() finds ${shown} in ${zone}`, () => {
    const [year, month, day, hour, minute] = shown.split(/[- :]/).map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    assertEquals(
      new Date(instantOf({ year, month, day, hour, minute }, zone)).toISOString(),
      new Date(instant).toISOString(),
    );
  });
}

Deno.test("weekdayOf() counts from Sunday", () => {
  assertEquals(weekdayOf({ year: 2026, month: 11, day: 21, hour: 0, minute: 0 }), 6);
});

Deno.test("parseClock() takes times of day and nothing else", () => {
  assertEquals(["8:00", "23:59", "24:00", "24:01", "8", "8:60", "-1:00"].map(parseClock), [
    { hour: 8, minute: 0 },
    { hour: 23, minute: 59 },
    { hour: 24, minute: 0 },
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
