// A real SMTP server that wants TLS and a login; what it cannot do is done by raw TCP servers.
// Its failing answers repeat the password, in clear and as AUTH PLAIN sends it.

import { MAX_BODY_BYTES } from "../../src/channels/email/message.ts";
import { makeCertificates } from "../support/certificates.ts";
import { type HttpServer, refusingServer, startTcpServer } from "../support/http_server.ts";
import {
  type ReceivedMail,
  type SmtpServerOptions,
  startSmtpServer,
} from "../support/smtp_server.ts";
import type { Behaviour, ChannelHarness, Rig } from "./channel.ts";

const USERNAME = "ops@example.com";
const PASSWORD = "conformance+smtp/password";
const PLAIN = btoa(`\0${USERNAME}\0${PASSWORD}`);
const ECHO = `AUTH PLAIN ${PLAIN} ${btoa(PASSWORD)} ${PASSWORD}`;
const REFUSAL = "554 5.7.1 looks like spam";

/** SMTP with implicit TLS and a login. */
export const emailHarness = harness((mail) => `${mail.subject}\n${mail.text}`);

/** The same for those who read the other part. */
export const emailHtmlHarness: ChannelHarness = {
  ...harness((mail) => `${mail.subject}\n${shownHtml(mail.html ?? "")}`),
  variant: "HTML",
};

function harness(read: (mail: ReceivedMail) => string): ChannelHarness {
  return {
    type: "email",
    secrets: [PASSWORD, PLAIN],
    maxBytes: MAX_BODY_BYTES + 1000,
    refusal: REFUSAL,
    start: (behaviour) => {
      const answers = ANSWERS[behaviour];
      return answers === undefined ? startBroken(behaviour) : startServer(answers, behaviour, read);
    },
  };
}

/** What a reader shows: no tag, and each entity as the character that it stands for. */
function shownHtml(html: string): string {
  const characters: Readonly<Record<string, string>> = {
    ...{ lt: "<", gt: ">", quot: '"', "#39": "'", amp: "&" },
  };
  return html.slice(html.indexOf("<body")).replace(/<[^>]*>/g, " ")
    .replace(/&(lt|gt|quot|#39|amp);/g, (_, name) => characters[name]!);
}

const ANSWERS: Partial<Record<Behaviour, SmtpServerOptions>> = {
  accepts: {},
  "breaks-tls": {},
  "refuses-message": { data_reply: `${REFUSAL} ${ECHO}` },
  busy: { data_reply: `452 4.3.1 too many messages at the moment ${ECHO}` },
  hangs: { hang: "data" },
  "server-error": {
    login: { username: USERNAME, password: "another one" },
    login_reply: `454 4.7.0 the directory of users is down ${ECHO}`,
  },
};

async function startServer(
  answers: SmtpServerOptions,
  behaviour: Behaviour,
  read: (mail: ReceivedMail) => string,
): Promise<Rig> {
  const certificates = await makeCertificates();
  const server = await startSmtpServer({
    security: "tls",
    certificate: certificates.certFile,
    key: certificates.keyFile,
    login: { username: USERNAME, password: PASSWORD },
    ...answers,
  });
  const trusting = { ca_file: certificates.caFile };
  return {
    config: { ...configFor(server.port), ...(behaviour === "breaks-tls" ? {} : trusting) },
    trusting,
    received: () => server.mails.map(read),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await certificates[Symbol.asyncDispose]();
    },
  };
}

function startBroken(behaviour: Behaviour): Promise<Rig> {
  const server = brokenServer(behaviour);
  return Promise.resolve({
    config: { ...configFor(Number(new URL(server.origin).port)), security: "none" },
    received: () => [],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  });
}

function brokenServer(behaviour: Behaviour): HttpServer {
  if (behaviour === "refuses-connection") return refusingServer();
  if (behaviour === "resets") return startTcpServer((connection) => connection.close());
  return startTcpServer(async (connection) => {
    await connection.write(new TextEncoder().encode(`HTTP/1.1 400 Bad Request ${ECHO}\r\n\r\n`));
  });
}

function configFor(port: number) {
  return { host: "127.0.0.1", port, username: USERNAME, password: PASSWORD, to: USERNAME };
}
