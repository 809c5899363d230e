// This host's glibc with the exports of an older one: in a copy of its libraries every version
// above a floor gets another name, and the symbols that have it are hidden. The dynamic loader then
// refuses what it would refuse on a host with the older glibc, and with the same words. The code
// inside stays that of this host. glibc never takes a symbol out of a version once released, so
// what remains of the versions up to 2.17 is what glibc 2.17 had.

import { type Bytes, readHeader, readSections, stringAt } from "../../tools/elf.ts";
import { tableOf } from "../../tools/dynamic.ts";

/** A folder with the libraries; it goes away at the end. */
export interface OldLibc extends AsyncDisposable {
  readonly dir: string;
}

const SHT = { DYNSYM: 11, VERDEF: 0x6ffffffd, VERNEED: 0x6ffffffe, VERSYM: 0x6fffffff };
const HIDDEN = 0x8000;
const LIBRARY = /^(ld-linux-.*|lib(c|m|dl|rt|pthread|resolv|gcc_s|nss_\w+))\.so\.\d+$/;

/** Copies the libraries of `fromDir` and takes everything above GLIBC_2.`minor` out of sight. */
export async function makeOldLibc(fromDirs: readonly string[], minor: number): Promise<OldLibc> {
  const dir = await Deno.makeTempDir({ prefix: "superbell-old-libc-" });
  for (const fromDir of fromDirs) {
    for (const { name } of Deno.readDirSync(fromDir)) {
      if (!LIBRARY.test(name)) continue;
      const bytes = await Deno.readFile(`${fromDir}/${name}`);
      hideNewer(bytes, name, minor);
      await Deno.writeFile(`${dir}/${name}`, bytes, { mode: 0o755 });
    }
  }
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

/** Renames GLIBC_2.36 to XLIBC_2.36 wherever it is offered or asked for, and hides its symbols. */
function hideNewer(bytes: Bytes, name: string, minor: number): void {
  const sections = readSections(bytes, readHeader(bytes, name), name);
  const symbols = sections.find(({ type }) => type === SHT.DYNSYM)!;
  const strings = sections[symbols.link]!;
  const text = bytes.subarray(strings.offset, strings.offset + strings.sizeBytes);
  const hiddenIndexes = new Set<number>();

  function renamed(nameAt: number): number | undefined {
    const version = stringAt(text, nameAt);
    const found = /^[GX]LIBC_2\.(\d+)(\.\d+)*$/.exec(version);
    if (found === null || Number(found[1]) <= minor) return undefined;
    text[nameAt] = "X".charCodeAt(0);
    return elfHash(`X${version.slice(1)}`);
  }

  for (const section of sections) {
    const isOffer = section.type === SHT.VERDEF;
    if (!isOffer && section.type !== SHT.VERNEED) continue;
    const table = tableOf(bytes, section, name);
    for (let at = 0, step = -1; step !== 0; at += step) {
      if (isOffer) { // index at 4, hash at 8, distances to the name and to the next at 12 and 16
        const hash = renamed(table.u32(at + table.u32(at + 12)));
        if (hash !== undefined) {
          table.setU32(at + 8, hash);
          hiddenIndexes.add(table.u16(at + 4));
        }
        step = table.u32(at + 16);
      } else {
        for (let need = at + table.u32(at + 8), next = -1; next !== 0; need += next) {
          const hash = renamed(table.u32(need + 8));
          if (hash !== undefined) table.setU32(need, hash);
          next = table.u32(need + 12);
        }
        step = table.u32(at + 12);
      }
    }
  }
  const indexes = sections.find(({ type }) => type === SHT.VERSYM);
  if (indexes === undefined) return;
  const table = tableOf(bytes, indexes, name);
  for (let at = 0; at < table.sizeBytes; at += 2) {
    // A hidden symbol is found only by who asks for its very version.
    if (hiddenIndexes.has(table.u16(at))) table.setU16(at, table.u16(at) | HIDDEN);
  }
}

/** The hash of a version's name, as the System V ABI defines it. */
function elfHash(name: string): number {
  let hash = 0;
  for (const char of name) {
    hash = ((hash << 4) + char.charCodeAt(0)) >>> 0;
    const high = hash & 0xf0000000;
    hash = (hash ^ (high >>> 24)) & ~high;
  }
  return hash >>> 0;
}
