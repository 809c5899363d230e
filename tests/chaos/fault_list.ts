// The ways to fail: for each the service that a channel speaks to, how the fault begins, and how
// it ends. Services are real; what is broken is the network in front of them, their answers, or
// their name.

import { makeCertificates } from "../support/certificates.ts";
import { executable, run } from "../support/executable.ts";
import type { Place } from "../support/places.ts";
import { startSmtpServer } from "../support/smtp_server.ts";
import { Front, type Passage } from "./front.ts";
import { alertIdsIn, startReceiver, timesTaken, type Treatment } from "./receiver.ts";

/** The longest time of one attempt, for every channel here. */
export const TIMEOUT_MS = 1000;

/** The listener looks that often for what `superbell outbox retry` did. */
const LOOK_MS = 3000;

const HOST = "hook.superbell.test";
const GARBAGE = Uint8Array.from({ length: 2000 }, (_, index) => (index * 7919) % 256);

/** A service behind a front, as one channel sees it. */
export interface Rig {
  /** The channel's configuration. */
  readonly config: string;
  readonly front: Front;
  /** Port of the healthy service. */
  readonly port: number;
  /** How the service treats a request that reaches it. */
  treatment: Treatment;
  /** Alert ids as they were taken, with repeats. */
  taken(): readonly string[];
  /** What starts the listener, if not the executable itself. */
  readonly program?: string;
}

/** One fault: how it begins; it ends with the front forwarding and the service taking. */
export interface Fault {
  readonly name: string;
  readonly open: (place: Place, stack: AsyncDisposableStack) => Promise<Rig> | Rig;
  readonly begin: (rig: Rig, place: Place, stack: AsyncDisposableStack) => Promise<unknown> | void;
  readonly end?: (rig: Rig, place: Place) => Promise<unknown> | void;
  /** What may pass between the fault's end and the next attempt, besides the backoff. */
  readonly delayMs?: number;
  /** Refused for good: the alerts are dead until a person has them sent again. */
  readonly byHand?: true;
  readonly skip?: () => Promise<string | undefined>;
}

/** Every fault that is made. */
export const FAULTS: readonly Fault[] = [
  { name: "webhook: connection refused", open: hook, begin: through({ kind: "refuse" }) },
  {
    name: "webhook: no answer",
    open: hook,
    begin: through({ kind: "hang" }),
    delayMs: TIMEOUT_MS,
  },
  {
    name: "webhook: reset in mid-body",
    open: hook,
    begin: through({
      kind: "break",
      half: 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"errcode": 0',
    }),
  },
  { name: "webhook: 500", open: hook, begin: treating("server-error") },
  { name: "webhook: 429", open: hook, begin: treating("too-many") },
  {
    name: "webhook: 429, Retry-After 1 s",
    open: hook,
    begin: treating("too-many-wait"),
  },
  {
    name: "webhook: garbage",
    open: hook,
    begin: through({ kind: "babble", bytes: GARBAGE }),
  },
  {
    name: "webhook: 200, but refused",
    open: hookThatSays,
    begin: treating("says-no"),
    byHand: true,
    delayMs: LOOK_MS,
  },
  { name: "webhook: TLS, untrusted", open: tlsHook, begin: untrusted },
  {
    name: "webhook: TLS, not TLS",
    open: tlsHook,
    begin: through({ kind: "babble", bytes: GARBAGE }),
  },
  {
    name: "webhook: DNS",
    open: hookByName,
    begin: (_, place) => writeHosts(place, ""),
    end: (_, place) => writeHosts(place, `127.0.0.1 ${HOST}\n`),
    skip: withoutNamespaces,
  },
  { name: "dingtalk: connection refused", open: robot, begin: through({ kind: "refuse" }) },
  { name: "dingtalk: 200, but busy", open: robot, begin: treating("says-busy") },
  { name: "dingtalk: 200, a page", open: robot, begin: treating("page") },
  {
    name: "dingtalk: 200, but refused",
    open: robot,
    begin: treating("says-no"),
    byHand: true,
    delayMs: LOOK_MS,
  },
  { name: "email: connection refused", open: mail, begin: through({ kind: "refuse" }) },
  { name: "email: no answer", open: mail, begin: through({ kind: "hang" }), delayMs: TIMEOUT_MS },
  {
    name: "email: reset",
    open: mail,
    begin: through({ kind: "break", greeting: "220 smtp.test ESMTP\r\n", half: "250-smtp" }),
  },
  { name: "email: 451 at DATA", open: mail, begin: anotherServer("451 4.3.0 not now") },
  { name: "email: garbage", open: mail, begin: through({ kind: "babble", bytes: GARBAGE }) },
];

// --- services

