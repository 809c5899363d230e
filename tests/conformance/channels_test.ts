// Every type of channel passes the same suite; one without a harness fails here.

import { CHANNEL_KINDS } from "../../src/channels/registry.ts";
import { fail } from "../support/assert.ts";
import { type ChannelHarness, testChannel } from "./channel.ts";
import { dingtalkHarness, dingtalkMarkdownHarness } from "./dingtalk_harness.ts";
import { emailHarness, emailHtmlHarness } from "./email_harness.ts";
import { execHarness } from "./exec_harness.ts";
import { webhookHarness, webhookTemplateHarness } from "./webhook_harness.ts";

const HARNESSES: readonly ChannelHarness[] = [
  dingtalkHarness,
  dingtalkMarkdownHarness,
  emailHarness,
  emailHtmlHarness,
  execHarness,
  webhookHarness,
  webhookTemplateHarness,
];

for (const kind of CHANNEL_KINDS) {
  const harnesses = HARNESSES.filter((harness) => harness.type === kind.type);
  for (const harness of harnesses) testChannel(kind, harness);
  if (harnesses.length === 0) {
    Deno.test(`${kind.type} has a harness`, () =>
      fail(`write conformance/${kind.type}_harness.ts`));
  }
}
