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
