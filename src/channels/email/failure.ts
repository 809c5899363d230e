// What a failed attempt means and how it is told. A reason is made of our own words and the
// server's reply; nodemailer's message and cause never get into it. Rejected is only what the
// server said for good about our login, our sender or this mail (5yz); all that happens
// before, TLS included, may be mended without us and is tried again.

import { type Outcome, rejected, retry } from "../../alerts/outcome.ts";
import { truncateChars } from "../../alerts/truncate.ts";
import type { Redactor } from "../../config/secret.ts";
import type { Security } from "./options.ts";

/** What we read of an error of nodemailer. */
export interface Failure {
  /** nodemailer's own code: EAUTH, ESOCKET, … */
  readonly code?: string | undefined;
  /** The system's code beneath it: ECONNREFUSED, … */
  readonly originalCode?: string | undefined;
  readonly message?: string | undefined;
  /** The command that the reply answers. */
  readonly command?: string | undefined;
  /** The server's reply. */
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly recipient?: string | undefined;
  readonly rejectedErrors?: readonly Failure[] | undefined;
}

/** What is needed to tell a failure. */
export interface FailureContext {
  readonly host: string;
  readonly port: number;
  readonly security: Security;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
}

const MAX_REPLY_CHARS = 200;
const MAX_REPLY_LOOKED_AT = 4096;

/** So many refused recipients are named; the rest is counted. */
const MAX_NAMED = 3;

/** The outcome of an attempt that ended with an error. */
export function outcomeOf(failure: Failure, context: FailureContext): Outcome {
  const server = `mail server ${context.host}:${context.port}`;
  if (context.signal.aborted) return retry(`${server}: ${describeAbort(context.signal)}`);
  if (failure.responseCode === undefined) {
    return retry(`${server}: ${describeBreak(failure, context.security)}`);
  }
  const reason = `${server} ${describeRefusal(failure, context)}`;
  return isFinal(failure) ? rejected(reason) : retry(reason);
}

/** The server's reply on one line, without secrets and final period. */
export function describeReply(
  reply: string | undefined,
  redactor: Redactor,
  maxChars = MAX_REPLY_CHARS,
): string {
  // Cut before anything else looks at it: a server may answer with megabytes.
  const whole = redactor.redact((reply ?? "").slice(0, MAX_REPLY_LOOKED_AT));
  const line = whole.replace(/[\s\p{C}]+/gu, " ").trim();
  return truncateChars(line.endsWith(".") ? line.slice(0, -1) : line, maxChars);
}

/** `a@b (550 …), c@d (450 …) and 7 more`, or "" when nobody was refused. */
export function refusals(refused: readonly Failure[] | undefined, redactor: Redactor): string {
  const all = refused ?? [];
  const named = all.slice(0, MAX_NAMED).map(({ recipient, response }) =>
    `${truncateChars(recipient ?? "", 60)} (${describeReply(response, redactor, 60)})`
  );
  const more = all.length - named.length;
  return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function isFinal({ command, responseCode = 0 }: Failure): boolean {
  // 503 says that the session was in a wrong state, not that the mail was refused.
  if (responseCode < 500 || responseCode === 503) return false;
  return /^(AUTH|MAIL|RCPT|DATA)/.test(command ?? "");
}

function describeRefusal(failure: Failure, context: FailureContext): string {
  const { command = "", rejectedErrors, responseCode } = failure;
  const reply = describeReply(failure.response, context.redactor);
  if (command.startsWith("AUTH")) {
    return `refused the login: ${reply}; check username and password ` +
      `(many providers want an app password or an authorization code here)`;
  }
  if (command === "RCPT TO") {
    const who = refusals(rejectedErrors, context.redactor) || reply;
    return `refused every recipient: ${who}`;
  }
  const hint = responseCode === 530 ? `; set username and password, or security: starttls` : "";
  if (command === "MAIL FROM") return `refused the sender: ${reply}${hint || "; check from"}`;
  if (command === "DATA") return `refused the mail: ${reply}`;
  if (command === "STARTTLS") {
    return `offers no STARTTLS: ${reply}; use security: tls if it has a TLS port (465)`;
  }
  return `does not serve us: ${reply}`;
}

function describeAbort({ reason }: AbortSignal): string {
  return reason instanceof DOMException && reason.name === "TimeoutError"
    ? "not done within the channel's timeout (the mail may have got through); check port and security"
    : "stopped before it was done (the mail may have got through)";
}

/** A connection that failed or broke, without a reply of the server. */
function describeBreak(failure: Failure, security: Security): string {
  const { code = "", originalCode = "", message = "" } = failure;
  const certificate = certificateFault(failure);
  if (certificate !== undefined) return certificate;
  if (code === "EDNS") return "the host name was not found; check host and the resolver";
  if (code === "ETIMEDOUT") return "no answer in time; check host, port and security";
  if (code === "EPROTOCOL" || failure.response !== undefined) {
    return "the answer is not SMTP; check port and security";
  }
  if (code === "EAUTH") return "offers no login that we know (PLAIN, LOGIN, CRAM-MD5)";
  if (originalCode === "ECONNREFUSED") {
    return "connection refused; check host and port, and that the server runs";
  }
  if (/^E(HOST|NET)UNREACH$/.test(originalCode)) return "no route to it; check the network";
  // Deno reports a handshake that fails after STARTTLS, for whatever reason, as UNKNOWN.
  if (security === "starttls" && (code === "ETLS" || originalCode === "UNKNOWN")) {
    return "TLS failed after STARTTLS; its certificate may be expired, for another name, or " +
      "signed by nobody we trust (name its CA in ca_file)";
  }
  if (security === "tls" && /InvalidContentType|corrupt message|handshake/i.test(message)) {
    return "it does not speak TLS from the start; ports 587 and 25 want security: starttls";
  }
  return `the connection broke${originalCode === "" ? "" : ` (${originalCode})`}`;
}

/** What is wrong with the server's certificate (rustls' words), in ours; undefined: it is not that. */
function certificateFault({ message = "" }: Failure): string | undefined {
  if (!message.includes("invalid peer certificate")) return undefined;
  if (message.includes("UnknownIssuer")) {
    return "its certificate is signed by nobody we trust; name its CA in ca_file";
  }
  if (/not valid for name|NotValidForName/.test(message)) {
    return "its certificate is for another name; use the name that it is for as host";
  }
  if (/\bExpired/.test(message)) return "its certificate has expired";
  return "its certificate is not valid";
}
