// Shortens a text at a character's boundary, by the unit that a service counts in.

const MARK = "…";
const encoder = new TextEncoder();

/** At most `maxBytes` of UTF-8, with "…" where something was cut. */
export function truncateBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = encoder.encode(text);
  if (bytes.length <= maxBytes) return text;
  let end = Math.max(0, maxBytes - 3); // the mark's own length
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end)) + (maxBytes >= 3 ? MARK : "");
}

/** At most `maxChars` code points, with "…" where something was cut. */
export function truncateChars(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const characters = Array.from(text);
  return characters.length <= maxChars
    ? text
    : characters.slice(0, Math.max(0, maxChars - 1)).join("") + (maxChars >= 1 ? MARK : "");
}

/** The last `maxChars` code points, with "…" in place of what stood before. */
export function truncateStartChars(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const characters = Array.from(text);
  if (characters.length <= maxChars) return text;
  const kept = maxChars > 1 ? characters.slice(1 - maxChars).join("") : "";
  return (maxChars >= 1 ? MARK : "") + kept;
}

/**
 * The last lines that fit into `maxBytes` of UTF-8, with a line "…" in place of those before;
 * where not even the last one fits, its beginning.
 */
export function truncateLines(text: string, maxBytes: number): string {
  if (encoder.encode(text).length <= maxBytes) return text;
  const lines = text.split("\n");
  let [start, bytes] = [lines.length, MARK_LINE_BYTES - 1];
  while (start > 0) {
    bytes += encoder.encode(lines[start - 1]).length + 1;
    if (bytes > maxBytes) break;
    start--;
  }
  if (start < lines.length) return [MARK, ...lines.slice(start)].join("\n");
  return truncateBytes(lines.at(-1)!, maxBytes);
}

/** "…" and its line end. */
const MARK_LINE_BYTES = 4;
