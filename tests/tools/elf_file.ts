/** Builds small ELF files byte by byte, for the tests of tools/. */
import type { Bytes } from "../../tools/elf.ts";

/** What a test wants to differ from a sound x86-64 file; offsets and sizes in bytes. */
export interface ElfFileOptions {
  readonly machine?: number;
  /** Bytes of the section ".data"; its content is `text` or zeros. */
  readonly text?: string;
  /** Size written into the header of ".data", when it is to be wrong. */
  readonly claimedDataBytes?: number;
  /** Size claimed by ".bss", which has no bytes in the file. */
  readonly bssBytes?: number;
  readonly sectionCount?: number;
}

/** header (64) · ".data" · section names · section header table of four entries. */
export function elfFile(options: ElfFileOptions = {}): Bytes {
  const data = new TextEncoder().encode(options.text ?? "hello, runtime");
  const names = new TextEncoder().encode("\0.data\0.bss\0.shstrtab\0");
  const namesAt = 64 + data.length;
  const tableAt = namesAt + names.length;
  const bytes = new Uint8Array(tableAt + 4 * 64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, options.machine ?? 62, true);
  view.setBigUint64(40, BigInt(tableAt), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, options.sectionCount ?? 4, true);
  view.setUint16(62, 3, true);
  bytes.set(data, 64);
  bytes.set(names, namesAt);
  section(1, 1, 1, 64, options.claimedDataBytes ?? data.length);
  section(2, 7, 8, 64, options.bssBytes ?? 1_000_000);
  section(3, 12, 3, namesAt, names.length);
  return bytes;

  function section(index: number, name: number, type: number, at: number, size: number): void {
    const entry = tableAt + index * 64;
    view.setUint32(entry, name, true);
    view.setUint32(entry + 4, type, true);
    view.setBigUint64(entry + 24, BigInt(at), true);
    view.setBigUint64(entry + 32, BigInt(size), true);
  }
}

/** The parts one behind the other. */
export function joined(...parts: readonly (Bytes | string)[]): Bytes {
  const chunks = parts.map((part) =>
    typeof part === "string" ? new TextEncoder().encode(part) : part
  );
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
