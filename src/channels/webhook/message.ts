// The body of a webhook's request: the whole alert as a JSON document of a fixed shape (see
// docs/channels/webhook.md), or the user's template with every value escaped for its format.

import type { Message } from "../../alerts/compose.ts";
import { render } from "../../alerts/template.ts";
import type { Body, ContentType } from "./options.ts";

/** Goes up when a field changes its meaning or goes away; a new field is no new version. */
export const DOCUMENT_VERSION = 1;

/** A request's body and its type. */
export interface WrittenBody {
  readonly text: string;
  readonly contentType: string;
}

/** The message in the format that the channel asks for. */
export function writeBody(message: Message, body: Body): WrittenBody {
  if (body === "json") {
    return { text: JSON.stringify(documentOf(message)), contentType: "application/json" };
  }
  const text = render(body.template, message, ESCAPES[body.contentType]);
  // Only JSON is UTF-8 by its own definition.
  const charset = body.contentType === "text/plain" ? "; charset=utf-8" : "";
  return { text, contentType: body.contentType + charset };
}

const ESCAPES: Readonly<Record<ContentType, (value: string) => string>> = {
  "application/json": (value) => JSON.stringify(value).slice(1, -1),
  "application/x-www-form-urlencoded": (value) => encodeURIComponent(value.toWellFormed()),
  "text/plain": (value) => value,
};

/** Every field is always there; null stands for what the event does not have. */
function documentOf(message: Message): Record<string, unknown> {
  const { alert } = message;
  const { process } = alert;
  return {
    version: DOCUMENT_VERSION,
    id: alert.id,
    rule: alert.rule,
    on: alert.word,
    event: alert.eventname,
    title: message.title,
    text: message.text,
    at: new Date(alert.atMs).toISOString(),
    host: { name: alert.host.name, address: alert.host.address },
    supervisor: alert.supervisor,
    process: process === undefined
      ? null
      : { name: process.name, group: process.group, pid: alert.pid ?? null },
    group: process?.group ?? alert.group ?? null,
    from_state: alert.fromState ?? null,
    expected: alert.expected ?? null,
    tries: alert.tries ?? null,
    data: alert.text ?? null,
    type: alert.type ?? null,
  };
}
