/**
 * Builds dist/superbell-linux-x64 and -arm64: `deno run -A tools/build.ts [x64] [arm64] [host]`,
 * both without these words; with --compress a compressed copy of each beside it. An executable is built again exactly when something that goes into it
 * changed, judged by content: sources, deno.json, deno.lock, Deno, runtime, these tools, commit.
 * It is compiled from a copy of those files with one fixed time stamp, because `deno compile` puts
 * time stamps into the executable; so the same commit gives the same bytes in any directory.
 */
import { Buffer } from "node:buffer";
import { BuildError } from "./build_error.ts";
import { compress, PACKED_SUFFIXES } from "./compress.ts";
import {
  findRuntime,
  type Runtime,
  runtimeFromNpm,
  type RuntimeSearch,
  TRIPLES,
} from "./denort.ts";
import { type Arch, archOf, type Bytes, imageEnd, readHeader } from "./elf.ts";
import { describeChanges } from "./floor.ts";
import { floorOf, lowerFloor } from "./glibc_floor.ts";
import { sha256 } from "./sha.ts";
import { FLOOR } from "./treatments.ts";

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

const ARCHES: readonly Arch[] = ["x64", "arm64"];
const PROJECT = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
const TOOLS = `${PROJECT}/.tools`;
const DENO_DIR = Deno.env.get("DENO_DIR") ?? `${TOOLS}/deno-cache`;
/** Every embedded file gets this time; any fixed value would do. */
const FILE_TIME = new Date("2000-01-01T00:00:00Z");
/** How to start an executable for the other processor. */
const EMULATORS: Readonly<Record<Arch, readonly string[]>> = {
  x64: ["qemu-x86_64-static", "-L", "/usr/x86_64-linux-gnu"],
  arm64: ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"],
};
/** Files outside src/ that go into the executable; those that do not exist are skipped. */
const ROOT_FILES = ["main.ts", "deno.json", "deno.lock", "config.example.yaml"];
/** Of those, the ones that the program reads as files at run time. */
const EMBEDDED_ROOT_FILES = ["config.example.yaml"];

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    say(error.message);
    Deno.exitCode = 1;
  }
}

async function main(args: readonly string[]): Promise<void> {
  const words = args.filter((arg) => arg !== "--compress");
  const arches = words.length === 0 ? ARCHES : [...new Set(words.map(parseArch))];
  await Deno.mkdir(`${PROJECT}/dist`, { recursive: true });
  for (const arch of arches) {
    await build(arch);
    if (args.includes("--compress")) {
      await compress(`${PROJECT}/dist`, `superbell-linux-${arch}`, say);
    }
  }
  await writeSums();
}

async function build(arch: Arch): Promise<void> {
  const out = `dist/superbell-linux-${arch}`;
  const search: RuntimeSearch = {
    arch,
    hostArch: hostArch(),
    denoVersion: (await Deno.readTextFile(`${PROJECT}/.dvmrc`)).trim(),
    projectDir: PROJECT,
    denoDir: DENO_DIR,
    env: (name) => Deno.env.get(name),
    say,
  };
  if (Deno.version.deno !== search.denoVersion) {
    throw new BuildError(
      `Cannot build with Deno ${Deno.version.deno}: .dvmrc pins ${search.denoVersion}; ` +
        `run "make build", which uses the right one`,
    );
  }
  const files = await sourceFiles();
  const info = await buildInfo(arch, files);
  const runtime = await findRuntime(search);
  const inputs = await digestOfInputs(files, info, runtime, search.denoVersion);
  const stampPath = `${TOOLS}/stamps/superbell-linux-${arch}`;
  if (await isUpToDate(`${PROJECT}/${out}`, stampPath, inputs)) {
    say(`${out} is up to date`);
    return;
  }
  say(`Building ${out} (a few seconds); runtime: ${runtime.origin}`);
  const compiled = await compile(search, runtime, files, info);
  checkExecutable(compiled, out, arch);
  const executable = lower(compiled, out);
  const partPath = `${PROJECT}/${out}.${Deno.pid}.part`;
  try {
    await Deno.writeFile(partPath, executable, { mode: 0o755 });
    await checkItRuns(partPath, out, arch, info);
    await Deno.rename(partPath, `${PROJECT}/${out}`);
  } catch (error) {
    await removeIfThere(partPath);
    throw error;
  }
  for (const suffix of PACKED_SUFFIXES) await removeIfThere(`${PROJECT}/${out}${suffix}`);
  await Deno.mkdir(`${TOOLS}/stamps`, { recursive: true });
  await Deno.writeTextFile(stampPath, `${inputs} ${await sha256(executable)}\n`);
  say(
    `Built ${out}: ${(executable.length / 1e6).toFixed(1)} MB, version ${info.version}, ` +
      `commit ${info.commit.slice(0, 12)}${info.dirty ? " with changes" : ""}`,
  );
}

