/**
 * Reads what the dynamic loader reads in an ELF file: symbols, and the versions that the file asks
 * of each library. Bytes in, values out. Sections give the sizes; the dynamic table, which is all
 * the loader looks at, must point to the same places. A damaged file gives a BuildError.
 */
import { BuildError } from "./build_error.ts";
import { type Bytes, type ElfSection, readHeader, readSections, stringAt } from "./elf.ts";

/** A symbol of the dynamic symbol table, with the version it asks for. */
export interface DynamicSymbol {
  readonly name: string;
  readonly index: number;
  /** Weak: the program copes with its absence. */
  readonly binding: "strong" | "weak";
  /** False when a library must have it. */
  readonly isDefined: boolean;
  /** Index into the needs: 0 is local, 1 is "any version"; the flag for hidden is taken off. */
  readonly versionIndex: number;
}

/** The versions that the file asks of one library. */
export interface LibraryNeed {
  /** For example "libc.so.6". */
  readonly library: string;
  /** Offset of that name in the string table. */
  readonly nameOffset: number;
  readonly versions: readonly VersionNeed[];
}

/** One version that a library must have, or the loader refuses the file. */
export interface VersionNeed {
  /** For example "GLIBC_2.17". */
  readonly name: string;
  readonly nameOffset: number;
  /** The loader compares this before the name. */
  readonly hash: number;
  readonly flags: number;
  /** What a symbol's versionIndex refers to. */
  readonly index: number;
}

/** An entry of the dynamic table. */
export interface DynamicEntry {
  readonly tag: number;
  readonly value: number;
}

/** A relocation of the procedure linkage table. */
export interface PltRelocation {
  /** Address of the slot that the loader fills in. */
  readonly slot: number;
  readonly symbolIndex: number;
}

/** Everything above, and the sections it came from. */
export interface Dynamic {
  readonly entries: readonly DynamicEntry[];
  readonly symbols: readonly DynamicSymbol[];
  readonly needs: readonly LibraryNeed[];
  readonly sections: {
    readonly all: readonly ElfSection[];
    readonly dynamic: ElfSection;
    readonly symbols: ElfSection;
    /** Undefined when no symbol has a version. */
    readonly versionIndexes: ElfSection | undefined;
    readonly versionNeeds: ElfSection | undefined;
  };
}

/** Tags of the dynamic table. */
export const DT = {
  NULL: 0,
  SYMTAB: 6,
  JMPREL: 23,
  RELR: 36,
  VERSYM: 0x6ffffff0,
  VERDEF: 0x6ffffffc,
  VERNEED: 0x6ffffffe,
  VERNEEDNUM: 0x6fffffff,
} as const;

/** The version index of a symbol that takes any version. */
export const ANY_VERSION = 1;
/** Bytes per entry of the version needs: of a library, and of a version; both are 16. */
export const NEED_BYTES = 16;

const SHT = { RELA: 4, DYNAMIC: 6, DYNSYM: 11, VERNEED: 0x6ffffffe, VERSYM: 0x6fffffff };
const DYNAMIC_BYTES = 16;
const SYMBOL_BYTES = 24;
const RELOCATION_BYTES = 24;
const WEAK = 2;
const HIDDEN = 0x8000;

