// Makes a message fit a service's limit. What matters most is kept longest: first the long
// texts are cut, and only when that is not enough the other facts and the title.

import { type Message, plainText } from "../alerts/compose.ts";
import { truncateBytes } from "../alerts/truncate.ts";

/** The message itself if it `fits`, else the longest shortened form that does. */
export function shorten(message: Message, fits: (message: Message) => boolean): Message {
  if (fits(message)) return message;
  const cutTexts = (bytes: number) => cut(message, { wide: bytes, narrow: Infinity });
  const cutAll = (bytes: number) => cut(message, { wide: 0, narrow: bytes });
  for (const form of [cutTexts, cutAll]) {
    const bytes = largest(message.text.length * 3, (bytes) => fits(form(bytes)));
    if (bytes > 0) return form(bytes);
  }
  return cutAll(0);
}

function cut(message: Message, max: { readonly wide: number; readonly narrow: number }): Message {
  const facts = message.facts
    .map((fact) => ({
      ...fact,
      value: truncateBytes(fact.value, fact.wide ? max.wide : max.narrow),
    }))
    .filter((fact) => fact.value !== "");
  const short = { ...message, facts, title: truncateBytes(message.title, max.narrow) };
  return { ...short, text: plainText(short) };
}

/** The largest whole number up to `max` that `holds`, or 0; what holds for one holds below it. */
function largest(max: number, holds: (number: number) => boolean): number {
  let [low, high] = [0, max];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
