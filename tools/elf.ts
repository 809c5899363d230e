/**
 * Reads the parts of a 64-bit little-endian ELF file that the build needs: header and sections.
 * Pure: bytes in, values out. Everything read is checked against the length of the bytes, so a
 * damaged file gives a BuildError and never a wrong answer.
 */
import { BuildError } from "./build_error.ts";

/** Bytes that are not shared between threads, as Deno.readFile returns them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The processors superbell is built for, in the words of Node and npm. */
export type Arch = "x64" | "arm64";

/** The fields of the ELF header, without those that are the same in all our files. */
export interface ElfHeader {
  /** e_machine: 62 is x86-64, 183 is AArch64. */
  readonly machine: number;
  /** Offset of the section header table in bytes. */
  readonly sectionTableOffset: number;
  /** Bytes per section header; 64 in every known file. */
  readonly sectionEntryBytes: number;
  readonly sectionCount: number;
  /** Index of the section that holds the section names. */
  readonly sectionNamesIndex: number;
}

/** One section header. Offsets and sizes are bytes in the file. */
export interface ElfSection {
  readonly name: string;
  /** sh_type, for example 8 (SHT_NOBITS): takes no room in the file. */
  readonly type: number;
  readonly address: number;
  readonly offset: number;
  readonly sizeBytes: number;
  /** sh_link: a section index whose meaning depends on the type. */
  readonly link: number;
  readonly info: number;
  /** Bytes per entry of a table; 0 when the section is not one. */
  readonly entryBytes: number;
}

/** sh_type of a section without bytes in the file (.bss). */
export const SHT_NOBITS = 8;

const HEADER_BYTES = 64;
const SECTION_ENTRY_BYTES = 64;
const MACHINES: ReadonlyMap<number, Arch> = new Map([[62, "x64"], [183, "arm64"]]);

/** The header of `bytes`, or a BuildError that says what is wrong with the file `name`. */
export function readHeader(bytes: Bytes, name: string): ElfHeader {
  if (bytes.length < HEADER_BYTES) {
    throw new BuildError(
      `Cannot read "${name}": ${bytes.length} bytes are too few for an ELF header (64)`,
    );
  }
  const magic = bytes.subarray(0, 4);
  if (magic[0] !== 0x7f || magic[1] !== 0x45 || magic[2] !== 0x4c || magic[3] !== 0x46) {
    throw new BuildError(
      `Cannot read "${name}": expected an ELF file, found first bytes ${hex(magic)}`,
    );
  }
  if (bytes[4] !== 2 || bytes[5] !== 1) {
    throw new BuildError(
      `Cannot read "${name}": expected 64-bit little-endian ELF, found class ${bytes[4]} and ` +
        `byte order ${bytes[5]}`,
    );
  }
  const view = viewOf(bytes);
  const header: ElfHeader = {
    machine: view.getUint16(18, true),
    sectionTableOffset: offsetAt(view, 40, name),
    sectionEntryBytes: view.getUint16(58, true),
    sectionCount: view.getUint16(60, true),
    sectionNamesIndex: view.getUint16(62, true),
  };
  // Zero stands for "none" or "more than 65,279, see the first section"; neither can be cut safely.
  if (header.sectionCount === 0 || header.sectionEntryBytes !== SECTION_ENTRY_BYTES) {
    throw new BuildError(
      `Cannot read "${name}": expected section headers of 64 bytes, found ` +
        `${header.sectionCount} of ${header.sectionEntryBytes} bytes`,
    );
  }
  const end = sectionTableEnd(header);
  if (header.sectionTableOffset < HEADER_BYTES || end > bytes.length) {
    throw new BuildError(
      `Cannot read "${name}": its section header table would end at byte ${end}, but the file ` +
        `has ${bytes.length}; it is cut off or damaged`,
    );
  }
  return header;
}

/** Where the section header table ends: in our files the last thing of the ELF image. */
export function sectionTableEnd(header: ElfHeader): number {
  return header.sectionTableOffset + header.sectionEntryBytes * header.sectionCount;
}

/** All sections in the order of the table. */
export function readSections(bytes: Bytes, header: ElfHeader, name: string): ElfSection[] {
  const view = viewOf(bytes);
  const raw = Array.from({ length: header.sectionCount }, (_, index) => {
    const at = header.sectionTableOffset + index * header.sectionEntryBytes;
    return {
      nameOffset: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      address: offsetAt(view, at + 16, name),
      offset: offsetAt(view, at + 24, name),
      sizeBytes: offsetAt(view, at + 32, name),
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
      entryBytes: offsetAt(view, at + 56, name),
    };
  });
  const names = raw[header.sectionNamesIndex];
  if (names === undefined) {
    throw new BuildError(
      `Cannot read "${name}": section ${header.sectionNamesIndex} should hold the names, but ` +
        `there are ${header.sectionCount} sections`,
    );
  }
  const strings = bytes.subarray(names.offset, names.offset + names.sizeBytes);
  return raw.map(({ nameOffset, ...section }) => ({
    name: stringAt(strings, nameOffset),
    ...section,
  }));
}

/**
 * Where the ELF image ends: behind its section header table, which in our files is the last part.
 * A section that ends later means the file is laid out differently; that is a BuildError.
 */
export function imageEnd(bytes: Bytes, name: string): number {
  const header = readHeader(bytes, name);
  const end = sectionTableEnd(header);
  for (const section of readSections(bytes, header, name)) {
    const sectionEnd = section.offset + section.sizeBytes;
    if (section.type !== SHT_NOBITS && sectionEnd > end) {
      throw new BuildError(
        `Cannot find the end of the ELF image in "${name}": section "${section.name}" ends at ` +
          `byte ${sectionEnd}, behind the section header table (${end})`,
      );
    }
  }
  return end;
}

/** The processor the file is for; undefined for one superbell is not built for. */
export function archOf(header: ElfHeader): Arch | undefined {
  return MACHINES.get(header.machine);
}

/** The zero-terminated string at `offset` of a string table; empty when the offset is outside. */
export function stringAt(table: Bytes, offset: number): string {
  const end = table.indexOf(0, offset);
  return new TextDecoder("latin1").decode(table.subarray(offset, end < 0 ? table.length : end));
}

function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A 64-bit field as a number; above 2^53 it cannot be an offset into any real file. */
function offsetAt(view: DataView, at: number, name: string): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new BuildError(`Cannot read "${name}": byte ${at} holds an offset beyond any file`);
  }
  return Number(value);
}

function hex(bytes: Bytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
