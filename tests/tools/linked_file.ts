/**
 * Small ELF executables, compiled and linked by the tests of tools/ for either processor. They are
 * linked with libraries made of nothing but labels, so a test says which versions they ask for, and
 * run with the real ones. Neither headers nor start files of a libc are needed.
 */
import type { Arch, Bytes } from "../../tools/elf.ts";

/** What a test wants in the file. */
export interface LinkedFileOptions {
  readonly arch: Arch;
  /** C, with `int run(void)`; its answer is the exit code. */
  readonly source: string;
  /** Symbols by version by library: `{ "libm.so.6": { "GLIBC_2.27": ["expf"] } }`. */
  readonly libraries: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Whether .text has padding in front of a page boundary, as real programs have; true. */
  readonly padding?: boolean;
  readonly linkerOptions?: readonly string[];
}

const HOST: Arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
/** In front of gcc, as and objcopy; those for this host's own processor have plain names. */
const PREFIXES: Readonly<Record<Arch, string>> = {
  x64: HOST === "x64" ? "" : "x86_64-linux-gnu-",
  arm64: HOST === "arm64" ? "" : "aarch64-linux-gnu-",
};
const INTERPRETERS: Readonly<Record<Arch, string>> = {
  x64: "/lib64/ld-linux-x86-64.so.2",
  arm64: "/lib/ld-linux-aarch64.so.1",
};
const PADDING: Readonly<Record<Arch, string>> = {
  x64: ".text\\nret\\n.balign 16\\n.balign 4096, 0xcc\\nret\\n",
  arm64: ".text\\nret\\n.balign 4096\\nret\\n",
};
const START: Readonly<Record<Arch, string>> = {
  x64: `__attribute__((force_align_arg_pointer)) void _start(void) {
    long code = run();
    __asm__ volatile("syscall" :: "a"(231L), "D"(code));
    __builtin_unreachable();
  }`,
  arm64: `void _start(void) {
    register long code __asm__("x0") = run();
    register long number __asm__("x8") = 94;
    __asm__ volatile("svc #0" :: "r"(code), "r"(number));
    __builtin_unreachable();
  }`,
};

/** Why files for this processor cannot be made here; undefined when they can. */
export function cannotLink(arch: Arch): string | undefined {
  const compiler = `${PREFIXES[arch]}gcc`;
  if (isThere(compiler)) return undefined;
  const cross = arch === "arm64" ? "-aarch64-linux-gnu" : "-x86-64-linux-gnu";
  return `there is no ${compiler} (Debian: gcc${arch === HOST ? "" : cross})`;
}

/** How to start a file for this processor here; undefined when that is impossible. */
export function runnerOf(arch: Arch): readonly string[] | undefined {
  if (arch === HOST) return [];
  const name = arch === "arm64" ? "aarch64" : "x86_64";
  const program = `qemu-${name}-static`;
  const root = `/usr/${name}-linux-gnu`;
  return isThere(program) && exists(root + INTERPRETERS[arch]) ? [program, "-L", root] : undefined;
}

/** Compiles and links; the file's bytes. */
export async function linkedFile(options: LinkedFileOptions): Promise<Bytes> {
  const { arch, libraries } = options;
  const dir = await Deno.makeTempDir();
  try {
    const names = Object.keys(libraries);
    for (const library of names) {
      const symbolsByVersion = Object.entries(libraries[library]!);
      const symbols = symbolsByVersion.flatMap(([, symbols]) => symbols);
      await Deno.writeTextFile(
        `${dir}/${library}.c`,
        symbols.map((symbol) => `void ${symbol}(void) {}\n`).join(""),
      );
      await Deno.writeTextFile(
        `${dir}/${library}.map`,
        symbolsByVersion.map(([version, symbols]) => `${version} { ${symbols.join("; ")}; };\n`)
          .join(""),
      );
      const versions = symbolsByVersion.some(([version]) => version !== "")
        ? [`-Wl,--version-script=${dir}/${library}.map`]
        : [];
      // deno-fmt-ignore
      await compile(arch, ["-shared", "-fno-builtin", "-w", `-Wl,-soname,${library}`, ...versions,
        "-o", `${dir}/${library}`, `${dir}/${library}.c`]);
    }
    const padding = options.padding === false ? "" : `__asm__("${PADDING[arch]}");\n`;
    await Deno.writeTextFile(
      `${dir}/main.c`,
      `${padding}int run(void);\n${START[arch]}\n${options.source}\n`,
    );
    // deno-fmt-ignore
    await compile(arch, ["-pie", "-fPIE", "-fno-builtin", "-O1", "-fno-stack-protector",
      "-Wl,--allow-shlib-undefined", "-Wl,-z,max-page-size=65536",
      `-Wl,--dynamic-linker=${INTERPRETERS[arch]}`, ...options.linkerOptions ?? [],
      "-o", `${dir}/main`, `${dir}/main.c`, ...names.map((name) => `${dir}/${name}`)]);
    return await Deno.readFile(`${dir}/main`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Starts a file and waits for its end. `wrapper` goes in front of the command. */
export async function runFile(
  bytes: Bytes,
  arch: Arch,
  wrapper: readonly string[] = [],
): Promise<{ readonly code: number; readonly stderr: string }> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, bytes);
    await Deno.chmod(path, 0o755);
    const [program, ...args] = [...wrapper, ...runnerOf(arch)!, path];
    const { code, stderr } = await new Deno.Command(program!, { args }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(path);
  }
}

/** Assembles with the compiler's assembler; the machine code. */
export async function assembled(arch: Arch, assembly: string): Promise<Bytes> {
  const dir = await Deno.makeTempDir();
  const tool = (name: string) => `${PREFIXES[arch]}${name}`;
  try {
    await Deno.writeTextFile(`${dir}/code.s`, assembly);
    await run(tool("as"), ["-o", `${dir}/code.o`, `${dir}/code.s`]);
    await run(tool("objcopy"), ["-O", "binary", "-j", ".text", `${dir}/code.o`, `${dir}/code`]);
    return await Deno.readFile(`${dir}/code`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function compile(arch: Arch, args: readonly string[]): Promise<void> {
  const forArch = arch === "x64" ? ["-fcf-protection=none"] : []; // stubs of the usual form
  await run(`${PREFIXES[arch]}gcc`, ["-nostdlib", ...forArch, ...args]);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}

function isThere(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((dir) => exists(`${dir}/${program}`));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