/** What the loader would see; undefined for a file without dynamic table (linked statically). */
export function readDynamic(bytes: Bytes, name: string): Dynamic | undefined {
  const sections = readSections(bytes, readHeader(bytes, name), name);
  const ofType = (type: number) => sections.find((section) => section.type === type);
  const dynamic = ofType(SHT.DYNAMIC);
  const symbols = ofType(SHT.DYNSYM);
  if (dynamic === undefined || symbols === undefined) return undefined;
  const versionIndexes = ofType(SHT.VERSYM);
  const versionNeeds = ofType(SHT.VERNEED);
  const entries = readEntries(tableOf(bytes, dynamic, name));
  checkAddress(entries, DT.SYMTAB, symbols, name);
  // A lowered file may keep these sections without an entry; the loader then ignores them.
  for (const [tag, section] of [[DT.VERSYM, versionIndexes], [DT.VERNEED, versionNeeds]] as const) {
    if (valueOf(entries, tag) !== undefined) checkAddress(entries, tag, section, name);
  }
  const strings = stringsOf(bytes, sections, symbols, name);
  return {
    entries,
    symbols: readSymbols(
      tableOf(bytes, symbols, name),
      versionIndexes && tableOf(bytes, versionIndexes, name),
      strings,
    ),
    needs: versionNeeds === undefined ? [] : readNeeds(
      tableOf(bytes, versionNeeds, name),
      valueOf(entries, DT.VERNEEDNUM) ?? 0,
      stringsOf(bytes, sections, versionNeeds, name),
      name,
    ),
    sections: { all: sections, dynamic, symbols, versionIndexes, versionNeeds },
  };
}

/** The relocations of the procedure linkage table: one per function called through it. */
export function readPltRelocations(bytes: Bytes, dynamic: Dynamic, name: string): PltRelocation[] {
  const at = valueOf(dynamic.entries, DT.JMPREL);
  const section = dynamic.sections.all.find(({ type, address }) =>
    type === SHT.RELA && address === at
  );
  if (section === undefined) return [];
  return readRelocations(bytes, section, name);
}

/** Every relocation that names a symbol, of all tables. */
export function readAllRelocations(bytes: Bytes, dynamic: Dynamic, name: string): PltRelocation[] {
  return dynamic.sections.all.filter(({ type, address }) => type === SHT.RELA && address !== 0)
    .flatMap((section) => readRelocations(bytes, section, name))
    .filter(({ symbolIndex }) => symbolIndex !== 0);
}

function readRelocations(bytes: Bytes, section: ElfSection, name: string): PltRelocation[] {
  const table = tableOf(bytes, section, name);
  return Array.from({ length: Math.floor(section.sizeBytes / RELOCATION_BYTES) }, (_, index) => ({
    slot: table.u64(index * RELOCATION_BYTES),
    symbolIndex: table.u32(index * RELOCATION_BYTES + 12),
  }));
}

/** The value of the first entry with this tag. */
export function valueOf(entries: readonly DynamicEntry[], tag: number): number | undefined {
  return entries.find((entry) => entry.tag === tag)?.value;
}

/** The bytes of a section as numbers, little-endian; reading or writing outside is a BuildError. */
export interface Table {
  readonly sizeBytes: number;
  u16(at: number): number;
  u32(at: number): number;
  u64(at: number): number;
  setU16(at: number, value: number): void;
  setU32(at: number, value: number): void;
  setU64(at: number, value: number): void;
}

