/**
 * Lowers the glibc that an ELF executable asks for, to the floor in treatments.ts: bytes in, bytes
 * and a list of every change out. Three things are written: version labels of symbols, the list of
 * versions asked of each library, and code for functions that the old glibc has not. Nothing moves,
 * so whatever is appended to the file stays as it is. A lowered file is returned unchanged.
 */
import { BuildError } from "./build_error.ts";
import { definitionOf, putDefinition } from "./definition.ts";
import {
  ANY_VERSION,
  DT,
  type Dynamic,
  type DynamicEntry,
  type DynamicSymbol,
  type LibraryNeed,
  NEED_BYTES,
  readDynamic,
  tableOf,
  valueOf,
  type VersionNeed,
} from "./dynamic.ts";
import { type Arch, archOf, type Bytes, readHeader } from "./elf.ts";
import { DEFINITIONS, FLOOR, OLDEST_VERSION, RELABELS } from "./treatments.ts";

/** One symbol that was treated. */
export interface Change {
  readonly symbol: string;
  readonly library: string;
  /** The version it asked for, for example "GLIBC_2.27". */
  readonly from: string;
  /** What was done, as a phrase. */
  readonly treatment: string;
  readonly why: string;
}

/** The result of lowering. */
export interface Lowered {
  readonly bytes: Bytes;
  readonly changes: readonly Change[];
}

/** What a file asks of a host. */
export interface Floor {
  readonly arch: Arch | undefined;
  /** The highest version by its word, for example GLIBC: "2.17"; without those never asked for. */
  readonly highest: Readonly<Record<string, string>>;
  readonly needs: readonly LibraryNeed[];
  /** Functions that the file defines itself in place of a library. */
  readonly defined: readonly string[];
  /** Weak symbols without version: used where the host has them. */
  readonly optional: readonly string[];
  /** Why the file would not start on a host at the floor; empty when it would. */
  readonly problems: readonly string[];
}

const FLOOR_TEXT = `glibc ${FLOOR.GLIBC!.join(".")}`;

/** The file for hosts at the floor; throws a BuildError that names what has no treatment. */
export function lowerFloor(bytes: Bytes, name: string): Lowered {
  const dynamic = readDynamic(bytes, name);
  const newer = dynamic === undefined ? [] : newerVersions(dynamic.needs);
  if (dynamic !== undefined) refuseOtherwiseNew(dynamic, newer, name);
  if (dynamic === undefined || newer.length === 0) return { bytes, changes: [] };
  const arch = archOf(readHeader(bytes, name));
  if (arch === undefined) {
    throw new BuildError(`Cannot lower "${name}": it is for neither x86-64 nor AArch64`);
  }
  const lowered = bytes.slice();
  const changes: Change[] = [];
  const refused: string[] = [];
  for (const symbol of dynamic.symbols) {
    const need = newer.find(({ version }) => version.index === symbol.versionIndex);
    if (need === undefined) continue;
    const treated = treat(lowered, dynamic, symbol, need, { arch, name });
    if (treated === undefined) {
      refused.push(`"${symbol.name}" (${need.version.name} of ${need.library})`);
    } else {
      changes.push({
        symbol: symbol.name,
        library: need.library,
        from: need.version.name,
        ...treated,
      });
    }
  }
  if (refused.length > 0) {
    throw new BuildError(
      `Cannot lower "${name}" to ${FLOOR_TEXT}: no treatment is known for ${refused.join(", ")}; ` +
        `add one to tools/treatments.ts, or use a runtime that does not need it`,
    );
  }
  takeOutNeeds(lowered, dynamic, new Set(newer.map(({ version }) => version)), name);
  return { bytes: lowered, changes };
}

