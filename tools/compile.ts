/**
 * Compiles the program from a copy of what goes into it, with one fixed time stamp, because
 * `deno compile` puts time stamps into the executable; so the same commit gives the same bytes in
 * any directory.
 */
import { BuildError } from "./build_error.ts";
import { type Runtime, runtimeFromNpm, type RuntimeSearch, TRIPLES } from "./denort.ts";
import type { Bytes } from "./elf.ts";
import { filesUnder, parentOf } from "./files.ts";

/**
 * A listener lives for months and does little: small memory matters more than peak speed (the
 * answer to supervisord is not slower by it, see bench/). What V8's threads take while they compile
 * never comes back, 3 to 7 MB, so the main one does that. And the patterns of users are run by
 * V8's linear engine, because one that backtracks could hold up every event.
 */
const V8_FLAGS = [
  "--optimize-for-size",
  "--max-semi-space-size=1",
  "--no-concurrent-recompilation",
  "--enable-experimental-regexp-engine",
];

/** What the program reads as dist/build.json inside the executable. */
export interface BuildInfo {
  readonly version: string;
  /** 40 hex digits; "unknown" outside a git checkout. */
  readonly commit: string;
  /** True when a file that goes into the executable differs from the commit. */
  readonly dirty: boolean;
  /** The target name of `deno compile`. */
  readonly target: string;
  /** The oldest glibc it starts with; the build fails when that is not reached. */
  readonly glibc: string;
}

/** Every embedded file gets this time; any fixed value would do. */
const FILE_TIME = new Date("2000-01-01T00:00:00Z");

/** Files outside src/ that the program reads as files at run time. */
const EMBEDDED_ROOT_FILES = ["config.example.yaml"];

/** Runs `deno compile` in a fresh copy of what goes in, and returns the executable. */
export async function compile(
  search: RuntimeSearch,
  runtime: Runtime,
  files: readonly string[],
  info: BuildInfo,
): Promise<Bytes> {
  const stage = await Deno.makeTempDir({ dir: `${search.projectDir}/.tools`, prefix: "stage-" });
  try {
    await copyFiles(search.projectDir, files, stage);
    await Deno.mkdir(`${stage}/dist`);
    await Deno.writeTextFile(`${stage}/dist/build.json`, JSON.stringify(info) + "\n");
    await copyNpmPackages(search.denoDir, `${stage}/cache`);
    await setFileTimes(stage);
    const includes = ["dist/build.json", ...files.filter(isReadAtRunTime)];
    const name = `superbell-linux-${search.arch}`;
    const command = new Deno.Command(Deno.execPath(), {
      // Types are checked by "make ok". Without --no-code-cache the program would keep compiled
      // code under a guessable name in /tmp and trust it on the next start, as root.
      // deno-fmt-ignore
      args: [
        "compile", "--quiet", "--allow-all", "--no-check", "--no-code-cache", "--frozen",
        "--cached-only", "--target", TRIPLES[search.arch], `--v8-flags=${V8_FLAGS.join(",")}`,
        ...includes.flatMap((path) => ["--include", path]),
        "--output", `out/${name}`, "main.ts",
      ],
      cwd: stage,
      env: { ...compileEnv(runtime), DENO_DIR: `${stage}/cache`, NO_COLOR: "1" },
      clearEnv: true,
      stdout: "null",
      stderr: "piped",
    });
    const { success, stderr } = await command.output();
    if (success) return await Deno.readFile(`${stage}/out/${name}`);
    const said = new TextDecoder().decode(stderr).split("\n\nStack backtrace")[0]!.trim();
    // Only the download of the runtime may be replaced; any other failure is the program's.
    if (runtime.path === undefined && said.includes("Setting up base binary")) {
      search.say("Deno's own download of the runtime failed; using npm instead");
      return await compile(search, await runtimeFromNpm(search), files, info);
    }
    throw new BuildError(
      `Cannot compile main.ts for ${search.arch} with the runtime from ${runtime.origin}:\n  ` +
        `${said.replaceAll(stage, ".").split("\n").slice(0, 20).join("\n  ")}\n` +
        `If a package is missing from the cache, run "make setup"`,
    );
  } finally {
    await Deno.remove(stage, { recursive: true });
  }
}

/** The environment without what could change the result or point Deno at another runtime. */
function compileEnv(runtime: Runtime): Record<string, string> {
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) =>
    !name.startsWith("DENORT_BIN") && name !== "DENO_V8_FLAGS"
  );
  const denort = runtime.path === undefined ? {} : { DENORT_BIN: runtime.path };
  return { ...Object.fromEntries(kept), ...denort };
}

/**
 * The npm packages of Deno's cache, copied, plus a link to its runtime downloads. Only a copy can
 * get fixed time stamps. LICENSE becomes LICENSE.txt: Deno takes a file without extension for
 * JavaScript and would store the parse error, which holds the path of this directory.
 */
async function copyNpmPackages(denoDir: string, toDir: string): Promise<void> {
  await Deno.mkdir(`${toDir}/npm`, { recursive: true });
  await Deno.mkdir(`${denoDir}/dl`, { recursive: true });
  await Deno.symlink(`${denoDir}/dl`, `${toDir}/dl`);
  for (const path of await filesUnder(`${denoDir}/npm`)) {
    const target = `${toDir}/npm/${path.replace(/(^|\/)(LICEN[CS]E|NOTICE|COPYING)$/, "$1$2.txt")}`;
    await Deno.mkdir(parentOf(target), { recursive: true });
    await Deno.copyFile(`${denoDir}/npm/${path}`, target);
  }
}

async function copyFiles(fromDir: string, paths: readonly string[], toDir: string): Promise<void> {
  for (const path of paths) {
    await Deno.mkdir(parentOf(`${toDir}/${path}`), { recursive: true });
    await Deno.copyFile(`${fromDir}/${path}`, `${toDir}/${path}`);
  }
}

async function setFileTimes(dir: string): Promise<void> {
  for (const path of await filesUnder(dir)) {
    await Deno.utime(`${dir}/${path}`, FILE_TIME, FILE_TIME);
  }
}

/** Modules are found by Deno itself; anything else under src/ must be named to be embedded. */
function isReadAtRunTime(path: string): boolean {
  return EMBEDDED_ROOT_FILES.includes(path) || (path.startsWith("src/") && !path.endsWith(".ts"));
}
