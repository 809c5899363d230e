// Mail by SMTP: one connection for each message, closed afterwards. Delivered means that the
// server answered 2yz after the whole mail; who was refused at RCPT is named in the detail.
// nodemailer is loaded with the first mail, so that the listener starts without it.

import type { Message } from "../../alerts/compose.ts";
import { delivered } from "../../alerts/outcome.ts";
import { Redactor, Secret } from "../../config/secret.ts";
import type { Channel, ChannelKind, SendOptions } from "../channel.ts";
import { describeReply, type Failure, outcomeOf, refusals } from "./failure.ts";
import { mailOf } from "./message.ts";
import { type EmailOptions, parseEmail } from "./options.ts";

/** Mail by SMTP. */
export const email: ChannelKind<EmailOptions> = {
  type: "email",
  digestMs: 1000,
  parse: parseEmail,
  open: openEmail,
};

// The channel's own timeout comes first; these only see to it that nothing hangs without one.
const PHASE_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 60_000;

function openEmail(options: EmailOptions): Channel {
  const redactor = new Redactor(secretsOf(options));
  return {
    send: async (message, sending) => {
      const context = { ...options, redactor, signal: sending.signal };
      try {
        const { response, accepted, rejectedErrors } = await sendMail(message, options, sending);
        const answer = describeReply(response, redactor);
        const refused = refusals(rejectedErrors, redactor);
        if (refused === "") return delivered(answer);
        const count = options.to.length + options.cc.length;
        return delivered(`${answer}; only ${accepted.length} of ${count}, NOT to ${refused}`);
      } catch (error) {
        return outcomeOf(error as Failure, context);
      }
    },
  };
}

async function sendMail(message: Message, options: EmailOptions, { signal, nowMs }: SendOptions) {
  const { createTransport } = await import("nodemailer");
  const { host, port, security, login, ca, hello } = options;
  const transport = createTransport({
    host,
    port,
    secure: security === "tls",
    requireTLS: security === "starttls",
    // Without this an offered STARTTLS would be taken, and fail at a localhost certificate.
    ignoreTLS: security === "none",
    tls: { rejectUnauthorized: true, minVersion: "TLSv1.2", ...(ca !== undefined && { ca }) },
    ...(login && { auth: { user: login.username, pass: login.password.reveal() } }),
    ...(hello !== undefined && { name: hello }),
    dnsTimeout: PHASE_TIMEOUT_MS,
    connectionTimeout: PHASE_TIMEOUT_MS,
    greetingTimeout: PHASE_TIMEOUT_MS,
    socketTimeout: IDLE_TIMEOUT_MS,
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    return await transport.sendMail({ ...mailOf(message, options, nowMs), signal });
  } finally {
    transport.close();
  }
}

/** The password, and the line that AUTH PLAIN sends it in: a server may quote either. */
function secretsOf({ login }: EmailOptions): Secret[] {
  if (login === undefined) return [];
  const { username, password } = login;
  const plain = new Secret(`\0${username}\0${password.reveal()}`, password.source);
  return [password, plain];
}
