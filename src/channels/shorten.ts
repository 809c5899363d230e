// Makes a message fit a service's limit. What matters most is kept longest: first the long
// texts are cut, and only when that is not enough the other facts and the title. Of what a
// program wrote last the last lines stay.

import { type Fact, type Message, plainText } from "../alerts/compose.ts";
import type { TextPiece } from "../alerts/template.ts";
import { truncateBytes, truncateLines } from "../alerts/truncate.ts";

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

/** The most bytes of a text that may have several lines, and of any other. */
interface Most {
  readonly wide: number;
  readonly narrow: number;
}

function cut(message: Message, most: Most): Message {
  const facts = message.facts.map((fact) => cutFact(fact, most)).filter(({ value }) =>
    value !== ""
  );
  const title = truncateBytes(message.title, most.narrow);
  const ownText = message.ownText?.map((piece) => cutPiece(piece, most));
  const short = { ...message, facts, title, ...(ownText && { ownText }) };
  return { ...short, text: plainText(short) };
}

function cutFact(fact: Fact, most: Most): Fact {
  const maxBytes = fact.wide === true ? most.wide : most.narrow;
  const truncate = fact.isTail === true ? truncateLines : truncateBytes;
  return { ...fact, value: truncate(fact.value, maxBytes) };
}

/** Of a text of the user's own all that came from elsewhere, before his own words. */
function cutPiece(piece: TextPiece, { wide, narrow }: Most): TextPiece {
  if (!piece.isValue) return { ...piece, text: truncateBytes(piece.text, narrow) };
  const truncate = piece.isTail === true ? truncateLines : truncateBytes;
  return { ...piece, text: truncate(piece.text, piece.text.includes("\n") ? wide : narrow) };
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
