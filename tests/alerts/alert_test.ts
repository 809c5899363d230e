import { type AlertContext, alertFor, MAX_TEXT_BYTES } from "../../src/alerts/alert.ts";
import type { Event } from "../../src/events/event.ts";
import { parseEvent } from "../../src/events/parse.ts";
import type { Rule } from "../../src/rules/rule.ts";
import { assertEquals, assertNotEquals } from "../support/assert.ts";

const RULE: Rule = { name: "crash", on: ["crash"], where: {}, to: ["c"] };
const CONTEXT = { host: { name: "h", address: "10.0.0.1" }, atMs: 1000, supervisorRun: "h 1 2" };

function alert(
  changes: { serial?: number; run?: string; rule?: string; eventname?: string; payload?: string },
) {
  const payload = new TextEncoder().encode(
    changes.payload ?? "processname:api groupname:web from_state:RUNNING expected:0 pid:7",
  );
  const header = {
    ver: "3.0",
    server: "box",
    serial: changes.serial ?? 5,
    pool: "superbell",
    poolserial: 3,
    eventname: changes.eventname ?? "PROCESS_STATE_EXITED",
    len: payload.length,
  };
  const event = parseEvent({ header, payload, droppedBytes: 0 });
  const rule = { ...RULE, name: changes.rule ?? RULE.name };
  const decision = { rule, verdict: "alert", reason: "matched", word: "crash" } as const;
  return alertFor(decision, event, {
    payload,
    ...CONTEXT,
    supervisorRun: changes.run ?? CONTEXT.supervisorRun,
  });
}

Deno.test("alertFor() takes over all that the event says", () => {
  assertEquals(alert({}), {
    id: alert({}).id,
    rule: "crash",
    word: "crash",
    eventname: "PROCESS_STATE_EXITED",
    atMs: 1000,
    host: { name: "h", address: "10.0.0.1" },
    supervisor: "box",
    process: { name: "api", group: "web" },
    pid: 7,
    fromState: "RUNNING",
    expected: false,
  });
});

Deno.test("alertFor() has the time when it happened of what was found afterwards", () => {
  const decision = { rule: RULE, word: "fatal" } as const;
  const alertAt = (origin: Partial<Event["origin"]>) => {
    const { atMs, reconciled, foundOnly, unsubscribed } = alertFor(decision, {
      kind: "process_fatal",
      origin: { server: "box", eventname: "PROCESS_STATE_FATAL", identity: "api 7", ...origin },
      process: { name: "api", group: "web" },
      fromState: "BACKOFF",
    }, CONTEXT);
    return { atMs, reconciled, foundOnly, unsubscribed };
  };
  const known = { reconciled: true, foundOnly: undefined, unsubscribed: undefined } as const;
  assertEquals(alertAt({ reconciled: true, atMs: 400 }), { ...known, atMs: 400 });
  assertEquals(alertAt({ reconciled: true, atMs: 4000 }), { ...known, atMs: 1000 }, "never ahead");
  assertEquals(alertAt({ reconciled: true, unsubscribed: true }), {
    atMs: 1000,
    reconciled: true,
    foundOnly: true,
    unsubscribed: true,
  });
});

Deno.test("alertFor() gives the same frame the same id", () => {
  assertEquals(alert({}).id, alert({}).id);
});

for (
  const change of [{ serial: 6 }, { run: "h 1 3" }, { rule: "other" }, {
    eventname: "PROCESS_STATE_FATAL",
  }]
) {
  Deno.test(`alertFor() gives another id for another ${Object.keys(change)[0]}`, () => {
    assertNotEquals(alert(change).id, alert({}).id);
  });
}

Deno.test("alertFor() keeps a bounded text", () => {
  const payload = `processname:a groupname:a pid:1 channel:stdout\n${
    "x".repeat(3 * MAX_TEXT_BYTES)
  }`;
  const { text } = alert({ eventname: "PROCESS_LOG_STDOUT", payload });
  assertEquals(new TextEncoder().encode(text).length, MAX_TEXT_BYTES);
});

Deno.test("alertFor() leaves out a process id of 0, which supervisord says for none", () => {
  const payload = "processname:a groupname:a from_state:BACKOFF pid:0";
  assertEquals("pid" in alert({ eventname: "PROCESS_STATE_STOPPED", payload }), false);
});

Deno.test("alertFor() takes a tick's own time", () => {
  assertEquals(alert({ eventname: "TICK_60", payload: "when:1201063880" }).atMs, 1_201_063_880_000);
});

/** An event that no frame brought. */
const FAILING: Event = {
  kind: "channel_failing",
  origin: { server: "box", eventname: "SUPERBELL_CHANNEL_FAILING", identity: "oncall 1000" },
  trouble: { name: "oncall", sinceMs: 1000, reason: "refused", waiting: 3 },
};
const ownAlert = (event: Event, context: Partial<AlertContext> = {}) =>
  alertFor({ rule: RULE, word: "channel_failing" }, event, {
    ...CONTEXT,
    ...context,
  });

Deno.test("alertFor() takes over what we found out ourselves", () => {
  assertEquals(ownAlert(FAILING), {
    id: ownAlert(FAILING).id,
    rule: "crash",
    word: "channel_failing",
    eventname: "SUPERBELL_CHANNEL_FAILING",
    atMs: 1000,
    host: { name: "h", address: "10.0.0.1" },
    supervisor: "box",
    trouble: FAILING.trouble,
  });
});

Deno.test("alertFor() tells events without a frame apart by their identity alone", () => {
  const later = ownAlert({ ...FAILING, trouble: { ...FAILING.trouble, waiting: 9 } }, {
    atMs: 2000,
    supervisorRun: "h 1 3",
  });
  assertEquals(later.id, ownAlert(FAILING).id);
  const other = { ...FAILING, origin: { ...FAILING.origin, identity: "oncall 2000" } };
  assertNotEquals(ownAlert(other).id, later.id);
});

Deno.test("alertFor() masks what supervisord says of a start that failed", () => {
  const exit = { spawnError: "can't parse command 'x token=abc'", certainty: "sure" } as const;
  const event: Event = {
    ...{ kind: "process_fatal", origin: FAILING.origin, fromState: "BACKOFF", exit },
    process: { group: "web", name: "api" },
  };
  const mask = (text: string) => text.replace("abc", "***");
  assertEquals(ownAlert(event, { mask }).exit, {
    ...exit,
    spawnError: "can't parse command 'x token=***'",
  });
});
