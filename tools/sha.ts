/** Checksums in the two spellings the build meets: hex (SHA256SUMS) and npm's integrity. */
import type { Bytes } from "./elf.ts";

/** Lower-case hex, as sha256sum prints it. */
export async function sha256(bytes: Bytes): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** `sha512-` and base64, as npm writes it in "integrity". */
export async function sha512Integrity(bytes: Bytes): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes));
  return `sha512-${btoa(String.fromCharCode(...digest))}`;
}
