import type { Alert } from "../../src/alerts/alert.ts";
import { headline } from "../../src/alerts/headline.ts";
import { assertEquals } from "../support/assert.ts";
import { ALERT, messageOf } from "../support/message.ts";

const wrote = (...lines: string[]): Partial<Alert> => ({ tails: [{ stream: "stderr", lines }] });

/** What a program wrote last, and what of it stands in the title. */
const TAILS: readonly (readonly [string[], string | undefined])[] = [
  [['  File "a.py", line 3', "ValueError: bad id"], "ValueError: bad id"],
  [["psycopg2.OperationalError: no route", ""], "psycopg2.OperationalError: no route"],
  [["panic: runtime error: index out of range"], "panic: runtime error: index out of range"],
  [["[10:11:30] ERROR  cannot\tbind :8080"], "[10:11:30] ERROR cannot bind :8080"],
  [["bind: failed"], "bind: failed"],
  [["错误：数据库连接失败"], "错误：数据库连接失败"],
  [["ValueError: bad id", "bye"], undefined],
  [["java.lang.NullPointerException", "\tat a.B.c(B.java:3)"], undefined],
  [["    raise ValueError('x')"], undefined],
  [["INFO 0 errors"], undefined],
  [["done"], undefined],
  [[`Error: ${"x".repeat(200)}`], undefined],
  [["", ""], undefined],
];

for (const [lines, expected] of TAILS) {
  Deno.test(`headline() of ${JSON.stringify(lines).slice(0, 60)}`, () => {
    assertEquals(headline({ ...ALERT, ...wrote(...lines) }), expected);
  });
}

Deno.test("headline() is why it could not be started, where that is known", () => {
  const exit = { spawnError: "can't find command '/x'", certainty: "sure" } as const;
  assertEquals(headline({ ...ALERT, exit, ...wrote("Error: old") }), "can't find command '/x'");
  assertEquals(
    messageOf({ word: "fatal", exit }, "zh").title,
    "web:api 启动失败，supervisord 已放弃重试 (FATAL)，主机 node-7：can't find command '/x'",
  );
});

Deno.test("headline() is what supervisord's child wrote where it could not become the program", () => {
  const last = "supervisor: child process was not spawned";
  const reason = "couldn't exec /srv/api/run: ENOENT";
  assertEquals(headline({ ...ALERT, ...wrote(`supervisor: ${reason}`, last) }), reason);
  assertEquals(
    messageOf({ word: "fatal", failedStarts: 2, ...wrote(`supervisor: ${reason}`, last) }).title,
    `web:api failed to start 2 times, supervisord gave up (FATAL) on node-7: ${reason}`,
  );
  assertEquals(headline({ ...ALERT, ...wrote(last) }), undefined);
});

Deno.test("headline() is the line that a rule watches for, where it is one", () => {
  const log = { ...ALERT, word: "process_log" } as const;
  assertEquals(headline({ ...log, text: "ERROR disk full" }), "ERROR disk full");
  assertEquals(headline({ ...log, text: "ERROR one\nERROR two" }), undefined);
  assertEquals(headline({ ...log, text: "x".repeat(101) }), undefined);
});

Deno.test("headline() takes no line that may be of the new run", () => {
  const tails = [{ stream: "stderr", lines: ["Error: x"], isLate: true }] as const;
  assertEquals(headline({ ...ALERT, tails }), undefined);
});
