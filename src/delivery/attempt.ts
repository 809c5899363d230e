// One attempt: the message in the channel's language, sent within the channel's timeout. Always
// an outcome, also of a channel that throws, or goes on after it was told to stop.

import type { Alert } from "../alerts/alert.ts";
import { composeDigest } from "../alerts/digest.ts";
import { type Outcome, retry } from "../alerts/outcome.ts";
import type { Language } from "../alerts/messages.ts";
import type { MessageTemplate } from "../alerts/template.ts";
import type { Channel } from "../channels/channel.ts";
import type { Clock } from "../clock.ts";
import { formatDuration } from "../config/duration.ts";

/** What an attempt works with. */
export interface AttemptOptions {
  readonly channel: Channel;
  readonly language: Language;
  readonly timeoutMs: number;
  readonly timeZone: string | undefined;
  /** The user's own words for each alert. */
  readonly template?: MessageTemplate | undefined;
  /** The same for the alerts of a rule, by its name; it wins. */
  readonly templateOf?: ((rule: string) => MessageTemplate | undefined) | undefined;
  readonly clock: Clock;
  /** Our own end. */
  readonly aborted: AbortSignal;
}

/** How long a channel may take to stop once its time is over; what it began goes on unwatched. */
const ABORT_GRACE_MS = 3000;

/** Tells the alerts in one message. Never rejects. */
export async function attempt(
  alerts: readonly [Alert, ...Alert[]],
  options: AttemptOptions,
): Promise<Outcome> {
  const { timeoutMs, aborted } = options;
  const signal = AbortSignal.any([aborted, AbortSignal.timeout(timeoutMs)]);
  const ended = new AbortController();
  try {
    return await Promise.race([
      send(alerts, options, signal),
      overdue(signal, ended.signal, options.clock),
    ]);
  } finally {
    ended.abort();
  }
}

async function send(
  alerts: readonly [Alert, ...Alert[]],
  { channel, timeoutMs, clock, aborted, ...words }: AttemptOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    const message = composeDigest(alerts, words);
    const outcome = await channel.send(message, { signal, nowMs: clock.now() });
    if (outcome.kind === "delivered" || !signal.aborted) return outcome;
    return retry(
      aborted.aborted
        ? "superbell was stopped before the answer came"
        : `${outcome.reason} (timeout ${formatDuration(timeoutMs)})`,
    );
  } catch (error) {
    return retry(
      `A mistake in superbell itself: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** Keeps a channel that does not heed its signal from holding up its entries, and our end. */
async function overdue(signal: AbortSignal, ended: AbortSignal, clock: Clock): Promise<Outcome> {
  await whenAborted(AbortSignal.any([signal, ended]));
  await clock.sleep(ABORT_GRACE_MS, ended);
  return retry("The channel went on after it was told to stop; we cannot know what became of it");
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
