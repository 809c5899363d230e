// XML-RPC as supervisord speaks it: calls are written, replies are read. The reader takes the
// few elements of XML-RPC and nothing else: no DTD, no entities but the five of XML, bounded
// depth. It is lenient where supervisord is wrong: control characters stand unescaped in its
// replies (Supervisor issue 85), 3.x sends bytes that are not UTF-8, each text in its own
// encoding, and a deferred answer may lack its last bytes.

import { decodeText } from "../events/text.ts";

/** What a call takes and gives. XML-RPC's dates and base64 do not occur in supervisord's replies. */
export type RpcValue =
  | string
  | number
  | boolean
  | null
  | readonly RpcValue[]
  | { readonly [name: string]: RpcValue };

/** supervisord understood the call and refused it. */
export class RpcFault extends Error {
  override readonly name = "RpcFault";
  /** One of supervisor/xmlrpc.py:Faults, such as 6 SHUTDOWN_STATE or 10 BAD_NAME. */
  readonly code: number;

  constructor(code: number, text: string) {
    super(`supervisord refused the call: ${text} (fault ${code})`);
    this.code = code;
  }
}

/** The reply is not what supervisord sends. */
export class RpcFormatError extends Error {
  override readonly name = "RpcFormatError";
}

/** Deeper than any reply of supervisord: system.multicall of getAllProcessInfo has 6 levels. */
const MAX_DEPTH = 20;

/** What XML-RPC's <int> holds; Python refuses to send more (xmlrpc/client.py:MAXINT). */
const MAX_INT = 2 ** 31 - 1;

/** The body of a call, in ASCII: 3.x on Python 2 does not read anything else reliably. */
export function writeCall(method: string, parameters: readonly RpcValue[]): string {
  const values = parameters.map((value) => `<param>${writeValue(value)}</param>`).join("");
  return `<?xml version="1.0"?><methodCall><methodName>${escapeXml(method)}</methodName>` +
    `<params>${values}</params></methodCall>`;
}

function writeValue(value: RpcValue): string {
  return `<value>${writeInner(value)}</value>`;
}

function writeInner(value: RpcValue): string {
  if (value === null) return "<nil/>";
  if (typeof value === "string") return `<string>${escapeXml(value)}</string>`;
  if (typeof value === "boolean") return `<boolean>${value ? 1 : 0}</boolean>`;
  if (typeof value === "number") return `<int>${checkedInt(value)}</int>`;
  if (Array.isArray(value)) return `<array><data>${value.map(writeValue).join("")}</data></array>`;
  const members = Object.entries(value).map(([name, member]) =>
    `<member><name>${escapeXml(name)}</name>${writeValue(member)}</member>`
  );
  return `<struct>${members.join("")}</struct>`;
}

function checkedInt(value: number): number {
  if (Number.isInteger(value) && Math.abs(value) <= MAX_INT) return value;
  throw new RangeError(`Cannot send ${value} by XML-RPC: expected a whole number of 32 bits`);
}

function escapeXml(text: string): string {
  return text.replace(
    /[&<>]|[^\t\n\x20-\x7e]/gu,
    (character) => `&#${character.codePointAt(0)};`,
  );
}

/** The value that a reply holds. Throws an RpcFault, or an RpcFormatError for anything odd. */
export function readReply(bytes: Uint8Array): RpcValue {
  const reader = new ReplyReader(bytes);
  reader.open("methodResponse");
  if (reader.tryOpen("fault")) {
    const fault = reader.value(0);
    reader.end("</fault></methodResponse>");
    if (!isFaultStruct(fault)) throw new RpcFormatError("The fault has no code and text");
    throw new RpcFault(fault.faultCode, fault.faultString);
  }
  reader.open("params");
  reader.open("param");
  const value = reader.value(0);
  reader.end("</param></params></methodResponse>");
  return value;
}

/** Whether a value is a fault, as it also stands among the results of system.multicall. */
export function isFaultStruct(
  value: RpcValue,
): value is { readonly faultCode: number; readonly faultString: string } {
  return typeof value === "object" && value !== null && "faultCode" in value &&
    "faultString" in value && Number.isInteger(value.faultCode) &&
    typeof value.faultString === "string";
}

/** Walks through the reply tag by tag. */
class ReplyReader {
  /** A character per byte: a text is decoded by itself, for its neighbours may be of another encoding. */
  readonly #text: string;
  #at: number;

  constructor(bytes: Uint8Array) {
    this.#text = binaryString(bytes);
    this.#at = /^\s*<\?xml[^<>]*\?>/.exec(this.#text)?.[0].length ?? 0;
  }

  /** Whether the next tag opens this element; it is taken then. */
  tryOpen(name: string): boolean {
    return this.#tryTag(name);
  }

