import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { BuildError } from "../../tools/build_error.ts";
import { readDynamic } from "../../tools/dynamic.ts";
import { type Arch, type Bytes, readHeader, readSections } from "../../tools/elf.ts";
import { type Instruction, machineCode } from "../../tools/getentropy.ts";
import { floorOf, lowerFloor } from "../../tools/glibc_floor.ts";
import { DEFINITIONS, OLDEST_VERSION } from "../../tools/treatments.ts";
import { elfFile, joined } from "./elf_file.ts";
import {
  assembled,
  cannotLink,
  linkedFile,
  type LinkedFileOptions,
  runFile,
  runnerOf,
} from "./linked_file.ts";

const OLD_KERNEL = new URL("../old_hosts/old_kernel.py", import.meta.url).pathname;
const ARCHES: readonly Arch[] = ["x64", "arm64"];

/** Uses everything that has a treatment; its exit code says what did not work. */
const EVERYTHING = `
  float expf(float);
  float powf(float, float);
  int getentropy(void *, unsigned long);
  __attribute__((weak)) long getrandom(void *, unsigned long, unsigned);
  __attribute__((weak)) int nobody_has_this(void);
  unsigned long strlen(const char *);
  int run(void) {
    unsigned char bytes[300];
    int zeros = 0;
    if (strlen("four") != 4) return 2;
    if (expf(0) != 1 || powf(2, 10) != 1024) return 3;
    for (int at = 0; at < 300; at++) bytes[at] = 0;
    if (getentropy(bytes, 256) != 0) return 4;
    for (int at = 0; at < 256; at++) zeros += bytes[at] == 0;
    if (zeros > 32) return 5;
    for (int at = 256; at < 300; at++) if (bytes[at] != 0) return 6;
    if (getentropy(bytes, 0) != 0) return 7;
    if (getentropy(bytes, 257) != -1) return 8;
    if (nobody_has_this) return 9;
    return getrandom ? 0 : 10;
  }`;

function everything(arch: Arch, more: Partial<LinkedFileOptions> = {}): Promise<Bytes> {
  const oldest = OLDEST_VERSION[arch];
  return linkedFile({
    arch,
    source: EVERYTHING,
    libraries: {
      "libm.so.6": { [oldest]: ["sin"], "GLIBC_2.27": ["expf", "powf"] },
      "libc.so.6": {
        [oldest]: ["strlen"],
        "GLIBC_2.25": ["getentropy", "getrandom"],
        "GLIBC_2.99": ["nobody_has_this"],
      },
    },
    ...more,
  });
}

