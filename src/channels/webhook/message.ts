// The body of a webhook's request: the whole alert as a JSON document of a fixed shape (see
// docs/channels/webhook.md), or the user's template with every value escaped for its format.

import type { Message } from "../../alerts/compose.ts";
import { alertDocument } from "../../alerts/document.ts";
import { render } from "../../alerts/template.ts";
import type { Body, ContentType } from "./options.ts";

/** A request's body and its type. */
export interface WrittenBody {
  readonly text: string;
  readonly contentType: string;
}

/** The message in the format that the channel asks for. */
export function writeBody(message: Message, body: Body): WrittenBody {
  if (body === "json") {
    return { text: JSON.stringify(alertDocument(message)), contentType: "application/json" };
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
