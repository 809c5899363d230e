// What every type of channel must do, whatever its protocol. A harness starts a real server
// (or script) on this host that behaves in a given way; the suite sends through the channel and
// looks at the outcome and at what a person would have read. Each type has its harness in
// <type>_harness.ts, exported as `<type>Harness`, and stands in channels_test.ts.

import type { Channel, ChannelOpener } from "../../src/channels/channel.ts";
import type { Message } from "../../src/alerts/compose.ts";
import type { Outcome } from "../../src/alerts/outcome.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { ALERT, messageOf } from "../support/message.ts";
import { openChannel } from "../support/section.ts";

/** How the other side behaves. */
export type Behaviour =
  | "accepts"
  /** Answers in the service's own terms that it does not take the message (for HTTP: with 200). */
  | "refuses-message"
  /** Says that it is too much at the moment. */
  | "busy"
  /** Takes the request and never answers. */
  | "hangs"
  /** Nothing listens there. */
  | "refuses-connection"
  /** Its certificate is by a CA that nobody trusts. */
  | "breaks-tls"
  | "answers-garbage"
  | "server-error"
  /** Takes the connection and breaks it off. */
  | "resets";

/** A started other side. Where it can, it puts the secrets it was sent into its failing answers. */
export interface Rig {
  /** The channel's section, without `type`. */
  readonly config: Record<string, unknown>;
  /** More keys with which the certificate of "breaks-tls" is trusted. */
  readonly trusting?: Record<string, unknown>;
  /** What a person would read, one text for each message that got through. */
  received(): readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** A type of channel together with the other side that it speaks to. */
export interface ChannelHarness {
  readonly type: string;
  /** Tells several harnesses of one type apart: "markdown". */
  readonly variant?: string;
  /** Every secret value that the rig's config uses; none may come out. */
  readonly secrets: readonly string[];
  /** The service's limit for what received() answers, in bytes of UTF-8. */
  readonly maxBytes?: number;
  /** What "refuses-message" says, to be found in the reason. */
  readonly refusal?: string;
  /** What the outcome of "busy" must carry, where the service says so. */
  readonly busy?: { readonly afterMs?: number; readonly closesChannel?: true };
  start(behaviour: Behaviour): Promise<Rig>;
  /** The behaviours that this type cannot meet, each with the reason. */
  readonly notApplicable?: Partial<Record<Behaviour, string>>;
}

/** What each behaviour but "accepts" must lead to, and how a test's name tells it. */
const FAILURES: readonly (readonly [Behaviour, Exclude<Outcome["kind"], "delivered">, string])[] = [
  ["refuses-message", "rejected", "the service refuses the message"],
  ["busy", "retry", "the service is busy"],
  ["hangs", "retry", "the service hangs"],
  ["refuses-connection", "retry", "nothing listens"],
  ["breaks-tls", "retry", "the certificate is not trusted"],
  ["answers-garbage", "retry", "the answer is garbage"],
  ["server-error", "retry", "the service has an error"],
  ["resets", "retry", "the connection is reset"],
];

const TIMEOUT_MS = 10_000;
const HANG_MS = 300;
/** How long a channel may take to stop after its signal. */
const PROMPT_MS = 2000;

const CHINESE = { name: "订单-进程", group: "支付🚨组" };
const MARKUP = {
  name: `<b>bold</b> *star* _low_ [link](http://x.test) & "q" 'a' \\back \`code\` {summary}`,
  group: "# head\n- item",
};
const LONG_TEXT = "汉字🙂 a line of the log\n".repeat(3200);

/** Registers the tests of one harness; their names begin with the type. */
export function testChannel(kind: ChannelOpener, harness: ChannelHarness): void {
  const subject = [harness.type, harness.variant].filter((part) => part !== undefined).join(" ");
  const row = (behaviour: Behaviour, name: string, run: (rig: Rig) => Promise<void>) => {
    const skipped = harness.notApplicable?.[behaviour];
    Deno.test({
      name: `${subject} ${name}` + (skipped === undefined ? "" : ` (cannot be: ${skipped})`),
      ignore: skipped !== undefined,
      async fn() {
        await using rig = await harness.start(behaviour);
        await run(rig);
      },
    });
  };
  const open = (rig: Rig, more = {}) => openChannel(kind, { ...rig.config, ...more });

  row("accepts", `answers "delivered" when the service takes it`, async (rig) => {
    const message = messageOf();
    const outcome = await send(open(rig), message);
    assertEquals(outcome.kind, "delivered", JSON.stringify(outcome));
    assertKeepsSecrets(outcome, harness.secrets);
    const text = onlyText(rig);
    for (const part of [message.title, "web:api", "10.0.0.7", ALERT.id]) {
      assertStringIncludes(text, part);
    }
  });

  for (const [behaviour, expected, when] of FAILURES) {
    row(behaviour, `answers "${expected}" when ${when}`, async (rig) => {
      const outcome = await send(
        open(rig),
        messageOf(),
        behaviour === "hangs" ? HANG_MS : undefined,
      );
      assertEquals(outcome.kind, expected, JSON.stringify(outcome));
      assertKeepsSecrets(outcome, harness.secrets);
      assertEquals(rig.received(), []);
      const reason = assertReason(outcome);
      if (behaviour === "refuses-message") assertStringIncludes(reason, harness.refusal ?? "");
      if (behaviour === "busy") {
        assertEquals({ ...outcome, ...harness.busy }, outcome as Record<string, unknown>);
      }
    });
  }

  row("breaks-tls", `answers "delivered" when the CA is trusted`, async (rig) => {
    assert(rig.trusting !== undefined, "the rig says nothing about how to trust its certificate");
    const outcome = await send(open(rig, rig.trusting), messageOf());
    assertEquals(outcome.kind, "delivered", JSON.stringify(outcome));
    assertEquals(rig.received().length, 1);
  });

  row("accepts", "sends nothing after its signal", async (rig) => {
    const signal = AbortSignal.abort(new DOMException("the end", "AbortError"));
    const outcome = await open(rig).send(messageOf(), { signal, nowMs: Date.now() });
    assertEquals(outcome.kind, "retry");
    assertReason(outcome);
    assertEquals(rig.received(), []);
  });

  row("accepts", "cuts an over-long text and keeps the title", async (rig) => {
    const message = messageOf({ text: LONG_TEXT, word: "process_log" });
    const outcome = await send(open(rig), message);
    assertEquals(outcome.kind, "delivered", JSON.stringify(outcome));
    const text = onlyText(rig);
    assertStringIncludes(text, message.title);
    assertStringIncludes(text, "汉字🙂 a line of the log");
    assert(!text.includes("\ufffd"), "a character was cut in two");
    const bytes = new TextEncoder().encode(text).length;
    if (harness.maxBytes !== undefined) assertLessOrEqual(bytes, harness.maxBytes);
  });

  row("accepts", "carries Chinese and emoji", async (rig) => {
    const message = messageOf({ process: CHINESE, text: "内存不足：💥 已退出" }, "zh");
    assertEquals((await send(open(rig), message)).kind, "delivered");
    const text = onlyText(rig);
    for (const part of [message.title, "支付🚨组:订单-进程 意外退出", "内存不足：💥 已退出"]) {
      assertStringIncludes(text, part);
    }
  });

  row("accepts", "shows markup in names as it is", async (rig) => {
    const message = messageOf({ process: MARKUP, text: `${MARKUP.name}\n</pre>\n# not a head` });
    const outcome = await send(open(rig), message);
    assertEquals(outcome.kind, "delivered", JSON.stringify(outcome));
    const text = oneSpaced(onlyText(rig));
    for (const part of [message.title, `${MARKUP.name} </pre> # not a head`]) {
      assertStringIncludes(text, oneSpaced(part));
    }
  });

  row("accepts", "shows what a program wrote last as it is", async (rig) => {
    const lines = [
      MARKUP.name,
      "</pre></td></table>",
      "    at x",
      "&amp; {{host}} ${x} %s",
      "#1 1. -",
    ];
    const message = messageOf({ tails: [{ stream: "stderr", lines }] });
    const outcome = await send(open(rig), message);
    assertEquals(outcome.kind, "delivered", JSON.stringify(outcome));
    const text = oneSpaced(onlyText(rig));
    for (const part of [message.title, ...lines, ALERT.id]) {
      assertStringIncludes(text, oneSpaced(part));
    }
  });

  row("accepts", "keeps the last lines of a program that wrote too much", async (rig) => {
    const lines = [...LONG_TEXT.split("\n"), "ValueError: 余额不足 🚨"];
    const message = messageOf({ tails: [{ stream: "stderr", lines }] });
    const outcome = await send(open(rig), message);
    assertEquals(outcome.kind, "delivered", JSON.stringify(outcome));
    const text = onlyText(rig);
    assertStringIncludes(text, message.title);
    assertStringIncludes(text.replace(message.title, ""), "ValueError: 余额不足 🚨");
    assert(!text.includes("\ufffd"), "a character was cut in two");
  });
}

/** Sends with a signal that aborts after `timeoutMs`; a channel that does not heed it fails. */
async function send(
  channel: Channel,
  message: Message,
  timeoutMs = TIMEOUT_MS,
): Promise<Outcome> {
  const controller = new AbortController();
  const { promise: never, reject } = Promise.withResolvers<never>();
  const timers = [
    setTimeout(() => controller.abort(new DOMException("late", "TimeoutError")), timeoutMs),
    setTimeout(() => reject(new Error("send() did not stop at its signal")), timeoutMs + PROMPT_MS),
  ];
  try {
    const options = { signal: controller.signal, nowMs: Date.now() };
    return await Promise.race([channel.send(message, options), never]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

function onlyText(rig: Rig): string {
  const [text, ...others] = rig.received();
  assert(text !== undefined, "nothing got through");
  assertEquals(others, []);
  return text;
}

/** A reason is one short line in plain words. */
function assertReason(outcome: Outcome): string {
  assert(outcome.kind !== "delivered");
  assertMatch(outcome.reason, /^[^\p{Cc}]{3,500}$/u);
  assertMatch(outcome.reason, /[^.]$/);
  return outcome.reason;
}

function assertKeepsSecrets(outcome: Outcome, secrets: readonly string[]): void {
  const said = JSON.stringify(outcome);
  for (const secret of secrets) {
    const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
    // Half a secret, cut off at some limit, is a leak as well.
    forms.push(btoa(secret), secret.slice(0, 12));
    for (const form of forms) assert(!said.includes(form), "a secret came out of the channel");
  }
}

function oneSpaced(text: string): string {
  return text.replace(/\s+/g, " ");
}
