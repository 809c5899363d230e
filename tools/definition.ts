/**
 * Gives an executable its own code for a function that it expects in a library. The code goes into
 * padding: bytes that the linker put in front of a page boundary and that nothing runs or reads.
 * The function's stub, through which every call goes, gets a jump to it. No byte moves.
 */
import { BuildError } from "./build_error.ts";
import {
  type Dynamic,
  type DynamicSymbol,
  readAllRelocations,
  readPltRelocations,
} from "./dynamic.ts";
import type { Arch, Bytes, ElfSection } from "./elf.ts";
import { type Instruction, machineCode } from "./getentropy.ts";

interface File {
  readonly arch: Arch;
  readonly name: string;
}

/** How stubs, jumps and padding look on a processor. Addresses as in memory, offsets as in bytes. */
interface Machine {
  /** Bytes of the common part in front of the first stub. */
  readonly firstStubAt: number;
  readonly fill: Bytes;
  /** The slot that the stub jumps through; undefined when it is no stub of the usual form. */
  slotOf(stub: DataView, address: number): number | undefined;
  /** Whether code can run on into what follows these four bytes. */
  runsOn(last: number): boolean;
  /** 16 bytes: a jump from `address` to `target`, then traps. */
  jump(address: number, target: number): Bytes | undefined;
  /** Where such a jump at `address` goes; undefined when it is none. */
  targetOf(stub: DataView, address: number): number | undefined;
}

const STUB_BYTES = 16;
const PAGE_BYTES = 4096;
/** Bytes of padding that are left on either side. */
const MARGIN_BYTES = 16;

const X64: Machine = {
  firstStubAt: 16,
  fill: Uint8Array.of(0xcc), // int3
  slotOf(stub, address) { // ff 25 disp32: jmp [rip + disp32]
    return stub.getUint16(0, true) === 0x25ff ? address + 6 + stub.getInt32(2, true) : undefined;
  },
  // Whoever ran on would run into int3, so nobody does.
  runsOn: () => false,
  jump(address, target) { // e9 disp32
    const distance = target - (address + 5);
    if (distance !== (distance | 0)) return undefined;
    const bytes = new Uint8Array(STUB_BYTES).fill(0xcc);
    bytes[0] = 0xe9;
    new DataView(bytes.buffer).setInt32(1, distance, true);
    return bytes;
  },
  targetOf(stub, address) {
    return stub.getUint8(0) === 0xe9 ? address + 5 + stub.getInt32(1, true) : undefined;
  },
};

const ARM64: Machine = {
  firstStubAt: 32,
  fill: Uint8Array.of(0x1f, 0x20, 0x03, 0xd5), // nop
  slotOf(stub, address) {
    const [adrp, ldr, br] = [0, 4, 12].map((at) => stub.getUint32(at, true)) as [
      number,
      number,
      number,
    ];
    const isUsual = (adrp & 0x9f00001f) >>> 0 === 0x90000010 && // adrp x16, page
      (ldr & 0xffc003ff) >>> 0 === 0xf9400211 && // ldr x17, [x16, #offset]
      br === 0xd61f0220; // br x17
    if (!isUsual) return undefined;
    const pages = (((adrp >>> 5) & 0x7ffff) << 2 | (adrp >>> 29) & 3) << 11 >> 11; // signed, 21 bits
    return address - address % PAGE_BYTES + pages * PAGE_BYTES + ((ldr >>> 10) & 0xfff) * 8;
  },
  runsOn(last) {
    return !(last >>> 26 === 5 || // b
      (last & 0xfffffc1f) >>> 0 === 0xd61f0000 || // br
      (last & 0xfffffc1f) >>> 0 === 0xd65f0000); // ret
  },
  jump(address, target) { // b: distance in words, signed, 26 bits
    const words = (target - address) / 4;
    if (words !== words << 6 >> 6) return undefined;
    const bytes = new Uint8Array(STUB_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 0x14000000 | words & 0x3ffffff, true);
    for (const at of [4, 8, 12]) view.setUint32(at, 0xd4200000, true); // brk #0
    return bytes;
  },
  targetOf(stub, address) {
    const word = stub.getUint32(0, true);
    return word >>> 26 === 5 ? address + (word << 6 >> 6) * 4 : undefined;
  },
};

const MACHINES: Readonly<Record<Arch, Machine>> = { x64: X64, arm64: ARM64 };