/** What the file asks of a host, found by reading it; works for any ELF file. */
export function floorOf(bytes: Bytes, name: string): Floor {
  const arch = archOf(readHeader(bytes, name));
  const dynamic = readDynamic(bytes, name);
  if (dynamic === undefined) {
    return { arch, highest: {}, needs: [], defined: [], optional: [], problems: [] };
  }
  const { needs, symbols } = dynamic;
  const problems = newerVersions(needs).map(({ library, version }) => {
    const users = symbols.filter(({ versionIndex }) => versionIndex === version.index);
    const names = users.map((symbol) => symbol.name).join(", ") || "no symbol, but the loader";
    return `${version.name} of ${library} is needed by ${names}`;
  });
  if (valueOf(dynamic.entries, DT.RELR) !== undefined) problems.push(PACKED_RELOCATIONS);
  const known = new Set(needs.flatMap(({ versions }) => versions.map(({ index }) => index)));
  const undefinedSymbols = symbols.filter((symbol) => symbol.index > 0 && !symbol.isDefined);
  for (const { name: symbol, binding, versionIndex } of undefinedSymbols) {
    if (versionIndex > ANY_VERSION && !known.has(versionIndex)) {
      problems.push(`"${symbol}" asks for version ${versionIndex}, which the file does not list`);
    } else if (binding === "strong" && versionIndex <= ANY_VERSION && !(symbol in RELABELS)) {
      problems.push(`"${symbol}" is strong and has no version, so nobody can tell where it exists`);
    }
  }
  const defined = arch === undefined ? [] : undefinedSymbols
    .filter((symbol) =>
      symbol.name in DEFINITIONS &&
      definitionOf(bytes, dynamic, symbol, DEFINITIONS[symbol.name]!.code[arch], { arch, name })
    ).map((symbol) => symbol.name);
  const optional = undefinedSymbols
    .filter(({ binding, versionIndex }) => binding === "weak" && versionIndex <= ANY_VERSION)
    .map((symbol) => symbol.name).filter((symbol) => !defined.includes(symbol));
  return { arch, highest: highestVersions(needs), needs, defined, optional, problems };
}

interface Newer {
  readonly library: string;
  readonly version: VersionNeed;
}

const PACKED_RELOCATIONS =
  "its relative relocations are packed (DT_RELR), which only glibc 2.36 and newer unpack";

/** What no treatment of symbols can change. */
function refuseOtherwiseNew(dynamic: Dynamic, newer: readonly Newer[], name: string): void {
  if (valueOf(dynamic.entries, DT.RELR) !== undefined) {
    throw new BuildError(`Cannot lower "${name}" to ${FLOOR_TEXT}: ${PACKED_RELOCATIONS}`);
  }
  const inner = newer.find(({ version }) => parseVersion(version.name) === undefined);
  if (inner !== undefined) {
    throw new BuildError(
      `Cannot lower "${name}" to ${FLOOR_TEXT}: it needs ${inner.version.name} of ` +
        `${inner.library}, which ties it to one glibc or one way of linking`,
    );
  }
}

function newerVersions(needs: readonly LibraryNeed[]): Newer[] {
  return needs.flatMap(({ library, versions }) =>
    versions.filter(({ name }) => isAboveFloor(name)).map((version) => ({ library, version }))
  );
}

/** True for "GLIBC_2.18" and for what cannot be compared, such as "GLIBC_PRIVATE". */
function isAboveFloor(version: string): boolean {
  const floor = FLOOR[version.split("_")[0]!];
  if (floor === undefined) return false; // not a library of the system; its own matter
  const parsed = parseVersion(version);
  return parsed === undefined || compareNumbers(parsed.numbers, floor) > 0;
}

function parseVersion(version: string) {
  const [, word, numbers] = /^([A-Z]+)_(\d+(?:\.\d+)*)$/.exec(version) ?? [];
  if (word === undefined || numbers === undefined) return undefined;
  return { word, text: numbers, numbers: numbers.split(".").map(Number) };
}

