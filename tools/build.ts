/**
 * Builds dist/superbell-linux-x64 and -arm64: `deno run -A tools/build.ts [x64] [arm64] [host]`,
 * both without these words; with --compress a compressed copy of each beside it. An executable is
 * built again exactly when something that goes into it changed, judged by content: sources,
 * deno.json, deno.lock, Deno, runtime, these tools, commit.
 */
import { Buffer } from "node:buffer";
import { BuildError } from "./build_error.ts";
import { type BuildInfo, compile } from "./compile.ts";
import { compress, PACKED_SUFFIXES } from "./compress.ts";
import { findRuntime, type Runtime, type RuntimeSearch, TRIPLES } from "./denort.ts";
import { type Arch, archOf, type Bytes, imageEnd, readHeader } from "./elf.ts";
import { exists, filesUnder, removeIfThere } from "./files.ts";
import { describeChanges } from "./floor.ts";
import { floorOf, lowerFloor } from "./glibc_floor.ts";
import { sha256 } from "./sha.ts";
import { FLOOR } from "./treatments.ts";

const ARCHES: readonly Arch[] = ["x64", "arm64"];
const PROJECT = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
const TOOLS = `${PROJECT}/.tools`;
const DENO_DIR = Deno.env.get("DENO_DIR") ?? `${TOOLS}/deno-cache`;
/** How to start an executable for the other processor. */
const EMULATORS: Readonly<Record<Arch, readonly string[]>> = {
  x64: ["qemu-x86_64-static", "-L", "/usr/x86_64-linux-gnu"],
  arm64: ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"],
};
/** Files outside src/ that go into the executable; those that do not exist are skipped. */
const ROOT_FILES = ["main.ts", "deno.json", "deno.lock", "config.example.yaml"];

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

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
}