/** Writes the code and the jump into `bytes`; returns the address of the code. */
export function putDefinition(
  bytes: Bytes,
  dynamic: Dynamic,
  symbol: DynamicSymbol,
  instructions: readonly Instruction[],
  file: File,
): number {
  const machine = MACHINES[file.arch];
  const stub = findStub(bytes, dynamic, symbol, file);
  if (stub === undefined || machine.slotOf(stub.view, stub.address) !== stub.slot) {
    throw refusal(file, symbol, "its stub in .plt was not found or has an unknown form");
  }
  const uses = readAllRelocations(bytes, dynamic, file.name)
    .filter(({ symbolIndex }) => symbolIndex === symbol.index);
  if (uses.length !== 1) {
    throw refusal(
      file,
      symbol,
      `it is used in ${uses.length} ways, expected only calls through .plt`,
    );
  }
  const code = machineCode(instructions);
  const place = findPadding(bytes, dynamic.sections.all, code.length, machine);
  const jump = place && machine.jump(stub.address, place.address);
  if (place === undefined || jump === undefined) {
    throw refusal(
      file,
      symbol,
      `its .text has no ${code.length + 2 * MARGIN_BYTES} bytes of padding in front of a page ` +
        `boundary within reach of .plt`,
    );
  }
  bytes.set(code, place.offset);
  bytes.set(jump, stub.offset);
  return place.address;
}

/** True when the calls of `symbol` go to exactly this code inside the file. */
export function definitionOf(
  bytes: Bytes,
  dynamic: Dynamic,
  symbol: DynamicSymbol,
  instructions: readonly Instruction[],
  file: File,
): boolean {
  const stub = findStub(bytes, dynamic, symbol, file);
  const target = stub && MACHINES[file.arch].targetOf(stub.view, stub.address);
  const text = dynamic.sections.all.find(({ name }) => name === ".text");
  if (target === undefined || text === undefined) return false;
  const code = machineCode(instructions);
  const offset = text.offset + target - text.address;
  const isInText = target >= text.address &&
    target + code.length <= text.address + text.sizeBytes;
  return isInText && code.every((byte, index) => bytes[offset + index] === byte);
}

/** The stub through which a symbol is called: they stand in the order of their relocations. */
function findStub(bytes: Bytes, dynamic: Dynamic, symbol: DynamicSymbol, file: File) {
  const relocations = readPltRelocations(bytes, dynamic, file.name);
  const index = relocations.findIndex(({ symbolIndex }) => symbolIndex === symbol.index);
  const section = dynamic.sections.all.find(({ name }) => name === ".plt");
  if (index < 0 || section === undefined) return undefined;
  const at = MACHINES[file.arch].firstStubAt + index * STUB_BYTES;
  const offset = section.offset + at;
  if (at + STUB_BYTES > section.sizeBytes || offset + STUB_BYTES > bytes.length) return undefined;
  return {
    offset,
    address: section.address + at,
    slot: relocations[index]!.slot,
    view: new DataView(bytes.buffer, bytes.byteOffset + offset, STUB_BYTES),
  };
}

/**
 * The first padding in .text that is long enough. Only what ends at a page boundary counts: there
 * is a reason for it to be there, and whatever begins on the page has its own beginning.
 */
function findPadding(
  bytes: Bytes,
  sections: readonly ElfSection[],
  codeBytes: number,
  machine: Machine,
): { readonly offset: number; readonly address: number } | undefined {
  const text = sections.find(({ name }) => name === ".text");
  if (text === undefined || text.offset + text.sizeBytes > bytes.length) return undefined;
  const { fill } = machine;
  const view = new DataView(bytes.buffer, bytes.byteOffset + text.offset, text.sizeBytes);
  const isFill = (at: number) => fill.every((byte, index) => view.getUint8(at + index) === byte);
  const firstPage = PAGE_BYTES - text.address % PAGE_BYTES;
  for (let page = firstPage; page < text.sizeBytes; page += PAGE_BYTES) {
    let start = page;
    while (start >= fill.length && isFill(start - fill.length)) start -= fill.length;
    const place = start + MARGIN_BYTES + (16 - (text.address + start) % 16) % 16;
    if (place + codeBytes + MARGIN_BYTES > page || start < 4) continue;
    if (machine.runsOn(view.getUint32(start - 4, true))) continue;
    return { offset: text.offset + place, address: text.address + place };
  }
  return undefined;
}

function refusal(file: File, symbol: DynamicSymbol, why: string): BuildError {
  return new BuildError(
    `Cannot give "${file.name}" its own "${symbol.name}": ${why}; tools/definition.ts would have ` +
      `to learn it`,
  );
}
