import { readingsOf } from "../../src/supervisor/log_time.ts";
import { assertEquals } from "../support/assert.ts";
import { localTime } from "../support/supervisord_model.ts";

Deno.test("readingsOf() reads supervisord's time in the host's zone", () => {
  const atMs = 1_800_000_000_123;
  assertEquals(readingsOf(localTime(atMs)), [atMs]);
  assertEquals(readingsOf(localTime(atMs).slice(0, 19)), [atMs - 123]);
  for (const none of ["", ":00:00,000", "Nov 21 10:00:00", "2026-13-41 10:00:00"]) {
    assertEquals(readingsOf(none), [], none);
  }
});

/** What another process reads, whose zone is that one. */
async function readIn(timeZone: string, time: string): Promise<string[]> {
  const module = new URL("../../src/supervisor/log_time.ts", import.meta.url);
  const code = `import { readingsOf } from ${JSON.stringify(module.href)};
    const readings = readingsOf(${JSON.stringify(time)});
    console.log(JSON.stringify(readings.map((atMs) => new Date(atMs).toISOString())));`;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", code],
    env: { TZ: timeZone },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

for (
  const [timeZone, time, ...readings] of [
    [
      "Europe/Berlin",
      "2026-10-25 02:30:00,123",
      "2026-10-25T01:30:00.123Z",
      "2026-10-25T00:30:00.123Z",
    ],
    ["Europe/Berlin", "2026-10-25 03:00:00,000", "2026-10-25T02:00:00.000Z"],
    [
      "Australia/Lord_Howe",
      "2026-04-05 01:45:00",
      "2026-04-04T15:15:00.000Z",
      "2026-04-04T14:45:00.000Z",
    ],
    ["Asia/Shanghai", "2026-11-21 20:26:13,500", "2026-11-21T12:26:13.500Z"],
  ] as const
) {
  Deno.test(`readingsOf() knows what ${time} may mean in ${timeZone}`, async () => {
    assertEquals(await readIn(timeZone, time), [...readings]);
  });
}
