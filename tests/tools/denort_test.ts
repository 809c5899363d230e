import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { BuildError } from "../../tools/build_error.ts";
import { checkRuntime, cutRuntime, findRuntime } from "../../tools/denort.ts";
import type { Bytes } from "../../tools/elf.ts";
import { sha256 } from "../../tools/sha.ts";
import { elfFile, joined } from "./elf_file.ts";

const DENORT = elfFile({ text: "Could not find standalone binary section. Deno/2.7.11" });
const WANT = { arch: "x64", denoVersion: "2.7.11" } as const;

Deno.test("cutRuntime() returns the bytes in front of the payload", () => {
  const cut = cutRuntime(joined(DENORT, "d3n0l4nd", "the program"), "steady");
  assertEquals(cut, DENORT);
});

Deno.test("cutRuntime() refuses an executable without payload", () => {
  assertThrows(() => cutRuntime(DENORT, "deno"), BuildError, "found the end of the file");
});

Deno.test("cutRuntime() refuses a payload of another kind", () => {
  assertThrows(
    () => cutRuntime(joined(DENORT, "PK\x03\x04 and so on"), "zip"),
    BuildError,
    `expected "d3n0l4nd" at byte ${DENORT.length}`,
  );
});

Deno.test("cutRuntime() refuses a file cut off inside the ELF image", () => {
  assertThrows(
    () => cutRuntime(DENORT.slice(0, 200), "short"),
    BuildError,
    "is cut off or damaged",
  );
});

Deno.test("checkRuntime() accepts a bare denort of the same version", () => {
  checkRuntime(DENORT, "denort", WANT);
});

const unusable: readonly (readonly [string, Bytes, string])[] = [
  ["another processor", elfFile({ machine: 183 }), "it is for arm64, expected x64"],
  ["a compiled program", joined(DENORT, "d3n0l4nd"), "8 bytes follow the ELF image"],
  ["the full deno", elfFile({ text: "Deno/2.7.11" }), "it is not denort"],
  [
    "another version",
    elfFile({ text: "Could not find standalone binary section. Deno/2.9.0" }),
    "it is not of Deno 2.7.11",
  ],
];

for (const [what, bytes, message] of unusable) {
  Deno.test(`checkRuntime() refuses ${what}`, () => {
    assertThrows(() => checkRuntime(bytes, "denort", WANT), BuildError, message);
  });
}

Deno.test("findRuntime() takes DENORT_BIN for the processor of this machine", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${dir}/denort`, DENORT);
    const runtime = await findRuntime(searchIn(dir, { DENORT_BIN: `${dir}/denort` }));
    assertEquals(runtime, {
      path: `${dir}/denort`,
      origin: `DENORT_BIN (${dir}/denort)`,
      id: await sha256(DENORT),
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("findRuntime() names the variable whose file is missing", async () => {
  await assertRejects(
    () => findRuntime(searchIn("/nowhere", { DENORT_BIN_X64: "denort" })),
    BuildError,
    'Cannot read "/nowhere/denort", named by DENORT_BIN_X64: no such file',
  );
});

Deno.test("findRuntime() prefers an earlier download by Deno to any network", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${dir}/dl/release/v2.7.11`, { recursive: true });
    await Deno.writeTextFile(
      `${dir}/dl/release/v2.7.11/denort-x86_64-unknown-linux-gnu.zip`,
      "a zip that Deno will read",
    );
    const runtime = await findRuntime(searchIn(dir, {}));
    assertEquals(runtime, {
      path: undefined,
      origin: "Deno's own download",
      id: "deno-2.7.11-x64",
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

function searchIn(dir: string, env: Readonly<Record<string, string>>) {
  return {
    ...WANT,
    hostArch: "x64",
    projectDir: dir,
    denoDir: dir,
    env: (name: string) => env[name],
    say: () => {},
  } as const;
}