for (const arch of ARCHES) {
  const test = testsFor(arch);
  test("lowerFloor() names every symbol and what was done", async () => {
    const file = await everything(arch);
    const { bytes, changes } = lowerFloor(file, "f");
    const summary = changes.map(({ symbol, library, from, treatment }) =>
      [symbol, from, library, treatment.replace(/0x[0-9a-f]+/, "0x…")].join(" ")
    );
    assertEquals(summary.sort(), [
      "expf GLIBC_2.27 libm.so.6 the oldest version there is",
      "getentropy GLIBC_2.25 libc.so.6 code in the file at 0x…",
      "getrandom GLIBC_2.25 libc.so.6 any version, or none",
      "nobody_has_this GLIBC_2.99 libc.so.6 any version, or none",
      "powf GLIBC_2.27 libm.so.6 the oldest version there is",
    ]);
    const before = floorOf(file, "f");
    assertEquals(before.highest.GLIBC, "2.99");
    assertEquals(before.problems.length, 3);
    const { highest, needs, defined, optional, problems } = floorOf(bytes, "f");
    assertEquals(highest.GLIBC, OLDEST_VERSION[arch].slice("GLIBC_".length));
    // libm is left without versions, so it leaves the list, though it is still loaded.
    assertEquals(needs.map(({ library }) => library), ["libc.so.6"]);
    assertEquals(defined, ["getentropy"]);
    assert(optional.includes("getrandom") && optional.includes("nobody_has_this"));
    assertEquals(problems, []);
  });

  test("lowerFloor() uses an older version of the same library that the file has", async () => {
    const file = await everything(arch, {
      source: `${EVERYTHING} double sin(double); double more(void) { return sin(1); }`,
    });
    const { bytes, changes } = lowerFloor(file, "f");
    const expf = changes.find(({ symbol }) => symbol === "expf")!;
    assertEquals(expf.treatment, OLDEST_VERSION[arch]);
    assertEquals(
      floorOf(bytes, "f").needs.map(({ library, versions }) => [library, versions.length]).sort(),
      [["libc.so.6", 1], ["libm.so.6", 1]],
    );
  });

  test("lowerFloor() of a lowered file changes nothing", async () => {
    const once = lowerFloor(await everything(arch), "f");
    const twice = lowerFloor(once.bytes, "f");
    assertEquals(twice.changes, []);
    assertEquals(twice.bytes, once.bytes);
  });

  test("lowerFloor() moves nothing and leaves what follows the image alone", async () => {
    const file = await everything(arch);
    const payload = "d3n0l4nd and the program";
    const { bytes } = lowerFloor(joined(file, payload), "f");
    assertEquals(bytes.length, file.length + payload.length);
    assertEquals(bytes, joined(lowerFloor(file, "f").bytes, payload));
  });

  test("lowerFloor() refuses a strong symbol without treatment, by name", async () => {
    const file = await linkedFile({
      arch,
      source: "void one(void); void other(void); int run(void) { one(); other(); return 0; }",
      libraries: { "libc.so.6": { "GLIBC_2.30": ["one"], "GLIBC_2.34": ["other"] } },
    });
    assertThrows(
      () => lowerFloor(file, "f"),
      BuildError,
      'no treatment is known for "one" (GLIBC_2.30 of libc.so.6), "other" (GLIBC_2.34 of libc.so.6)',
    );
  });

  test("lowerFloor() refuses what ties a file to one glibc", async () => {
    const file = await linkedFile({
      arch,
      source: "void inner(void); int run(void) { inner(); return 0; }",
      libraries: { "libc.so.6": { GLIBC_PRIVATE: ["inner"] } },
    });
    assertThrows(() => lowerFloor(file, "f"), BuildError, "it needs GLIBC_PRIVATE of libc.so.6");
  });

  test("lowerFloor() leaves a file alone that asks for no version", async () => {
    const file = await linkedFile({
      arch,
      source: "void plain(void); int run(void) { plain(); return 0; }",
      libraries: { "libplain.so": { "": ["plain"] } },
    });
    assertEquals(lowerFloor(file, "f"), { bytes: file, changes: [] });
    assertEquals(floorOf(file, "f").problems, [
      '"plain" is strong and has no version, so nobody can tell where it exists',
    ]);
  });

  test("lowerFloor() takes the whole list out when nothing is left of it", async () => {
    const file = await linkedFile({
      arch,
      source: "float expf(float); int run(void) { return expf(0) != 1; }",
      libraries: { "libm.so.6": { "GLIBC_2.27": ["expf"] } },
    });
    const { bytes } = lowerFloor(file, "f");
    assertEquals(readDynamic(bytes, "f")!.needs, []);
    assertEquals(floorOf(bytes, "f").highest, {});
    assertEquals(lowerFloor(bytes, "f").changes, []);
    if (runnerOf(arch)) assertEquals(await runFile(bytes, arch), { code: 0, stderr: "" });
  });

  test("lowerFloor() refuses to define a function whose address is taken", async () => {
    const file = await everything(arch, {
      source: `${EVERYTHING} int (*volatile taken)(void *, unsigned long) = getentropy;`,
    });
    assertThrows(() => lowerFloor(file, "f"), BuildError, '"getentropy": it is used in 2 ways');
  });

  test("lowerFloor() refuses to define a function where there is no room", async () => {
    const file = await everything(arch, { padding: false });
    assertThrows(() => lowerFloor(file, "f"), BuildError, "bytes of padding");
  });

  test("lowerFloor() answers damage with a BuildError, wherever it is", async () => {
    const file = await everything(arch);
    const sections = readSections(file, readHeader(file, "f"), "f");
    const places = sections.filter(({ type }) => type !== 0 && type !== 8)
      .filter(({ name }) =>
        /^\.(dynsym|dynstr|gnu\.version|gnu\.version_r|dynamic|rela\.plt|plt)$/.test(name)
      )
      .map(({ offset, sizeBytes }) => [offset, sizeBytes] as const);
    places.push([0, 64], [readHeader(file, "f").sectionTableOffset, sections.length * 64]);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const [offset, sizeBytes] = places[round % places.length]!;
      const at = offset + (round * 7919) % sizeBytes;
      const damaged = file.slice();
      damaged[at] = [0xff, 0, 0x80, damaged[at]! ^ 1][round % 4]!;
      try {
        lowerFloor(damaged, "f");
        floorOf(damaged, "f");
      } catch (error) {
        if (!(error instanceof BuildError)) {
          throw new Error(`byte ${at} as ${damaged[at]}`, { cause: error });
        }
        refused++;
      }
    }
    assert(refused > 100, `${refused} of 3000`);
    for (let bytes = 0; bytes < file.length; bytes += 997) {
      assertThrows(() => lowerFloor(file.slice(0, bytes), "f"), BuildError);
    }
  });

  test("getentropy's bytes are its assembly", async () => {
    const code: readonly Instruction[] = DEFINITIONS.getentropy!.code[arch];
    const syntax = arch === "x64" ? ".intel_syntax noprefix\n" : "";
    const assembly = code.map(([, line]) => `${line}\n`).join("");
    assertEquals([...machineCode(code)], [...await assembled(arch, syntax + assembly)]);
  });

  const noRunner = runnerOf(arch) === undefined ? "it cannot be run here" : undefined;
  test("a lowered file works, without a word from the loader", async () => {
    const { bytes } = lowerFloor(await everything(arch), "f");
    assertEquals(await runFile(bytes, arch), { code: 0, stderr: "" });
  }, noRunner);

  test("a lowered file has random bytes where the kernel has no getrandom", async () => {
    const { bytes } = lowerFloor(await everything(arch), "f");
    if (runnerOf(arch)!.length === 0) {
      assertEquals(await runFile(bytes, arch, [OLD_KERNEL]), { code: 0, stderr: "" });
    }
    // Also where there is no filter (an emulator): ask the kernel for a call that nobody has.
    const code = machineCode(DEFINITIONS.getentropy!.code[arch]);
    const at = indexOf(bytes, code) + indexOf(code, GETRANDOM_NUMBER[arch]);
    bytes.set(NO_SUCH_NUMBER[arch], at);
    assertEquals(await runFile(bytes, arch), { code: 0, stderr: "" });
  }, noRunner);
}

