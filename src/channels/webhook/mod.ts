// A webhook of anybody's: the alert goes to an address by HTTP. What counts as a yes is the
// user's to say, by status and by a pattern for the reply.

import { delivered, type Outcome, rejected } from "../../alerts/outcome.ts";
import type { Channel, ChannelKind } from "../channel.ts";
import { type HttpReply, sendHttp } from "../http.ts";
import { writeBody } from "./message.ts";
import { parseOptions, type WebhookOptions } from "./options.ts";

/** The `webhook` type. */
export const webhook: ChannelKind<WebhookOptions> = { type: "webhook", parse: parseOptions, open };

function open(options: WebhookOptions): Channel {
  const { url, method, headers, secrets, caCert } = options;
  return {
    send(message, sending) {
      const body = method === "GET" ? undefined : writeBody(message, options.body);
      return sendHttp(
        {
          url: new URL(url.reveal()),
          method,
          headers: merged(
            { "x-superbell-alert-id": message.id },
            body && { "content-type": body.contentType },
            Object.fromEntries(
              Object.entries(headers).map(([name, value]) => [name, value.reveal()]),
            ),
          ),
          ...(body && { body: body.text }),
          secrets,
          caCert,
        },
        sending,
        (reply) => judge(reply, options),
      );
    },
  };
}

/** Later headers replace earlier ones, whatever case their names are written in. */
function merged(...parts: readonly (Record<string, string> | undefined)[]): Record<string, string> {
  const pairs = parts.flatMap((part) => Object.entries(part ?? {}));
  return Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]));
}

function judge(reply: HttpReply, { expect, expectBody }: WebhookOptions): Outcome | undefined {
  const { status } = reply;
  const success = status >= 200 && status < 300;
  if (!(expect?.includes(status) ?? success)) {
    return success ? rejected(`HTTP ${status} is not one of expect`) : undefined;
  }
  if (expectBody === undefined || expectBody.test(reply.text)) return delivered(`HTTP ${status}`);
  return rejected(`HTTP ${status}, but the answer does not match expect_body: ${reply.excerpt()}`);
}
