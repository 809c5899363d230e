// A webhook of anybody's: the alert goes to an address by HTTP. What counts as a yes is the
// user's to say, by status, by a pattern for the reply and by what a reply of JSON says.

import { delivered, type Outcome, rejected, retry } from "../../alerts/outcome.ts";
import type { Channel, ChannelKind } from "../channel.ts";
import { type HttpReply, jsonObject, sendHttp } from "../http.ts";
import { writeBody } from "./message.ts";
import { type JsonValues, parseOptions, type WebhookOptions } from "./options.ts";

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

function judge(reply: HttpReply, options: WebhookOptions): Outcome | undefined {
  const { expect, expectBody, expectJson, retryJson } = options;
  const { status } = reply;
  const json = expectJson ?? retryJson ? jsonObject(reply) : undefined;
  // What the status says is more: 429 may hold the whole channel.
  if (retryJson !== undefined && says(json, retryJson) && status !== 429) {
    return retry(`HTTP ${status}: ${reply.excerpt()}`, reply.retryAfterMs);
  }
  const success = status >= 200 && status < 300;
  if (!(expect?.includes(status) ?? success)) {
    return success ? rejected(`HTTP ${status} is not one of expect`) : undefined;
  }
  if (expectBody !== undefined && !expectBody.test(reply.text)) {
    return rejected(
      `HTTP ${status}, but the answer does not match expect_body: ${reply.excerpt()}`,
    );
  }
  if (expectJson === undefined || says(json, expectJson)) return delivered(`HTTP ${status}`);
  if (json !== undefined) {
    return rejected(
      `HTTP ${status}, but the answer is not as expect_json says: ${reply.excerpt()}`,
    );
  }
  const reason =
    `HTTP ${status}, but the answer is no JSON object (expect_json): ${reply.excerpt()}`;
  // A page is of a proxy in between, which has not handed the message on. Anything else the service
  // says itself, and would say to each repeat.
  return /^\s*</.test(reply.text) ? retry(reason) : rejected(reason);
}

function says(json: Readonly<Record<string, unknown>> | undefined, wanted: JsonValues): boolean {
  return json !== undefined &&
    Object.entries(wanted).every(([key, values]) =>
      Object.hasOwn(json, key) && values.some((value) => value === json[key])
    );
}
