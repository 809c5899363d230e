// A supervisord in miniature, for tests of what compares the roster with it: programs that start,
// run, fail and end, with the events, the list and the log that the real one has of them.

import type { Frame } from "../../src/events/frame.ts";
import { frameOf } from "./frames.ts";

interface Program {
  readonly group: string;
  readonly name: string;
  state: string;
  pid: number;
  startS: number;
  stopS: number;
  spawnerr: string;
  exitstatus: number;
}

/** An end that happened, as it is to be told. */
export interface ModelEnd {
  readonly group: string;
  readonly name: string;
  readonly pid: number;
  readonly kind: "exited" | "stopped";
}

/** The programs, and what supervisord would say of them. */
export class SupervisordModel {
  readonly #programs: Program[];
  readonly frames: Frame[] = [];
  readonly ends: ModelEnd[] = [];
  readonly log: string[] = ["INFO supervisord started with pid 1"];
  #nextPid = 100;
  #serial = 0;
  /** Seconds since 1970. */
  nowS = 1_800_000_000;

  constructor(names: readonly (readonly [group: string, name: string])[]) {
    this.#programs = names.map(([group, name]) => ({
      group,
      name,
      state: "STOPPED",
      pid: 0,
      startS: 0,
      stopS: 0,
      spawnerr: "",
      exitstatus: 0,
    }));
  }

  get size(): number {
    return this.#programs.length;
  }

  stateOf(index: number): string {
    return this.#programs[index]!.state;
  }

  start(index: number): void {
    const program = this.#programs[index]!;
    program.pid = this.#nextPid++;
    program.startS = this.nowS;
    this.#write(`INFO spawned: '${program.name}' with pid ${program.pid}`);
    this.#tell(program, "STARTING", "tries:0");
  }

  run(index: number): void {
    const program = this.#programs[index]!;
    this.#write(
      `INFO success: ${program.name} entered RUNNING state, process has stayed up for > than 1 ` +
        "seconds (startsecs)",
    );
    this.#tell(program, "RUNNING", `pid:${program.pid}`);
  }

  /** By a signal, or with an exit status; 0 is expected. */
  exit(index: number, status: number | "SIGKILL"): void {
    const program = this.#programs[index]!;
    const how = status === "SIGKILL" ? "terminated by SIGKILL" : `exit status ${status}`;
    const verdict = status === 0 ? "expected" : "not expected";
    this.#write(`WARN exited: ${program.name} (${how}; ${verdict})`);
    const { pid } = this.#end(program, "exited");
    program.exitstatus = status === "SIGKILL" ? -1 : status;
    program.spawnerr = status === 0 ? "" : `Bad exit code ${program.exitstatus}`;
    this.#tell(program, "EXITED", `expected:${status === 0 ? 1 : 0} pid:${pid}`);
  }

  /** It ends before it has run long enough. */
  fail(index: number): void {
    const program = this.#programs[index]!;
    this.#write(`WARN exited: ${program.name} (exit status 1; not expected)`);
    program.pid = 0;
    program.stopS = this.nowS;
    program.spawnerr = "Exited too quickly (process log may have details)";
    this.#tell(program, "BACKOFF", "tries:1");
  }

  giveUp(index: number): void {
    this.#tell(this.#programs[index]!, "FATAL");
  }

  stop(index: number): void {
    const program = this.#programs[index]!;
    this.#tell(program, "STOPPING", `pid:${program.pid}`);
    this.#write(`INFO stopped: ${program.name} (terminated by SIGTERM)`);
    const { pid } = this.#end(program, "stopped");
    this.#tell(program, "STOPPED", `pid:${pid}`);
  }

  /** What getAllProcessInfo answers. */
  list(): Record<string, string | number>[] {
    return this.#programs.map((program) => ({
      name: program.name,
      group: program.group,
      start: program.startS,
      stop: program.stopS,
      now: this.nowS,
      state: 0,
      statename: program.state,
      spawnerr: program.spawnerr,
      exitstatus: program.state === "EXITED" ? program.exitstatus : 0,
      pid: program.pid,
    }));
  }

  #end(program: Program, kind: ModelEnd["kind"]): ModelEnd {
    const { group, name, pid } = program;
    const end = { group, name, pid, kind };
    this.ends.push(end);
    program.pid = 0;
    program.stopS = this.nowS;
    return end;
  }

  #tell(program: Program, state: string, rest = ""): void {
    this.nowS += 1;
    const from = program.state;
    program.state = state;
    const serial = this.#serial++;
    this.frames.push(frameOf({
      serial,
      eventname: `PROCESS_STATE_${state}`,
      payload: `processname:${program.name} groupname:${program.group} from_state:${from}` +
        (rest === "" ? "" : ` ${rest}`),
    }));
  }

  #write(line: string): void {
    this.log.push(`${localTime(this.nowS * 1000 + 250)} ${line}`);
  }
}

/** `2026-11-21 10:00:00,000` in the host's zone, as supervisord writes it. */
export function localTime(atMs: number): string {
  const iso = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString();
  return iso.slice(0, -1).replace("T", " ").replace(".", ",");
}