/** Runs `deno compile` in a fresh copy of what goes in, and returns the executable. */
async function compile(
  search: RuntimeSearch,
  runtime: Runtime,
  files: readonly string[],
  info: BuildInfo,
): Promise<Bytes> {
  const stage = await Deno.makeTempDir({ dir: TOOLS, prefix: "stage-" });
  try {
    await copyFiles(files, stage);
    await Deno.mkdir(`${stage}/dist`);
    await Deno.writeTextFile(`${stage}/dist/build.json`, JSON.stringify(info) + "\n");
    await copyNpmPackages(`${stage}/cache`);
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
      say("Deno's own download of the runtime failed; using npm instead");
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
async function copyNpmPackages(toDir: string): Promise<void> {
  await Deno.mkdir(`${toDir}/npm`, { recursive: true });
  await Deno.mkdir(`${DENO_DIR}/dl`, { recursive: true });
  await Deno.symlink(`${DENO_DIR}/dl`, `${toDir}/dl`);
  for (const path of await filesUnder(`${DENO_DIR}/npm`)) {
    const target = `${toDir}/npm/${path.replace(/(^|\/)(LICEN[CS]E|NOTICE|COPYING)$/, "$1$2.txt")}`;
    await Deno.mkdir(parentOf(target), { recursive: true });
    await Deno.copyFile(`${DENO_DIR}/npm/${path}`, target);
  }
}

async function copyFiles(paths: readonly string[], toDir: string): Promise<void> {
  for (const path of paths) {
    await Deno.mkdir(parentOf(`${toDir}/${path}`), { recursive: true });
    await Deno.copyFile(`${PROJECT}/${path}`, `${toDir}/${path}`);
  }
}

async function setFileTimes(dir: string): Promise<void> {
  for (const path of await filesUnder(dir)) {
    await Deno.utime(`${dir}/${path}`, FILE_TIME, FILE_TIME);
  }
}

/** Refuses an executable for another processor, and tells when it is not reproducible. */
function checkExecutable(executable: Bytes, out: string, arch: Arch): void {
  const found = archOf(readHeader(executable, out));
  if (found !== arch) {
    throw new BuildError(`Refused ${out}: it was built for ${found ?? "another processor"}`);
  }
  const payload = executable.subarray(imageEnd(executable, out));
  if (Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).includes(PROJECT)) {
    say(`Note: ${out} holds the path ${PROJECT}; a build elsewhere will differ`);
  }
}

/** The executable for old hosts; says what was changed, and proves the result by reading it. */
function lower(compiled: Bytes, out: string): Bytes {
  const { bytes, changes } = lowerFloor(compiled, out);
  say(`Lowered ${out} to glibc ${FLOOR.GLIBC!.join(".")}:`);
  for (const line of describeChanges(changes)) say(line);
  const { problems } = floorOf(bytes, out);
  if (problems.length > 0) {
    throw new BuildError(`Refused ${out}: it would not start: ${problems.join("; ")}`);
  }
  const end = imageEnd(bytes, out);
  if (Buffer.compare(bytes.subarray(end), compiled.subarray(imageEnd(compiled, out))) !== 0) {
    throw new BuildError(`Refused ${out}: the program behind byte ${end} was changed`);
  }
  return bytes;
}

/** Starts the executable, if need be in an emulator, and looks whether the program is in it. */
async function checkItRuns(path: string, out: string, arch: Arch, info: BuildInfo): Promise<void> {
  const [program, ...args] = arch === hostArch()
    ? [path, "version"]
    : [...EMULATORS[arch], path, "version"];
  const { success, stdout, stderr } = await new Deno.Command(program!, { args, stdin: "null" })
    .output().catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return { success: undefined, stdout: new Uint8Array(), stderr: new Uint8Array() };
    });
  if (success === undefined) {
    say(`Note: ${out} was not started; there is no ${program} here (Debian: qemu-user-static)`);
    return;
  }
  const said = new TextDecoder().decode(stdout);
  if (success && said.startsWith(`superbell ${info.version} (commit ${info.commit}`)) return;
  const complaint = new TextDecoder().decode(stderr).trim();
  if (!success && arch !== hostArch() && /Could not open '\/lib/.test(complaint)) {
    say(`Note: ${out} was not started; its libraries are not here (Debian: libc6-arm64-cross)`);
    return;
  }
  throw new BuildError(
    `Refused ${out}: "${program} ${args.join(" ")}" failed: ${said}${complaint}`.trim(),
  );
}

