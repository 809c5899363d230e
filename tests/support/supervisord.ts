// A real supervisord in a folder of its own, with superbell as its listener. The listener's
// section is the one that `superbell init section` prints, so that what people paste is what
// is tested. Everything it starts carries a mark in its environment; what still runs at the
// end is found by it and killed by its process id.

import { executable, type Finished, plainEnv, run, superbell } from "./executable.ts";
import { tail, until, within } from "./until.ts";

/** What to start. `{dir}` in any of the texts stands for the folder. */
export interface SupervisordOptions {
  /** superbell's configuration. */
  readonly config: string;
  /** Sections for the programs, as they stand in supervisord.conf. */
  readonly programs?: string;
  /** The listener's section; without it, what `superbell init section` prints. */
  readonly section?: string;
  /** Keys of the listener's section to set or replace. */
  readonly keys?: Readonly<Record<string, string>>;
  /** environment= of the listener: its secrets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** More files, by name inside the folder; those with `#!` can be run. */
  readonly files?: Readonly<Record<string, string>>;
  /** identifier= of supervisord. */
  readonly identifier?: string;
  /** The folder to use, which is kept; without it a new one that goes away at the end. */
  readonly dir?: string;
  /** Whether to wait for the listener to be RUNNING; true unless it cannot get there. */
  readonly running?: boolean;
}

const MARK = "SUPERBELL_TEST_MARK";
const STOP_WITHIN_MS = 25_000;

/** Starts supervisord; the listener is RUNNING when this settles. */
export async function startSupervisord(options: SupervisordOptions): Promise<Supervisord> {
  const dir = options.dir ?? await Deno.makeTempDir({ prefix: "superbell-e2e-" });
  const keeps = options.dir !== undefined;
  try {
    await writeFiles(dir, options);
  } catch (error) {
    if (!keeps) await Deno.remove(dir, { recursive: true });
    throw error;
  }
  const supervisord = new Supervisord(dir, keeps);
  try {
    await supervisord.until(
      "supervisord to start",
      () => supervisord.log().includes("supervisord started with pid"),
    );
    if (options.running !== false) {
      await supervisord.until(
        "the listener to be RUNNING",
        () => supervisord.log().includes("success: superbell entered RUNNING state"),
      );
    }
  } catch (error) {
    await supervisord[Symbol.asyncDispose]();
    throw error;
  }
  return supervisord;
}

/** A started supervisord. */
export class Supervisord implements AsyncDisposable {
  readonly dir: string;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #mark: string = crypto.randomUUID();
  readonly #keeps: boolean;
  #said = "";
  #ended = false;