  /** Takes the tag that opens this element. */
  open(name: string): void {
    if (!this.#tryTag(name)) throw this.#odd(`<${name}>`);
  }

  /** Takes what must follow; it may end early, for the value is whole and the length was wrong. */
  end(tags: string): void {
    const rest = this.#text.slice(this.#at, this.#at + 1000).replace(/\s/g, "");
    if (!tags.startsWith(rest)) throw this.#odd("the end of the reply");
  }

  #close(name: string): void {
    if (!this.#tryTag(`/${name}`)) throw this.#odd(`</${name}>`);
  }

  /** One <value> element. */
  value(depth: number): RpcValue {
    if (depth > MAX_DEPTH) throw new RpcFormatError("The reply is nested too deep");
    if (this.#tryTag("value/")) return "";
    this.open("value");
    const value = this.#inner(depth);
    this.#close("value");
    return value;
  }

  #inner(depth: number): RpcValue {
    if (this.#tryTag("array")) return this.#array(depth);
    if (this.#tryTag("struct")) return this.#struct(depth);
    if (this.#tryTag("nil/")) return null;
    if (this.#tryTag("string/")) return "";
    for (const name of ["string", "int", "i4", "boolean", "double"]) {
      if (!this.#tryTag(name)) continue;
      const text = this.#textUntilTag();
      this.#close(name);
      return name === "string" ? text : this.#scalar(name, text.trim());
    }
    return this.#textUntilTag(); // a value without a type is a string
  }

  #array(depth: number): RpcValue[] {
    const values: RpcValue[] = [];
    if (!this.#tryTag("data/")) {
      this.open("data");
      while (!this.#tryTag("/data")) values.push(this.value(depth + 1));
    }
    this.#close("array");
    return values;
  }

  #struct(depth: number): Record<string, RpcValue> {
    const members: Record<string, RpcValue> = {};
    while (this.#tryTag("member")) {
      this.open("name");
      const name = this.#textUntilTag();
      // Assigning to it would change the prototype instead of the object.
      if (name === "__proto__") throw new RpcFormatError("The reply has a member __proto__");
      this.#close("name");
      members[name] = this.value(depth + 1);
      this.#close("member");
    }
    this.#close("struct");
    return members;
  }

  #scalar(type: string, text: string): number | boolean {
    if (type === "boolean") {
      if (text === "0" || text === "1") return text === "1";
    } else if (type === "double") {
      if (/^[+-]?[\d.]{1,400}(?:e[+-]?\d{1,3})?$/i.test(text) && Number.isFinite(Number(text))) {
        return Number(text);
      }
    } else if (/^[+-]?\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) {
      return Number(text);
    }
    throw this.#odd(`a value of the type ${type}`);
  }

  /** Takes `<name>`, with blanks before it, if that is what comes next. */
  #tryTag(name: string): boolean {
    let at = this.#at;
    while (" \t\r\n".includes(this.#text[at] ?? "x")) at++;
    if (!this.#text.startsWith(`<${name}>`, at)) return false;
    this.#at = at + name.length + 2;
    return true;
  }

  #textUntilTag(): string {
    const end = this.#text.indexOf("<", this.#at);
    if (end < 0) throw this.#odd("a tag");
    const text = this.#text.slice(this.#at, end);
    this.#at = end;
    if (isAscii(text)) return unescapeXml(text);
    return unescapeXml(decodeText(Uint8Array.from(text, (byte) => byte.charCodeAt(0))));
  }

  #odd(wanted: string): RpcFormatError {
    const found = this.#text.slice(this.#at, this.#at + 40);
    return new RpcFormatError(
      `Cannot read supervisord's reply: expected ${wanted}, found ` +
        (found.trim() === "" ? "its end" : JSON.stringify(found)),
    );
  }
}

/**
 * A character for each byte. The list of a thousand processes is a megabyte, and supervisord waits
 * while it is read: almost always it is ASCII, which takes 1 ms so, and otherwise 7. Spread into
 * arguments it took 50 to 80, Buffer's toString("latin1") longer (Deno 2.7).
 */
function binaryString(bytes: Uint8Array): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  if (isAscii(text)) return text;
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    const piece = bytes.subarray(at, at + 8192);
    binary += String.fromCharCode.apply(null, piece as unknown as number[]);
  }
  return binary;
}

function isAscii(text: string): boolean {
  // deno-lint-ignore no-control-regex -- all that one byte can say
  return /^[\x00-\x7f]*$/.test(text);
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** What is no reference that we know stays as it is: supervisord escapes every "&" of its own. */
function unescapeXml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]+));/gi, (whole, ...groups) => {
    const [decimal, hex, name] = groups as (string | undefined)[];
    if (name !== undefined) return NAMED.get(name) ?? whole;
    const codePoint = decimal === undefined ? parseInt(hex!, 16) : Number(decimal);
    const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
    return codePoint > 0x10ffff || isSurrogate ? "\ufffd" : String.fromCodePoint(codePoint);
  });
}