function compareNumbers(one: readonly number[], other: readonly number[]): number {
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function highestVersions(needs: readonly LibraryNeed[]): Record<string, string> {
  const highest: Record<string, { text: string; numbers: number[] }> = {};
  for (const { name } of needs.flatMap(({ versions }) => versions)) {
    const parsed = parseVersion(name);
    if (parsed === undefined) continue;
    const before = highest[parsed.word];
    if (before === undefined || compareNumbers(parsed.numbers, before.numbers) > 0) {
      highest[parsed.word] = parsed;
    }
  }
  return Object.fromEntries(Object.entries(highest).map(([word, { text }]) => [word, text]));
}

/** Changes one symbol in `bytes`; undefined when nothing is known about it. */
function treat(
  bytes: Bytes,
  dynamic: Dynamic,
  symbol: DynamicSymbol,
  need: Newer,
  file: { readonly arch: Arch; readonly name: string },
): { treatment: string; why: string } | undefined {
  if (symbol.binding === "weak" && !symbol.isDefined) {
    setVersionIndex(bytes, dynamic, symbol, ANY_VERSION, file.name);
    return {
      treatment: "any version, or none",
      why: "weak: the program looks whether the host has it",
    };
  }
  const relabel = RELABELS[symbol.name];
  if (relabel !== undefined && relabel.library === need.library && !symbol.isDefined) {
    const oldest = dynamic.needs.find(({ library }) => library === need.library)?.versions
      .find(({ name }) => name === OLDEST_VERSION[file.arch]);
    // Of a symbol without version the loader takes the oldest one, so both mean the same.
    setVersionIndex(bytes, dynamic, symbol, oldest?.index ?? ANY_VERSION, file.name);
    return { treatment: oldest?.name ?? "the oldest version there is", why: relabel.why };
  }
  const definition = DEFINITIONS[symbol.name];
  if (definition !== undefined && !symbol.isDefined) {
    const address = putDefinition(bytes, dynamic, symbol, definition.code[file.arch], file);
    // The loader still looks it up for a slot that nothing reads any more; it need not find it.
    setWeak(bytes, dynamic, symbol);
    setVersionIndex(bytes, dynamic, symbol, ANY_VERSION, file.name);
    return { treatment: `code in the file at 0x${address.toString(16)}`, why: definition.why };
  }
  return undefined;
}

function setVersionIndex(
  bytes: Bytes,
  { sections }: Dynamic,
  symbol: DynamicSymbol,
  value: number,
  name: string,
): void {
  tableOf(bytes, sections.versionIndexes!, name).setU16(symbol.index * 2, value);
}

function setWeak(bytes: Bytes, { sections }: Dynamic, symbol: DynamicSymbol): void {
  const infoAt = sections.symbols.offset + symbol.index * 24 + 4; // binding × 16 + type
  bytes[infoAt] = (2 << 4) | (bytes[infoAt]! & 15);
}

/**
 * Writes the list of needs without `gone`. Marking them as weak would do to start, but the loader
 * would then print "weak version … not found" each time.
 */
function takeOutNeeds(
  bytes: Bytes,
  dynamic: Dynamic,
  gone: ReadonlySet<VersionNeed>,
  name: string,
): void {
  const section = dynamic.sections.versionNeeds!;
  const table = tableOf(bytes, section, name);
  const kept = dynamic.needs
    .map((need) => ({ ...need, versions: need.versions.filter((version) => !gone.has(version)) }))
    .filter(({ versions }) => versions.length > 0);
  bytes.fill(0, section.offset, section.offset + section.sizeBytes);
  let at = 0;
  kept.forEach((need, libraryIndex) => {
    const isLastLibrary = libraryIndex === kept.length - 1;
    table.setU16(at, 1); // the only revision of this table there is
    table.setU16(at + 2, need.versions.length);
    table.setU32(at + 4, need.nameOffset);
    table.setU32(at + 8, NEED_BYTES);
    table.setU32(at + 12, isLastLibrary ? 0 : NEED_BYTES * (1 + need.versions.length));
    at += NEED_BYTES;
    need.versions.forEach((version, versionIndex) => {
      const isLastVersion = versionIndex === need.versions.length - 1;
      table.setU32(at, version.hash);
      table.setU16(at + 4, version.flags);
      table.setU16(at + 6, version.index);
      table.setU32(at + 8, version.nameOffset);
      table.setU32(at + 12, isLastVersion ? 0 : NEED_BYTES);
      at += NEED_BYTES;
    });
  });
  setNeedCount(bytes, dynamic, kept.length, name);
}

/** The loader counts by the dynamic table, readelf by the section header; both are told. */
function setNeedCount(bytes: Bytes, dynamic: Dynamic, count: number, name: string): void {
  const { sections, entries } = dynamic;
  const header = readHeader(bytes, name);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerAt = header.sectionTableOffset +
    sections.all.indexOf(sections.versionNeeds!) * header.sectionEntryBytes;
  view.setUint32(headerAt + 44, count, true); // sh_info
  const table = tableOf(bytes, sections.dynamic, name);
  const kept = count > 0 ? entries : withoutVersions(entries);
  const padding = entries.slice(kept.length).map(() => ({ tag: DT.NULL, value: 0 }));
  [...kept, ...padding].forEach(({ tag, value }, index) => {
    table.setU64(index * 16, tag);
    table.setU64(index * 16 + 8, tag === DT.VERNEEDNUM ? count : value);
  });
}

/**
 * A loader that finds no list of versions must find no labels of symbols either: it would look them
 * up in a list it never made. They stay when the file has versions of its own to offer.
 */
function withoutVersions(entries: readonly DynamicEntry[]): DynamicEntry[] {
  const gone: number[] = [DT.VERNEED, DT.VERNEEDNUM];
  if (valueOf(entries, DT.VERDEF) === undefined) gone.push(DT.VERSYM);
  return entries.filter(({ tag }) => !gone.includes(tag));
}