/** The section as a table; `name` of the file is for messages. */
export function tableOf(bytes: Bytes, section: ElfSection, name: string): Table {
  const { offset, sizeBytes } = section;
  if (offset + sizeBytes > bytes.length) {
    throw new BuildError(
      `Cannot read "${name}": section "${section.name}" ends at byte ${offset + sizeBytes}, but ` +
        `the file has ${bytes.length}; it is cut off or damaged`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, sizeBytes);
  function inside(at: number, width: number): number {
    if (at + width <= sizeBytes) return at;
    throw new BuildError(
      `Cannot read "${name}": section "${section.name}" has ${sizeBytes} bytes, but an entry of ` +
        `it would end at ${at + width}; it is damaged`,
    );
  }
  return {
    sizeBytes,
    u16: (at) => view.getUint16(inside(at, 2), true),
    u32: (at) => view.getUint32(inside(at, 4), true),
    // Tags, addresses and offsets; one beyond 2^53 is no place in any file and stays just wrong.
    u64: (at) => Number(view.getBigUint64(inside(at, 8), true)),
    setU16: (at, value) => view.setUint16(inside(at, 2), value, true),
    setU32: (at, value) => view.setUint32(inside(at, 4), value, true),
    setU64: (at, value) => view.setBigUint64(inside(at, 8), BigInt(value), true),
  };
}

function readEntries(table: Table): DynamicEntry[] {
  const entries: DynamicEntry[] = [];
  for (let at = 0; at < table.sizeBytes; at += DYNAMIC_BYTES) {
    const entry = { tag: table.u64(at), value: table.u64(at + 8) };
    if (entry.tag === DT.NULL) break;
    entries.push(entry);
  }
  return entries;
}

function readSymbols(
  symbols: Table,
  versionIndexes: Table | undefined,
  strings: Bytes,
): DynamicSymbol[] {
  const count = Math.floor(symbols.sizeBytes / SYMBOL_BYTES);
  return Array.from({ length: count }, (_, index): DynamicSymbol => {
    const info = symbols.u32(index * SYMBOL_BYTES + 4); // type, binding, visibility, section
    return {
      name: stringAt(strings, symbols.u32(index * SYMBOL_BYTES)),
      index,
      binding: ((info >> 4) & 15) === WEAK ? "weak" : "strong",
      isDefined: info >>> 16 !== 0,
      versionIndex: versionIndexes === undefined
        ? ANY_VERSION
        : versionIndexes.u16(index * 2) & ~HIDDEN,
    };
  });
}

/** A chain of libraries, each with a chain of versions; every link is a distance in bytes. */
function readNeeds(
  table: Table,
  libraryCount: number,
  strings: Bytes,
  name: string,
): LibraryNeed[] {
  const needs: LibraryNeed[] = [];
  function nameAt(offset: number): string {
    const found = stringAt(strings, offset);
    if (found !== "") return found;
    throw new BuildError(
      `Cannot read "${name}": a version need has its name at byte ${offset} of the string table, ` +
        `which holds no name there (${strings.length} bytes); it is damaged`,
    );
  }
  let at = 0;
  while (needs.length < libraryCount) {
    const versions: VersionNeed[] = [];
    const versionCount = table.u16(at + 2);
    let versionAt = at + table.u32(at + 8);
    while (versions.length < versionCount) {
      const nameOffset = table.u32(versionAt + 8);
      versions.push({
        name: nameAt(nameOffset),
        nameOffset,
        hash: table.u32(versionAt),
        flags: table.u16(versionAt + 4),
        index: table.u16(versionAt + 6) & ~HIDDEN,
      });
      const step = table.u32(versionAt + 12);
      if (step === 0) break;
      versionAt += step;
    }
    const nameOffset = table.u32(at + 4);
    needs.push({ library: nameAt(nameOffset), nameOffset, versions });
    const step = table.u32(at + 12);
    if (step === 0) break;
    at += step;
  }
  return needs;
}

function stringsOf(
  bytes: Bytes,
  sections: readonly ElfSection[],
  owner: ElfSection,
  name: string,
): Bytes {
  const section = sections[owner.link];
  if (section === undefined) {
    throw new BuildError(
      `Cannot read "${name}": section ${owner.link} should hold the names for "${owner.name}", ` +
        `but there are ${sections.length} sections`,
    );
  }
  tableOf(bytes, section, name); // checks that it lies inside the file
  return bytes.subarray(section.offset, section.offset + section.sizeBytes);
}

function checkAddress(
  entries: readonly DynamicEntry[],
  tag: number,
  section: ElfSection | undefined,
  name: string,
): void {
  const value = valueOf(entries, tag);
  if (value === section?.address) return;
  throw new BuildError(
    `Cannot read "${name}": entry 0x${tag.toString(16)} of its dynamic table holds ` +
      `${value ?? "nothing"}, but the section "${section?.name ?? "(none)"}" is at ` +
      `${section?.address ?? "no address"}; the loader would read other bytes than this tool`,
  );
}