/** Paths, relative to the project, of everything of ours that goes into the executable. */
async function sourceFiles(): Promise<string[]> {
  // Editors leave hidden and "~" files behind; those must not be embedded.
  const inSrc = (await filesUnder(`${PROJECT}/src`)).map((path) => `src/${path}`)
    .filter((path) => !/(^|\/)\.|~$/.test(path));
  const atRoot: string[] = [];
  for (const path of ROOT_FILES) {
    if (await exists(`${PROJECT}/${path}`)) atRoot.push(path);
  }
  if (!atRoot.includes("main.ts")) {
    throw new BuildError(`Cannot build: there is no main.ts in ${PROJECT}`);
  }
  return [...atRoot, ...inSrc];
}

/** Modules are found by Deno itself; anything else under src/ must be named to be embedded. */
function isReadAtRunTime(path: string): boolean {
  return EMBEDDED_ROOT_FILES.includes(path) || (path.startsWith("src/") && !path.endsWith(".ts"));
}

async function buildInfo(arch: Arch, files: readonly string[]): Promise<BuildInfo> {
  const config: unknown = JSON.parse(await Deno.readTextFile(`${PROJECT}/deno.json`));
  const version = (config as { version?: unknown }).version;
  if (typeof version !== "string") {
    throw new BuildError(`Cannot read the version in ${PROJECT}/deno.json: expected a string`);
  }
  // The prefix is empty only at the top of a checkout; elsewhere the commit is not ours.
  const head = await git(["rev-parse", "--show-prefix", "HEAD"]);
  const commit = head?.match(/^\n([0-9a-f]{40,64})\n$/)?.[1] ?? "unknown";
  const status = await git(["status", "--porcelain", "--", ...files, "src"]);
  const dirty = commit !== "unknown" && status !== "";
  return { version, commit, dirty, target: TRIPLES[arch], glibc: FLOOR.GLIBC!.join(".") };
}

async function git(args: readonly string[]): Promise<string | undefined> {
  try {
    const command = new Deno.Command("git", { args: [...args], cwd: PROJECT, stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined; // no git: a release tarball can be built without it
  }
}

/** One digest over everything that decides what the executable is. */
async function digestOfInputs(
  files: readonly string[],
  info: BuildInfo,
  runtime: Runtime,
  denoVersion: string,
): Promise<string> {
  const tools = (await filesUnder(`${PROJECT}/tools`)).map((path) => `tools/${path}`);
  const lines = [JSON.stringify(info), runtime.id, denoVersion];
  for (const path of [...files, ...tools]) {
    lines.push(`${await sha256(await Deno.readFile(`${PROJECT}/${path}`))} ${path}`);
  }
  return await sha256(new TextEncoder().encode(lines.join("\n")));
}

/** True when the executable is the one built from these inputs, byte for byte. */
async function isUpToDate(path: string, stampPath: string, inputs: string): Promise<boolean> {
  if (!await exists(path) || !await exists(stampPath)) return false;
  const stamp = (await Deno.readTextFile(stampPath)).trim();
  return stamp.startsWith(`${inputs} `) &&
    stamp === `${inputs} ${await sha256(await Deno.readFile(path))}`;
}

/** dist/SHA256SUMS for what was built and compressed, in the format of sha256sum. */
async function writeSums(): Promise<void> {
  const lines: string[] = [];
  const names = ARCHES.flatMap((arch) =>
    ["", ...PACKED_SUFFIXES].map((suffix) => `superbell-linux-${arch}${suffix}`)
  );
  for (const name of names) {
    if (!await exists(`${PROJECT}/dist/${name}`)) continue;
    lines.push(`${await sha256(await Deno.readFile(`${PROJECT}/dist/${name}`))}  ${name}\n`);
  }
  await Deno.writeTextFile(`${PROJECT}/dist/SHA256SUMS`, lines.join(""));
}

/** Relative paths of the files under `dir`, sorted; links are not followed. */
async function filesUnder(dir: string): Promise<string[]> {
  const paths: string[] = [];
  if (!await exists(dir)) return paths;
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isDirectory) {
      const below = await filesUnder(`${dir}/${entry.name}`);
      paths.push(...below.map((path) => `${entry.name}/${path}`));
    } else if (entry.isFile) {
      paths.push(entry.name);
    }
  }
  return paths.sort();
}

function parseArch(word: string): Arch {
  if (word === "host") return hostArch();
  const arch = ARCHES.find((known) => known === word);
  if (arch === undefined) {
    throw new BuildError(`Cannot build for "${word}": expected ${ARCHES.join(", ")} or host`);
  }
  return arch;
}

function hostArch(): Arch {
  return Deno.build.arch === "aarch64" ? "arm64" : "x64";
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
}
