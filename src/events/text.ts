// Turns the bytes of a payload into text. A program may write any bytes; supervisord 4.x
// replaces what is not UTF-8 by a Python repr of it ("Undecodable: b'…'", events.py), 3.x
// passes it on as it is. Both are brought back to what the program wrote.

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossyUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictGb18030 = new TextDecoder("gb18030", { fatal: true });

/** UTF-8; else UTF-8 cut at either end; else GB18030 (GBK); else UTF-8 with U+FFFD for the rest. */
export function decodeText(bytes: Uint8Array): string {
  // Deno decodes several times faster when it need not be strict, and mostly there is no doubt.
  const text = lossyUtf8.decode(bytes);
  if (!text.includes("\ufffd")) return text;
  return decoded(strictUtf8, bytes) ?? decodedWithoutCutEnds(bytes) ??
    decoded(strictGb18030, bytes) ?? lossyUtf8.decode(bytes);
}

/**
 * A cut at the beginning is believed only where other UTF-8 characters follow: the two bytes
 * of a common Chinese character in GBK (B2 BB) look exactly like the rest of a cut one.
 */
function decodedWithoutCutEnds(bytes: Uint8Array): string | undefined {
  const text = decoded(strictUtf8, withoutCutEnds(bytes));
  if (text === undefined || text === "") return undefined;
  // deno-lint-ignore no-control-regex -- all that one byte can say
  return isContinuation(bytes[0]!) && /^[\x00-\x7f]*$/.test(text) ? undefined : text;
}

/** The text of a payload's data, with a Python repr of undecodable bytes undone. */
export function decodeData(bytes: Uint8Array): string {
  const text = decodeText(bytes);
  const match = /^Undecodable: b?(?:'(.*)'|"(.*)")$/s.exec(text);
  return match === null ? text : decodeText(bytesOfRepr(match[1] ?? match[2] ?? ""));
}

function decoded(decoder: TextDecoder, bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Without the pieces of a character that a read boundary may have left at either end. */
function withoutCutEnds(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < 3 && start < bytes.length && isContinuation(bytes[start]!)) start++;
  let end = bytes.length;
  for (let back = 1; back <= 3 && back <= bytes.length - start; back++) {
    const byte = bytes[bytes.length - back]!;
    if (isContinuation(byte)) continue;
    if (byte >= 0xc2 && byte <= 0xf4 && sequenceLength(byte) > back) end = bytes.length - back;
    break;
  }
  return bytes.subarray(start, end);
}

/** Whether the byte continues a UTF-8 character; all others count as one code point. */
export function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/** How many bytes a character has that begins with this one. */
export function sequenceLength(lead: number): number {
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  r: 13,
  t: 9,
  "\\": 92,
  "'": 39,
  '"': 34,
};

/** The bytes that Python's repr of a bytes object (or of a str on Python 2) stands for. */
function bytesOfRepr(repr: string): Uint8Array {
  const bytes = new Uint8Array(repr.length);
  let length = 0;
  for (let at = 0; at < repr.length; at++) {
    const next = repr[at + 1] ?? "";
    const hex = /^[0-9a-f]{2}$/.exec(repr.slice(at + 2, at + 4));
    if (repr[at] !== "\\") {
      bytes[length++] = repr.charCodeAt(at) & 0xff;
    } else if (next === "x" && hex !== null) {
      bytes[length++] = parseInt(hex[0], 16);
      at += 3;
    } else {
      bytes[length++] = ESCAPES[next] ?? 92;
      if (next in ESCAPES) at++;
    }
  }
  return bytes.subarray(0, length);
}