function hook(_: Place, stack: AsyncDisposableStack): Rig {
  return httpRig(
    stack,
    ({ hostname, port }) => `type: webhook, url: "http://${hostname}:${port}/hook"`,
  );
}

function hookThatSays(_: Place, stack: AsyncDisposableStack): Rig {
  return httpRig(
    stack,
    ({ hostname, port }) =>
      `type: webhook, url: "http://${hostname}:${port}/hook", expect_body: '"errcode":0'`,
  );
}

function robot(_: Place, stack: AsyncDisposableStack): Rig {
  return httpRig(
    stack,
    ({ hostname, port }) =>
      `type: dingtalk, token: chaos-token-0b1f, endpoint: "http://${hostname}:${port}"`,
  );
}

async function tlsHook(_: Place, stack: AsyncDisposableStack): Promise<Rig> {
  const certificates = stack.use(await makeCertificates());
  return httpRig(
    stack,
    ({ port }) =>
      `type: webhook, url: "https://127.0.0.1:${port}/hook", ca_file: "${certificates.caFile}"`,
    { certificates, hostname: "127.0.0.1" },
  );
}

/** The listener runs where /etc/hosts is a file of ours; there is no other way to change names. */
function hookByName(place: Place, stack: AsyncDisposableStack): Rig {
  writeHosts(place, "");
  place.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", 0o644);
  const program = place.write(
    "listener",
    `#!/bin/sh
exec unshare --user --map-root-user --mount sh -c '
mount --bind "{dir}/hosts" /etc/hosts && mount --bind "{dir}/resolv.conf" /etc/resolv.conf &&
exec "$0" "$@"' "${executable()}" "$@"
`,
    0o700,
  );
  const rig = httpRig(
    stack,
    ({ port }) => `type: webhook, url: "http://${HOST}:${port}/hook"`,
    { hostname: "127.0.0.1" },
  );
  return Object.assign(rig, { program });
}

/** In place: the listener's namespace holds on to the file, not to its name. */
function writeHosts(place: Place, text: string): void {
  place.write("hosts", text, 0o644);
}

async function withoutNamespaces(): Promise<string | undefined> {
  const { code } = await run("unshare", ["--user", "--map-root-user", "--mount", "true"])
    .catch(() => ({ code: -1 }));
  return code === 0 ? undefined : "not tried: this host lets nobody have a /etc/hosts of their own";
}

async function mail(_: Place, stack: AsyncDisposableStack): Promise<Rig> {
  const server = stack.use(await startSmtpServer());
  const front = stack.use(new Front(ownAddress()));
  return {
    config: `type: email, host: ${front.hostname}, port: ${front.port}, security: none, ` +
      `from: ops@example.com, to: [ops@example.com]`,
    front,
    port: server.port,
    treatment: "takes",
    taken: () => server.mails.flatMap(({ text }) => alertIdsIn(text)),
  };
}

function httpRig(
  stack: AsyncDisposableStack,
  config: (front: Front) => string,
  { certificates, hostname = ownAddress() }: {
    readonly certificates?: { readonly cert: string; readonly key: string };
    readonly hostname?: string;
  } = {},
): Rig {
  const receiver = stack.use(startReceiver(() => rig.treatment, certificates));
  const front = stack.use(new Front(hostname));
  const rig: Rig = {
    config: config(front),
    front,
    port: receiver.port,
    treatment: "takes",
    taken: () => [...timesTaken(receiver.taken)].flatMap(([id, times]) => Array(times).fill(id)),
  };
  return rig;
}

/** An address of loopback that nobody else uses, so that the port stays ours. */
function ownAddress(): string {
  const [second, third, fourth] = crypto.getRandomValues(new Uint8Array(3));
  return `127.${1 + second! % 254}.${third}.${1 + fourth! % 254}`;
}

// --- faults

function through(passage: Passage): Fault["begin"] {
  return (rig) => rig.front.become(passage);
}

function treating(treatment: Treatment): Fault["begin"] {
  return (rig) => {
    rig.treatment = treatment;
  };
}

/** Another server answers, with a certificate by a CA that nobody trusts. */
async function untrusted(rig: Rig, _: Place, stack: AsyncDisposableStack): Promise<void> {
  const certificates = stack.use(await makeCertificates());
  const receiver = stack.use(startReceiver(() => "takes", certificates));
  await rig.front.become({ kind: "forward", port: receiver.port });
}

/** Another mail server answers, which takes no mail. */
function anotherServer(reply: string): Fault["begin"] {
  return async (rig, _, stack) => {
    const server = stack.use(await startSmtpServer({ data_reply: reply }));
    await rig.front.become({ kind: "forward", port: server.port });
  };
}