/** Registers tests for a processor; a reason, when there is one, stands in the name. */
function testsFor(arch: Arch) {
  return (name: string, fn: () => Promise<void>, whyNot?: string) => {
    const reason = cannotLink(arch) ?? whyNot;
    Deno.test({
      name: `${arch}: ${name}${reason === undefined ? "" : ` (skipped: ${reason})`}`,
      ignore: reason !== undefined,
      fn,
    });
  };
}

/** mov eax, 318 and mov x8, #278; then the same with 4095. */
const GETRANDOM_NUMBER = {
  x64: Uint8Array.of(0xb8, 0x3e, 0x01, 0, 0),
  arm64: Uint8Array.of(0xc8, 0x22, 0x80, 0xd2),
};
const NO_SUCH_NUMBER = {
  x64: Uint8Array.of(0xb8, 0xff, 0x0f, 0, 0),
  arm64: Uint8Array.of(0xe8, 0xff, 0x81, 0xd2),
};

Deno.test("lowerFloor() refuses what is no ELF file", () => {
  assertThrows(
    () => lowerFloor(joined("#!/bin/sh\n", new Uint8Array(64)), "script"),
    BuildError,
    'Cannot read "script": expected an ELF file',
  );
});

Deno.test("lowerFloor() leaves a file without dynamic table alone", () => {
  const file = elfFile();
  assertEquals(lowerFloor(file, "f"), { bytes: file, changes: [] });
  assertEquals(floorOf(file, "f").problems, []);
});

Deno.test("the built executables start on glibc 2.17 hosts, read back from the files", async () => {
  let found = 0;
  for (const arch of ARCHES) {
    const path = new URL(`../../dist/superbell-linux-${arch}`, import.meta.url);
    const bytes = await Deno.readFile(path).catch(() => undefined);
    if (bytes === undefined) continue; // "make test" builds for this machine only
    found++;
    const floor = floorOf(bytes, path.pathname);
    assertEquals(floor.problems, []);
    assertEquals(floor.defined, ["getentropy"]);
    assertEquals(lowerFloor(bytes, path.pathname).changes, []);
    for (const { name, flags } of floor.needs.flatMap(({ versions }) => versions)) {
      const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(name) ?? [];
      if (major !== undefined) assert(Number(major) === 2 && Number(minor) <= 17, name);
      assertEquals(flags, 0, `${name} is marked weak, so the loader would talk about it`);
    }
  }
  assert(found > 0, "nothing is built; run make build");
});

Deno.test("make floor says why a file does not start on an old host", async () => {
  const tool = new URL("../../tools/floor.ts", import.meta.url).pathname;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", tool, Deno.execPath()],
  }).output();
  const said = new TextDecoder().decode(stdout);
  assertEquals(code, 1, said);
  assertStringIncludes(
    said,
    "does not start on CentOS 7: GLIBC_2.27 of libm.so.6 is needed by expf",
  );
});

function indexOf(bytes: Bytes, part: Bytes): number {
  const at = bytes.findIndex((_, start) => part.every((byte, at) => bytes[start + at] === byte));
  assert(at >= 0, "the bytes are not there");
  return at;
}
