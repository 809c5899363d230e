// What supervisord's own list and log become for a comparison: recorded logs, and answers over
// real HTTP.

import { readExitLog } from "../../src/supervisor/exit_reason.ts";
import { askSupervisor, exitOf, infoOf, logOf } from "../../src/supervisor/reconcile.ts";
import { SupervisorClient, SupervisorError } from "../../src/supervisor/client.ts";
import { assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { startModelServer } from "../support/model_server.ts";
import { SupervisordModel } from "../support/supervisord_model.ts";

const LOGS = new URL("../fixtures/supervisord_logs/", import.meta.url);
const recorded = (name: string) =>
  logOf(
    readExitLog(Deno.readTextFileSync(new URL(`${name}-supervisor-4.2.5-deb.log`, LOGS))),
  );

Deno.test("logOf() follows a program through its lives", () => {
  const flap = recorded("autorestart").get("flap")!;
  const first = flap.ends.slice(0, 4);
  assertEquals(first.map(({ pid, ran, ended }) => [pid, ran, ended]), [
    [18197, true, "exited"],
    [18200, true, "exited"],
    [18242, true, "exited"],
    [18277, false, "stopped"],
  ]);
  assertEquals(first[0]!.exit, { status: 3, certainty: "sure" });
  assertEquals([...flap.endsBefore], [[18197, 0], [18200, 1], [18242, 2], [18277, 3]]);
});

Deno.test("logOf() has every end of 120 killed at once, with its process id", () => {
  const log = recorded("120-killed-at-once");
  const killed = [...log.values()].filter(({ ends }) => ends[0]?.exit?.signal === "SIGKILL");
  assertEquals(killed.length, 120);
  assertEquals(killed.every(({ ends }) => ends[0]!.ran && ends[0]!.pid !== undefined), true);
  assertEquals(new Set(killed.map(({ ends }) => ends[0]!.pid)).size, 120);
});

Deno.test("logOf() forgets what was before the last start of supervisord", () => {
  const { ends, endsBefore } = recorded("reload").get("a")!;
  assertEquals(ends.map(({ exit, ended }) => [ended, exit?.signal]), [["exited", "SIGKILL"]]);
  assertEquals([...endsBefore.values()], [0]);
});

Deno.test("logOf() has no process ids where the log has no starts", () => {
  const { ends, endsBefore } = recorded("loglevel-warn").get("three")!;
  assertEquals(ends.map(({ pid, exit }) => [pid, exit?.status]), [[undefined, 3]]);
  assertEquals(endsBefore.size, 0);
});

const INFO = {
  name: "api",
  group: "web",
  start: 1000,
  stop: 900,
  now: 1100,
  statename: "RUNNING",
  spawnerr: "",
  exitstatus: 0,
  pid: 7,
};

const INFO_ROWS: readonly [Partial<typeof INFO>, Record<string, unknown>][] = [
  [{}, { state: "RUNNING", pid: 7, startedAtS: 1000, stoppedAtS: 900 }],
  [{ statename: "EXITED", pid: 0, exitstatus: 3, spawnerr: "Bad exit code 3" }, {
    state: "EXITED",
    pid: 0,
    expected: false,
    exit: { status: 3, certainty: "sure" },
  }],
  [{ statename: "EXITED", pid: 0 }, { expected: true, exit: { status: 0, certainty: "sure" } }],
  // By a signal, of which XML-RPC knows nothing more.
  [{ statename: "EXITED", pid: 0, exitstatus: -1, spawnerr: "Bad exit code -1" }, {
    expected: false,
    exit: undefined,
  }],
  [{ statename: "FATAL", pid: 0, spawnerr: "can't find command 'x'" }, {
    state: "FATAL",
    exit: { spawnError: "can't find command 'x'", certainty: "sure" },
  }],
];
for (const [changes, expected] of INFO_ROWS) {
  Deno.test(`infoOf() reads ${JSON.stringify(changes)}`, () => {
    const info = infoOf({ ...INFO, ...changes });
    assertEquals(info.process, { name: "api", group: "web" });
    for (const [key, value] of Object.entries(expected)) {
      assertEquals(info[key as keyof typeof info], value, key);
    }
  });
}

Deno.test("exitOf() has nothing to say about nothing", () => {
  assertEquals(exitOf(undefined, { certainty: "sure" }), undefined);
});

const OPTIONS = { timeoutMs: 5000, countNews: () => 1 };

Deno.test("askSupervisor() brings the list, the name and the log", async () => {
  const model = new SupervisordModel([["web", "订单"]]);
  model.start(0);
  model.run(0);
  model.exit(0, "SIGKILL");
  await using server = startModelServer(model);
  const client = new SupervisorClient({ url: server.origin });
  const { look, server: name, logTrouble } = await askSupervisor(client, OPTIONS);
  assertEquals([name, logTrouble], ["model", undefined]);
  assertEquals(look.infos.map(({ process, state }) => [process.name, state]), [["订单", "EXITED"]]);
  assertEquals(look.log.get("订单")!.ends, [{
    ended: "exited",
    ran: true,
    pid: 100,
    expected: false,
    exit: { signal: "SIGKILL", certainty: "sure" },
    readingsMs: [1_800_000_002_250],
  }]);
});

Deno.test("askSupervisor() does not read the log where nothing is to be explained", async () => {
  await using server = startModelServer(new SupervisordModel([["web", "api"]]), { hasLog: false });
  const client = new SupervisorClient({ url: server.origin });
  const { look, logTrouble } = await askSupervisor(client, { ...OPTIONS, countNews: () => 0 });
  assertEquals([look.infos.length, look.log.size, logTrouble], [1, 0, undefined]);
  assertEquals(server.requests.length, 2);
});

Deno.test("askSupervisor() is content with the list", async () => {
  const model = new SupervisordModel([["web", "api"]]);
  await using server = startModelServer(model, { hasLog: false });
  const client = new SupervisorClient({ url: server.origin });
  const { look, logTrouble } = await askSupervisor(client, OPTIONS);
  assertEquals([look.infos.length, look.log.size], [1, 0]);
  assertMatch(logTrouble!, /HTTP 500/);
});

Deno.test("askSupervisor() fails where there is no list", async () => {
  await using server = startModelServer(new SupervisordModel([]));
  server.isBroken = true;
  const client = new SupervisorClient({ url: server.origin });
  await assertRejects(() => askSupervisor(client, OPTIONS), SupervisorError, "500");
});