  /** `keeps`: the folder stays when it is over. */
  constructor(dir: string, keeps = false) {
    this.dir = dir;
    this.#keeps = keeps;
    this.#child = new Deno.Command("supervisord", {
      args: ["-c", `${dir}/supervisord.conf`],
      cwd: dir,
      clearEnv: true,
      env: plainEnv({ [MARK]: this.#mark }),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const reading = this.#child.stderr.pipeThrough(new TextDecoderStream())
      .pipeTo(new WritableStream({ write: (text) => void (this.#said += text) }));
    // Its children have logs of their own, so the pipe ends with it.
    this.status = Promise.all([this.#child.status, reading]).then(([status]) => {
      this.#ended = true;
      return status;
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** supervisord's own log. */
  log(): string {
    return readIfThere(`${this.dir}/supervisord.log`);
  }

  /** What the listener wrote to stderr. */
  listenerLog(): string {
    return readIfThere(`${this.dir}/superbell.log`);
  }

  /** Waits for a condition; when it does not come, the error shows the logs. */
  async until<Value>(
    what: string,
    look: () => Value | undefined | false | null | Promise<Value | undefined | false | null>,
    withinMs?: number,
  ): Promise<Value> {
    const tails = () => this.tails();
    return await until(what, look, withinMs === undefined ? { tails } : { tails, withinMs });
  }

  /** Waits for words in supervisord's log; fails at once when supervisord ends before. */
  async logs(words: string): Promise<void> {
    await this.until(`"${words}" in supervisord's log`, () => {
      if (this.log().includes(words)) return true;
      if (this.#ended) throw new Error(`supervisord ended before "${words}"\n${this.tails()}`);
      return false;
    });
  }

  tails(): string {
    return tail("supervisord", this.log()) + tail("superbell", this.listenerLog()) +
      (this.#said === "" ? "" : tail("supervisord's stderr", this.#said));
  }

  /** `supervisorctl …` to its end. */
  async ctl(...args: readonly string[]): Promise<Finished> {
    return await run("supervisorctl", ["-c", `${this.dir}/supervisord.conf`, ...args]);
  }

  /** The state that supervisorctl shows: RUNNING, FATAL, … */
  async stateOf(name: string): Promise<string> {
    const { stdout } = await this.ctl("status", name);
    return /^\S+\s+(\S+)/.exec(stdout)?.[1] ?? stdout;
  }

  /** Every process id that supervisord has spawned under this name, the newest last. */
  pidsOf(name: string): number[] {
    const lines = this.log().matchAll(/spawned: '(.*)' with pid (\d+)$/gm);
    return [...lines].filter(([, spawned]) => spawned === name).map(([, , pid]) => Number(pid));
  }

  /** The process id that the name has now; throws when it was never spawned. */
  pidOf(name: string): number {
    const pid = this.pidsOf(name).at(-1);
    if (pid === undefined) throw new Error(`"${name}" was never spawned\n${this.tails()}`);
    return pid;
  }

  /** The process ids of everything that was started from here and still runs. */
  processes(): number[] {
    return markedProcesses(`${MARK}=${this.#mark}`);
  }

  /** The command lines of everything that runs, as any user of the host can see them. */
  commandLines(): string[] {
    return this.processes().map((pid) => readIfThere(`/proc/${pid}/cmdline`).replaceAll("\0", " "));
  }

  /** Ends supervisord and waits for it; afterwards the files can still be looked at. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has just ended by itself
    }
    const tails = () => this.tails();
    return await within("supervisord to end", this.status, { withinMs: STOP_WITHIN_MS, tails });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever wants an orderly end has called stop(); here it must only be quick and certain.
    if (!this.#ended) killIfThere(this.pid);
    await until("everything to be gone", () => {
      const left = this.processes();
      for (const pid of left) killIfThere(pid);
      return left.length === 0;
    });
    await this.status;
    if (!this.#keeps) await Deno.remove(this.dir, { recursive: true });
  }
}

async function writeFiles(dir: string, options: SupervisordOptions): Promise<void> {
  const inPlace = (text: string) => text.replaceAll("{dir}", dir);
  const write = (name: string, text: string, mode = 0o600) =>
    Deno.writeTextFile(`${dir}/${name}`, inPlace(text), { mode });
  await write("superbell.yaml", options.config);
  for (const [name, text] of Object.entries(options.files ?? {})) {
    await write(name, text, text.startsWith("#!") ? 0o700 : 0o600);
  }
  await write("supervisord.conf", mainConf(options.identifier ?? "e2e"));
  await write("programs.conf", options.programs ?? "");
  const section = options.section ?? await initSection(dir, options.environment ?? {});
  const pairs = Object.entries(options.environment ?? {}).map(([name, value]) =>
    `${name}="${value}"`
  );
  await write(
    "superbell.conf",
    withKeys(section, {
      stderr_logfile: "{dir}/superbell.log",
      ...(pairs.length > 0 && { environment: pairs.join(",") }),
      ...options.keys,
    }),
  );
}

function mainConf(identifier: string): string {
  return `[unix_http_server]
file={dir}/supervisor.sock

[supervisord]
nodaemon=true
silent=true
identifier=${identifier}
logfile={dir}/supervisord.log
loglevel=info
pidfile={dir}/supervisord.pid
childlogdir={dir}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{dir}/supervisor.sock

[include]
files=programs.conf superbell.conf
`;
}

/** What `superbell init section` prints for this configuration. */
async function initSection(
  dir: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const args = ["init", "section", "-c", `${dir}/superbell.yaml`];
  const { code, stdout, stderr } = await superbell(args, environment);
  if (code === 0) return stdout;
  // A configuration that is wrong on purpose: the section is then that of the usual place.
  const usual = await superbell(["init", "section"]);
  if (usual.code !== 0) throw new Error(`superbell init section: ${stderr}${usual.stderr}`);
  return usual.stdout.replace("/etc/superbell.yaml", `${dir}/superbell.yaml`);
}

/** The section with these keys; a line that sets one of them goes. */
function withKeys(section: string, keys: Readonly<Record<string, string>>): string {
  const kept = section.split("\n").filter((line) => !(line.split("=")[0]!.trim() in keys));
  const added = Object.entries(keys).map(([key, value]) => `${key}=${value}`);
  return [...kept, ...added, ""].join("\n");
}

/** The keys of a section, without comments. */
export function keysOf(section: string): Record<string, string> {
  const pairs = section.split("\n").flatMap((line) => {
    const [, key, value] = /^([a-z_]+)\s*=\s*(.*)$/.exec(line) ?? [];
    return key === undefined ? [] : [[key, value!]];
  });
  return Object.fromEntries(pairs);
}

/** The section that init prints for a configuration which stands at `path`. */
export async function printedSection(
  path: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, stdout, stderr } = await superbell(["init", "section", "-c", path], environment);
  if (code !== 0) throw new Error(`superbell init section: ${stderr}`);
  return stdout.replaceAll(executable(), "/usr/local/bin/superbell");
}

function markedProcesses(mark: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    if (!Number.isInteger(pid)) return false;
    if (!readIfThere(`/proc/${pid}/environ`).split("\0").includes(mark)) return false;
    return isAlive(pid);
  });
}

/** Whether a process runs; one that only waits to be reaped does not. */
export function isAlive(pid: number): boolean {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat !== "" && !"ZX".includes(stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "Z");
}

function killIfThere(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The file's text; "" when there is none, or it goes away while it is read. */
export function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
