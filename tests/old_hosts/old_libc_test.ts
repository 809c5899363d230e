// The built executables with the exports of glibc 2.17, see old_libc.ts, and with fewer.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { plainEnv } from "../support/executable.ts";
import { crashFrame, PipedListener } from "../support/piped_listener.ts";
import { makePlace, storedEntries } from "../support/places.ts";
import { until } from "../support/until.ts";
import type { Arch } from "../../tools/elf.ts";
import { makeOldLibc } from "./old_libc.ts";

const INTERPRETERS = {
  x64: "/lib64/ld-linux-x86-64.so.2",
  arm64: "/lib/ld-linux-aarch64.so.1",
} as const;
const ARCH: Arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
/** A version that only the executable's strong symbols use: without it the loader must refuse. */
const LAST_NEEDED = { x64: { minor: 15, name: "GLIBC_2.16" }, arm64: undefined } as const;

/** Nothing listens there, so what was taken stays. */
const CONFIG = `
state_dir: "{dir}"
channels:
  hook: { type: webhook, url: "http://127.0.0.1:1/" }
rules:
  - { name: crash, on: [crash], to: [hook] }
`;

for (const arch of ["x64", "arm64"] as const) {
  const dirs = libraryDirs(arch);
  const executable = decodeURIComponent(
    new URL(`../../dist/superbell-linux-${arch}`, import.meta.url).pathname,
  );
  const whyNot = dirs.length === 0
    ? "its libraries are not here"
    : exists(executable)
    ? undefined
    : "it is not built";
  const ignore = whyNot !== undefined;
  const reason = ignore ? ` (skipped: ${whyNot})` : "";

  Deno.test({
    name: `${arch}: the executable runs with the exports of glibc 2.17${reason}`,
    ignore,
    async fn() {
      await using libc = await makeOldLibc(dirs, 17);
      const { code, stdout, stderr } = await runWith(libc.dir, arch, executable);
      assertEquals([code, stderr], [0, ""]);
      assertStringIncludes(stdout, "built for:  glibc 2.17 or newer");
      assertStringIncludes(stdout, `(${libc.dir}/libc.so.6)`);
    },
  });

  Deno.test({
    name: `${arch}: with the exports of glibc 2.17 it listens and keeps what it took${reason}`,
    ignore,
    async fn() {
      await using libc = await makeOldLibc(dirs, 17);
      using place = makePlace();
      const config = place.write("superbell.yaml", CONFIG);
      const program = await commandWith(libc.dir, arch, executable);
      await using listener = new PipedListener(config, { program });
      await listener.ready(1);
      for (let serial = 0; serial < 20; serial++) {
        await listener.take(crashFrame(serial, `api-${serial}`));
      }
      await until("all to be stored", () => storedEntries(place.dir).length === 20);
      listener.kill("SIGTERM");
      assertEquals((await listener.ended).code, 0);
      listener.assertOnlyProtocol();
    },
  });

  const last = LAST_NEEDED[arch];
  if (last !== undefined) {
    Deno.test({
      name: `${arch}: the loader refuses it with fewer exports, so the test can fail${reason}`,
      ignore,
      async fn() {
        await using libc = await makeOldLibc(dirs, last.minor);
        const { code, stderr } = await runWith(libc.dir, arch, executable);
        assertEquals(code, 1);
        assertStringIncludes(stderr, `version \`${last.name}' not found`);
      },
    });
  }
}

/** Runs `superbell version --verbose` with the libraries in `dir`. */
async function runWith(dir: string, arch: Arch, executable: string) {
  const output = await new Deno.Command(await commandWith(dir, arch, executable), {
    args: ["version", "--verbose"],
    clearEnv: true,
    env: plainEnv(),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}

/**
 * A command that starts a copy of the executable with the loader and the libraries in `dir`;
 * nothing else is changed.
 */
async function commandWith(dir: string, arch: Arch, executable: string): Promise<string> {
  const bytes = await Deno.readFile(executable);
  const usual = new TextEncoder().encode(INTERPRETERS[arch]);
  const at = bytes.subarray(0, 4096).findIndex((_, at) =>
    usual.every((byte, index) => bytes[at + index] === byte)
  );
  const loader = INTERPRETERS[arch].split("/").at(-1)!;
  await Deno.symlink(loader, `${dir}/l`);
  bytes.fill(0, at, at + usual.length);
  bytes.set(new TextEncoder().encode("./l"), at); // the kernel takes it from the working directory
  await Deno.writeFile(`${dir}/superbell`, bytes, { mode: 0o755 });
  await Deno.chmod(`${dir}/superbell`, 0o755);
  const emulator = arch === ARCH ? "" : `qemu-${arch === "x64" ? "x86_64" : "aarch64"}-static `;
  const command = `${dir}/command`;
  await Deno.writeTextFile(
    command,
    // Not for the emulator and the shell, which are of this host.
    emulator === ""
      ? `#!/bin/sh\ncd "${dir}" && LD_LIBRARY_PATH="${dir}" exec ./superbell "$@"\n`
      : `#!/bin/sh\ncd "${dir}" && exec ${emulator}-E LD_LIBRARY_PATH="${dir}" ./superbell "$@"\n`,
    { mode: 0o755 },
  );
  return command;
}

/** Where libc and libgcc of the processor lie: this host's own, or those of Debian's cross packages. */
function libraryDirs(arch: Arch): string[] {
  const triple = `${arch === "x64" ? "x86_64" : "aarch64"}-linux-gnu`;
  const own = [`/lib/${triple}`, `/usr/lib/${triple}`, "/lib64", "/usr/lib64"];
  const dirs = arch === ARCH ? own : [`/usr/${triple}/lib`];
  if (arch !== ARCH && !exists(`/usr/bin/qemu-${triple.split("-")[0]}-static`)) return [];
  const found = dirs.find((dir) => exists(`${dir}/libc.so.6`) && exists(`${dir}/libgcc_s.so.1`));
  if (found === undefined) return [];
  const loader = INTERPRETERS[arch];
  return exists(`${found}/${loader.split("/").at(-1)}`) ? [found] : [found, "/lib64"];
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
