// Which host this is: the name and address that stand in every alert.

import { isIP } from "node:net";
import type { Host } from "./alerts/alert.ts";

/** How the configuration names the host. */
export interface HostSettings {
  /** "auto" for the system's host name, else the name itself. */
  readonly name: string;
  /** "auto", the name of a network interface, or the address itself. */
  readonly address: string;
}

/** An interface may come up after us (at boot), or change its address: look again that often. */
const LOOK_AGAIN_MS = 60_000;

/** Answers the host, looking at the interfaces at most once a minute. */
export function hostSource(settings: HostSettings, now: () => number): () => Host {
  let host: Host | undefined;
  let lookedAtMs = 0;
  return () => {
    const nowMs = now();
    if (host === undefined || nowMs - lookedAtMs >= LOOK_AGAIN_MS || nowMs < lookedAtMs) {
      host = { name: nameOf(settings), address: addressOf(settings.address) };
      lookedAtMs = nowMs;
    }
    return host;
  };
}

/** The interfaces that have an address, for the message when the wanted one has none. */
export function interfaceNames(): string[] {
  return [...new Set(interfaces().map(({ name }) => name))];
}

/** Whether the text is an IP address and not the name of an interface (`eth0`, `eth0:1`). */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** The address that the setting stands for, "" where there is none now. */
export function addressOf(setting: string): string {
  if (isAddress(setting)) return setting;
  const candidates = setting === "auto"
    ? interfaces().filter(({ address }) => !isLocal(address))
    : interfaces().filter(({ name }) => name === setting);
  const preferred = candidates.find(({ family }) => family === "IPv4") ?? candidates[0];
  return preferred?.address ?? "";
}

function nameOf(settings: HostSettings): string {
  return settings.name === "auto" ? Deno.hostname() : settings.name;
}

function interfaces(): Deno.NetworkInterfaceInfo[] {
  try {
    return Deno.networkInterfaces();
  } catch {
    return []; // a jail without netlink: the alert goes out without an address
  }
}

function isLocal(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || address.startsWith("fe80:");
}
