// A template is a text with placeholders: "{process} crashed at {time}". Only a known name
// between braces is a placeholder, so that JSON can be written as it is; "{{name}}" stands
// for the literal "{name}". An unknown name is a problem when the configuration is read.

import type { ConfigNode } from "../config/node.ts";
import { suggest } from "../config/nearest.ts";
import { type Message, type Placeholder, PLACEHOLDERS } from "./compose.ts";

/** A text in pieces: literal text, and placeholders. */
export interface Template {
  readonly pieces: readonly (string | { readonly placeholder: Placeholder })[];
}

const BRACES = /\{\{([a-z_]+)\}\}|\{([a-z_]+)\}/g;

/** Reads a template; every unknown placeholder is a problem of the node. */
export function parseTemplate(node: ConfigNode): Template {
  const text = node.string();
  const pieces: Template["pieces"][number][] = [];
  let at = 0;
  for (const match of text.matchAll(BRACES)) {
    const [whole, literal, name] = match;
    pieces.push(text.slice(at, match.index));
    at = match.index + whole.length;
    if (literal !== undefined) pieces.push(`{${literal}}`);
    else if (Object.hasOwn(PLACEHOLDERS, name!)) pieces.push({ placeholder: name as Placeholder });
    else {
      node.problem(`unknown placeholder {${name}}; ${suggest(name!, Object.keys(PLACEHOLDERS))}`);
    }
  }
  pieces.push(text.slice(at));
  return { pieces: pieces.filter((piece) => piece !== "") };
}

/** The text with each value put in, after `escape` has made it fit the format around it. */
export function render(
  template: Template,
  message: Pick<Message, "values">,
  escape: (value: string) => string = (value) => value,
): string {
  return template.pieces
    .map((piece) => typeof piece === "string" ? piece : escape(message.values[piece.placeholder]))
    .join("");
}

/** The text once for each alert of the message, with an empty line between them. */
export function renderEach(template: Template, message: Message): string {
  return message.valuesOfEach.map((values) => render(template, { values })).join("\n\n");
}
