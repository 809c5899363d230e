// What a channel implements. One folder, one line in registry.ts, one test file, one block
// in config.example.yaml and one page under docs/channels/; a test fails if any is missing.
// A channel gets no logger and no clock: what it has to say is in the outcome, and the time
// is a parameter.

import type { Message } from "../alerts/compose.ts";
import type { Outcome } from "../alerts/outcome.ts";
import type { Section } from "../config/node.ts";

/** What one attempt is given besides the message. */
export interface SendOptions {
  /** Aborts at the channel's timeout and at our own end. A channel must then stop at once. */
  readonly signal: AbortSignal;
  readonly nowMs: number;
}

/** At most `count` messages in any `perMs`, by all channels that share the key. */
export interface Pace {
  /** Names the sender as the service sees it; holds no secret (a hash of the token). */
  readonly key: string;
  readonly count: number;
  readonly perMs: number;
}

/** An opened channel. */
export interface Channel {
  readonly pace?: Pace;
  /**
   * One attempt, no retry inside. An expected failure is an outcome and not a throw; when in
   * doubt whether the service took the message, the outcome is "retry".
   */
  send(message: Message, options: SendOptions): Promise<Outcome>;
}

/** A type of channel: how its section is read and how it is opened. */
export interface ChannelKind<Options> {
  readonly type: string;
  /**
   * How long an alert waits, unless configured, for others to be told in the same message.
   * Absent: each alert is a message of its own, for a program wants them one by one.
   */
  readonly digestMs?: number;
  /** Takes its own keys from the section; the common ones are taken already. */
  parse(section: Section): Options;
  open(options: Options): Channel;
}

/** A kind whose options' type is forgotten, so that all kinds fit into one list. */
export interface ChannelOpener {
  readonly type: string;
  readonly digestMs?: number | undefined;
  /** Reads the section and answers how to open the channel. */
  parse(section: Section): () => Channel;
}

/** Forgets the options' type of a kind. */
export function opener<Options>(kind: ChannelKind<Options>): ChannelOpener {
  return {
    type: kind.type,
    digestMs: kind.digestMs,
    parse(section) {
      const options = kind.parse(section);
      return () => kind.open(options);
    },
  };
}
