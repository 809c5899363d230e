// The keys of an email channel. What would fail at the first crash is a problem already here:
// an address that is none, a CA file that cannot be read, half a login.

import { BlockList, isIP } from "node:net";
import { parseTemplate, type Template } from "../../alerts/template.ts";
import type { ConfigNode, Section } from "../../config/node.ts";
import type { Secret } from "../../config/secret.ts";
import { readCaFile } from "../http.ts";

/** tls from the first byte, TLS by STARTTLS (never without), or no encryption at all. */
export type Security = "tls" | "starttls" | "none";

/** One person or list. `name` is "" where only the address was given. */
export interface Mailbox {
  readonly name: string;
  readonly address: string;
}

/** An email channel as configured. */
export interface EmailOptions {
  readonly host: string;
  readonly port: number;
  readonly security: Security;
  readonly login?: { readonly username: string; readonly password: Secret };
  readonly from: Mailbox;
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  /** Certificates in PEM, trusted beside the built-in ones. */
  readonly ca?: string;
  /** The name we greet with; absent: the host's own, or its address where that has no dot. */
  readonly hello?: string;
  /** Whether the mail has a part in HTML beside the text. */
  readonly html: boolean;
  /** Absent: the message's title. */
  readonly subject?: Template;
  /** Absent: the message's text. */
  readonly body?: Template;
}

const PORTS: Readonly<Record<Security, number>> = { tls: 465, starttls: 587, none: 25 };

/** RFC 5321: what one server must take at once; a list that long belongs on the mail server. */
const MAX_RECIPIENTS = 100;

/** Reads the section of an email channel. */
export function parseEmail(section: Section): EmailOptions {
  const host = section.required("host").stringThat(wrongHost);
  const securityNode = section.optional("security");
  const security = securityNode?.oneOf(["tls", "starttls", "none"]) ?? "tls";
  const port = section.optional("port")?.integer({ min: 1, max: 65535 }) ?? PORTS[security];
  const login = parseLogin(section);
  if (login !== undefined && security === "none" && !isLoopback(host)) {
    securityNode?.warning(`the password goes to ${host} unencrypted; use tls or starttls`);
  }
  const from = parseFrom(section, login?.username);
  const to = section.required("to").list(parseMailbox);
  const cc = section.optional("cc")?.list(parseMailbox) ?? [];
  if (to.length + cc.length > MAX_RECIPIENTS) {
    section.node.problem(
      `more than ${MAX_RECIPIENTS} recipients; make a list on the mail server and name that`,
    );
  }
  const ca = readCaFile(section);
  const hello = section.optional("hello")?.stringThat(wrongHost);
  const html = section.optional("html")?.boolean() ?? true;
  const [subjectNode, bodyNode] = [section.optional("subject"), section.optional("body")];
  return {
    host,
    port,
    security,
    ...(login && { login }),
    from,
    to,
    cc,
    ...(ca !== undefined && { ca }),
    ...(hello !== undefined && { hello }),
    html,
    ...(subjectNode && { subject: parseTemplate(subjectNode) }),
    ...(bodyNode && { body: parseTemplate(bodyNode) }),
  };
}

function parseLogin(section: Section): EmailOptions["login"] {
  const [name, secret] = [section.optional("username"), section.optional("password")];
  if (name === undefined && secret === undefined) return undefined;
  // The missing one is reported by required().
  const username = section.required("username").stringThat((text) =>
    text.includes("\0") ? "a user name cannot hold a NUL" : undefined
  );
  return { username, password: section.required("password").secretLine() };
}

/** Most servers take only mail from the address that logged in, so that one is the default. */
function parseFrom(section: Section, username = ""): Mailbox {
  const node = section.optional("from");
  if (node === undefined && readMailbox(username) !== undefined) {
    return { name: "", address: username };
  }
  return parseMailbox(node ?? section.required("from"));
}

function parseMailbox(node: ConfigNode): Mailbox {
  const text = node.string();
  const mailbox = readMailbox(text);
  if (mailbox === undefined && text !== "") {
    node.problem(
      `expected an address like "ops@example.com" or "Ops <ops@example.com>", found ${
        JSON.stringify(text)
      }`,
    );
  }
  return mailbox ?? { name: "", address: "" };
}

// Stricter than RFC 5321 (no quoted local parts, no comments), so that nothing in an address
// can end the command or the header that it is put into.
const ADDRESS = /^[^\s\p{C}@<>()[\]\\,;:"]{1,64}@[^\s\p{C}@<>()[\]\\,;:"/?#]{1,255}$/u;

/** `a@b.c` or `Name <a@b.c>`; undefined when it is neither. */
export function readMailbox(text: string): Mailbox | undefined {
  const named = /^([^<>]*)<([^<>]*)>$/.exec(text.trim());
  const name = (named?.[1] ?? "").trim().replace(/^"(.*)"$/, "$1");
  const address = named?.[2] ?? text.trim();
  return ADDRESS.test(address) && !/[\p{Cc}"\\]/u.test(name) ? { name, address } : undefined;
}

function wrongHost(text: string): string | undefined {
  if (isIP(text) !== 0 || /^[\p{L}\p{N}_]([\p{L}\p{N}._-]*[\p{L}\p{N}_.])?$/u.test(text)) {
    return undefined;
  }
  // Not repeated: an address with a password in it is a likely mistake.
  return "expected a host name or an IP address, without scheme, user, port and blanks";
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === "localhost" || host.endsWith(".localhost");
  return LOOPBACK.check(host, family === 6 ? "ipv6" : "ipv4");
}
