// deno-lint-ignore-file no-console -- a bench prints
// Round trip of one event, from its last byte to READY, beside a Python listener that does
// nothing: in one run, in turn, as ratios. Prints figures and asserts none.
//
// Usage: deno run -A bench/listener.ts [ROUNDS]

interface Result {
  readonly startMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly idleKb: { readonly RssAnon: number; readonly VmRSS: number };
  readonly afterKb: { readonly RssAnon: number; readonly VmRSS: number };
}

interface Candidate {
  readonly name: string;
  readonly command: readonly string[];
  readonly events: number;
}

const EVENTS = 20_000;
const PYTHON = "/usr/bin/python3"; // Debian's, which has Debian's supervisor package

/** A channel that takes the connection and never answers: stored entries stay stored. */
function listenSilently(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

function configFor(directory: string, on: string, port: number): string {
  const path = `${directory}/${on}.yaml`;
  Deno.writeTextFileSync(
    path,
    `state_dir: ${directory}/${on}
log_level: warn
shutdown_window: 0s
channels:
  silent: { type: webhook, url: "http://127.0.0.1:${port}/" }
rules:
  - { name: bench, on: ${on}, to: silent }
`,
  );
  return path;
}

function drive({ command, events }: Candidate): Result {
  const drivePath = new URL("drive.py", import.meta.url).pathname;
  const { success, stdout, stderr } = new Deno.Command(PYTHON, {
    args: [drivePath, String(events), ...command],
    env: { SUPERVISOR_ENABLED: "1" },
  }).outputSync();
  if (!success) {
    throw new Error(`Cannot measure ${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)]!;
}

function main(): void {
  const rounds = Number(Deno.args[0] ?? 3);
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const executable = new URL(`../dist/superbell-linux-${arch}`, import.meta.url).pathname;
  const directory = Deno.makeTempDirSync({ prefix: "superbell-bench-" });
  const server = listenSilently();
  try {
    const { port } = server.addr;
    const ours = (on: string) => [executable, "listen", "-c", configFor(directory, on, port)];
    const noop = new URL("noop_listener.py", import.meta.url).pathname;
    const candidates: readonly Candidate[] = [
      { name: "Python, does nothing", command: [PYTHON, noop], events: EVENTS },
      { name: "superbell, no rule matches", command: ours("fatal"), events: EVENTS },
      { name: "superbell, matched and stored", command: ours("crash"), events: EVENTS },
    ];
    const results = new Map<string, Result[]>(candidates.map(({ name }) => [name, []]));
    for (let round = 1; round <= rounds; round++) {
      console.error(`round ${round} of ${rounds}: ${EVENTS} events each (about 5 s)`);
      for (const candidate of candidates) {
        // A fresh state each round: what a round stored must not slow the next one.
        for (const on of ["fatal", "crash"]) remove(`${directory}/${on}`);
        results.get(candidate.name)!.push(drive(candidate));
      }
    }
    printTable(results, candidates[0]!.name);
    console.error("memory: 100,000 events (about 10 s)");
    printMemory(drive({ ...candidates[1]!, events: 100_000 }));
  } finally {
    server.close();
    Deno.removeSync(directory, { recursive: true });
  }
}

function printTable(results: ReadonlyMap<string, readonly Result[]>, floor: string): void {
  const medianOf = (name: string, pick: (result: Result) => number) =>
    median(results.get(name)!.map(pick));
  const base = medianOf(floor, (result) => result.p50Us);
  console.log("listener                        ratio   p50 us (each round)     p99 us   start ms");
  for (const [name, rounds] of results) {
    const ratio = (medianOf(name, (result) => result.p50Us) / base).toFixed(2);
    const each = rounds.map((result) => result.p50Us.toFixed(0)).join(" ");
    const p99 = medianOf(name, (result) => result.p99Us).toFixed(0);
    const start = medianOf(name, (result) => result.startMs).toFixed(0);
    console.log(
      `${name.padEnd(30)} ${ratio.padStart(6)}   ${each.padEnd(22)} ${p99.padStart(7)} ${
        start.padStart(10)
      }`,
    );
  }
}

function printMemory({ idleKb, afterKb }: Result): void {
  const mb = (kb: number) => `${(kb / 1024).toFixed(1)} MB`;
  console.log(`RssAnon idle ${mb(idleKb.RssAnon)}, after 100,000 events ${mb(afterKb.RssAnon)}`);
  console.log(`VmRSS   idle ${mb(idleKb.VmRSS)}, after 100,000 events ${mb(afterKb.VmRSS)}`);
}

main();
