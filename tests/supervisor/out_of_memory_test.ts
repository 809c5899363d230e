// Whether the kernel killed a process for its memory: real records, the counter in files of the
// kernel's form, and, where this host lets us, a process that the kernel really kills.

import { killedForMemory, MemoryWatch } from "../../src/supervisor/out_of_memory.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";

/** As Linux 6.1, 5.4, 4.18 and CentOS 7's 3.10 write it. */
const RECORDS: readonly (readonly [string, number | undefined])[] = [
  ["Out of memory: Killed process 4242 (python3) total-vm:1kB, anon-rss:1kB", 4242],
  ["Memory cgroup out of memory: Killed process 77 (java) total-vm:1kB", 77],
  ["Killed process 15 (stress), UID 0, total-vm:1kB", 15],
  ["Killed process 15 (stress) total-vm:1kB, anon-rss:1kB", 15],
  ["Memory cgroup out of memory (memory.max): Killed process 9 (x) total-vm:1kB", 9],
  ["Out of memory: Kill process 4242 (python3) score 900 or sacrifice child", undefined],
  ["user text: Killed process 4242 (x)", undefined],
  ["oom_reaper: reaped process 4242 (python3), now anon-rss:0kB", undefined],
];

for (const [line, pid] of RECORDS) {
  Deno.test(`killedForMemory() of ${line.slice(0, 60)}`, () => {
    assertEquals(killedForMemory(line), pid);
  });
}

const NOW = Date.UTC(2026, 10, 21, 3, 0, 0);
const never = new AbortController().signal;

/** A watch on a host whose control group counts so many kills. */
function watchOf(folder: Folder, cgroup: string, file: string) {
  Deno.mkdirSync(`${folder.path}/proc/self`, { recursive: true });
  folder.write("proc/self/cgroup", cgroup);
  Deno.mkdirSync(folder.file(file).replace(/\/[^/]*$/, ""), { recursive: true });
  const places = {
    kernelLog: folder.file("kmsg"),
    proc: folder.file("proc"),
    controlGroups: folder.file("cgroup"),
  };
  const count = (kills: number) =>
    folder.write(file, `oom_kill_disable 0\nunder_oom 0\noom 9\noom_kill ${kills}\n`);
  return { watch: new MemoryWatch(places), count };
}

const GROUPS: readonly (readonly [string, string, string])[] = [
  [
    "version 2",
    "0::/system.slice/supervisor.service\n",
    "cgroup/system.slice/supervisor.service/memory.events",
  ],
  ["version 2 in a container", "0::/\n", "cgroup/memory.events"],
  [
    "version 1",
    "4:cpu,memory:/a/b\n1:name=systemd:/x\n0::/x\n",
    "cgroup/memory/a/b/memory.oom_control",
  ],
  ["version 1 in a container", "4:memory:/docker/1\n", "cgroup/memory/memory.oom_control"],
];

for (const [what, cgroup, file] of GROUPS) {
  Deno.test(`MemoryWatch says "possible" after the counter has grown: ${what}`, async () => {
    using folder = new Folder();
    const { watch, count } = watchOf(folder, cgroup, file);
    count(2);
    watch.look(NOW);
    const killed = { pid: 7, atMs: NOW + 60_000 };
    assertEquals(await watch.find(killed, never), undefined);
    count(3);
    assertEquals(await watch.find(killed, never), {
      certainty: "possible",
      kills: 1,
      sinceMs: NOW,
    });
  });
}

Deno.test("MemoryWatch says nothing of a kill that it may have counted already, or not at all", async () => {
  using folder = new Folder();
  const { watch, count } = watchOf(folder, "0::/\n", "cgroup/memory.events");
  const killed = { pid: 7, atMs: NOW };
  assertEquals(await watch.find(killed, never), undefined); // never looked
  count(1);
  watch.look(NOW - 1000); // too late to be sure that it was before
  count(2);
  assertEquals(await watch.find(killed, never), undefined);
  const { watch: blind } = watchOf(folder, "0::/elsewhere\n", "cgroup/memory.events");
  blind.look(NOW - 60_000);
  assertEquals(await blind.find(killed, never), undefined);
});

Deno.test("MemoryWatch looks at most every ten seconds", async () => {
  using folder = new Folder();
  const { watch, count } = watchOf(folder, "0::/\n", "cgroup/memory.events");
  count(1);
  watch.look(NOW);
  count(5);
  watch.look(NOW + 9000);
  const kill = await watch.find({ pid: 7, atMs: NOW + 20_000 }, never);
  assertEquals(kill, { certainty: "possible", kills: 4, sinceMs: NOW });
});

const GROUP = "/sys/fs/cgroup/memory/superbell-test";

/** Whether this host has control groups of version 1 that we may make, and shows its log. */
function canKill(): boolean {
  try {
    Deno.mkdirSync(GROUP);
    Deno.openSync("/dev/kmsg").close();
    return Deno.readLinkSync("/proc/self/ns/pid") === "pid:[4026531836]";
  } catch {
    return false;
  } finally {
    try {
      Deno.removeSync(GROUP);
    } catch {
      // It was not made.
    }
  }
}

Deno.test({
  name: "MemoryWatch knows from the kernel's log whom it has killed (wants root and cgroup v1)",
  ignore: !canKill(),
  async fn() {
    Deno.mkdirSync(GROUP);
    try {
      Deno.writeTextFileSync(`${GROUP}/memory.limit_in_bytes`, String(16 * 1024 ** 2));
      // Takes the place of the shell, so that the process that is killed has its id.
      const eats = `echo $$ > ${GROUP}/cgroup.procs; exec tail /dev/zero`;
      const child = new Deno.Command("/bin/sh", { args: ["-c", eats] }).spawn();
      const { signal } = await child.status;
      assertEquals(signal, "SIGKILL");
      using watch = new MemoryWatch();
      const atMs = Date.now();
      assertEquals(await watch.find({ pid: child.pid, atMs }, never), { certainty: "sure" });
      assertEquals(await watch.find({ pid: 1, atMs }, never), undefined);
      const later = atMs + 3_600_000;
      assertEquals(await watch.find({ pid: child.pid, atMs: later }, never), undefined);
      const given = AbortSignal.abort();
      assert(await watch.find({ pid: child.pid, atMs }, given) === undefined);
    } finally {
      Deno.removeSync(GROUP);
    }
  },
});
