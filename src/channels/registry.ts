// The only list of channels.

import { type ChannelOpener, opener } from "./channel.ts";
import { dingtalk } from "./dingtalk/mod.ts";
import { email } from "./email/mod.ts";
import { exec } from "./exec/mod.ts";
import { webhook } from "./webhook/mod.ts";

/** Every kind of channel, in the order of the docs. */
export const CHANNEL_KINDS: readonly ChannelOpener[] = [
  opener(dingtalk),
  opener(email),
  opener(exec),
  opener(webhook),
];
