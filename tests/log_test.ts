import { Redactor } from "../src/config/secret.ts";
import { Log } from "../src/log.ts";
import { assertEquals } from "./support/assert.ts";

Deno.test("Log writes the time in the zone that messages have, another one from then on", () => {
  const lines: string[] = [];
  const settings = { level: "info", redactor: new Redactor([]) } as const;
  const log = new Log({
    ...settings,
    timeZone: "Asia/Shanghai",
    now: () => Date.UTC(2026, 10, 21, 2, 0, 0),
    write: (line) => lines.push(line),
  });
  log.info("one");
  log.use({ ...settings, timeZone: "America/New_York" });
  log.info("two");
  assertEquals(lines, [
    "2026-11-21 10:00:00 +08:00 INFO one\n",
    "2026-11-20 21:00:00 -05:00 INFO two\n",
  ]);
});
