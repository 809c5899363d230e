/**
 * What we know about symbols of glibc that are newer than the floor: the tables that
 * glibc_floor.ts works from. A strong symbol that stands in none of them stops the build. Each row
 * is a fact about glibc, with the version that changed it.
 */
import type { Arch } from "./elf.ts";
import { GETENTROPY_ARM64, GETENTROPY_X64, type Instruction } from "./getentropy.ts";

/** The versions that the oldest supported host has, by the word in front of the number. */
export const FLOOR: Readonly<Record<string, readonly number[]>> = {
  GLIBC: [2, 17], // CentOS and RHEL 7
  GCC: [4, 8, 0], // libgcc_s of GCC 4.8, same hosts
};

/** A symbol that got a new version although the floor's glibc has it under an older one. */
export interface Relabel {
  readonly library: string;
  readonly why: string;
}

/** The oldest version of every glibc for the processor: its functions are everywhere. */
export const OLDEST_VERSION: Readonly<Record<Arch, string>> = {
  x64: "GLIBC_2.2.5",
  arm64: "GLIBC_2.17",
};

// glibc 2.27 gave these a new version only because they stopped calling a user's matherr().
const SAME_BUT_MATHERR: Relabel = {
  library: "libm.so.6",
  why: "the same function; the new label only says that it no longer calls matherr()",
};

/** Strong symbols that take the oldest version of the same library. */
export const RELABELS: Readonly<Record<string, Relabel>> = {
  expf: SAME_BUT_MATHERR,
  exp2f: SAME_BUT_MATHERR,
  logf: SAME_BUT_MATHERR,
  log2f: SAME_BUT_MATHERR,
  powf: SAME_BUT_MATHERR,
};

/** A symbol that the floor's glibc has not, with code of our own for it. */
export interface Definition {
  readonly code: Readonly<Record<Arch, readonly Instruction[]>>;
  readonly why: string;
}

/** Strong symbols that get a definition inside the file. */
export const DEFINITIONS: Readonly<Record<string, Definition>> = {
  getentropy: {
    code: { x64: GETENTROPY_X64, arm64: GETENTROPY_ARM64 },
    why: "since glibc 2.25; asks the kernel by getrandom, where it has none /dev/urandom",
  },
};
