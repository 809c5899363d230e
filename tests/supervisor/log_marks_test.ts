// Where the logs of a process ended, noted at the moment of the event.

import type { Event } from "../../src/events/event.ts";
import { SupervisorClient } from "../../src/supervisor/client.ts";
import { type LogMark, LogMarks, mayHoldNewRun } from "../../src/supervisor/log_marks.ts";
import { assertEquals } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";

const WEB = { group: "web", name: "api" };
const origin = { server: "s", eventname: "PROCESS_STATE" };
const NOBODY = new SupervisorClient({ url: "unix:///nonexistent/supervisor.sock" });

const exited = (pid: number): Event => ({
  ...{ kind: "process_exited", origin, process: WEB, fromState: "RUNNING", pid, expected: false },
});
const infoOf = (stderr: string, stdout = "") => ({
  ...{ ...WEB, pid: 7, start: 1_000, stderr_logfile: stderr, stdout_logfile: stdout },
});

Deno.test("LogMarks notes how far the logs go when a process ends", () => {
  using folder = new Folder();
  const marks = new LogMarks(NOBODY);
  const [stderr, stdout] = [folder.write("e", "12345"), folder.write("o", "")];
  marks.note([infoOf(stderr, stdout)]);
  marks.heard(exited(7), 500);
  Deno.writeTextFileSync(stderr, "more", { append: true });
  const noted = marks.endOf(WEB, { pid: 7, atMs: 0 });
  assertEquals([noted.marks.stderr?.size, noted.marks.stdout?.size, noted.startS], [5, 0, 1_000]);
  assertEquals(noted.marks.stderr?.inode, Deno.statSync(stderr).ino);
  // Of another run nothing was noted; and of one that nobody asked about the start is not known.
  assertEquals(marks.endOf(WEB, { pid: 8, atMs: 500 }), { marks: {} });
  marks.heard(exited(8), 502);
  const { startS, marks: { stderr: second } } = marks.endOf(WEB, { pid: 8, atMs: 502 });
  assertEquals([startS, second?.size], [undefined, 9]);
  assertEquals(marks.endOf(WEB, { pid: 7, atMs: 502 }), noted);
});

Deno.test("LogMarks finds the end of a failed start, which has no process id, by its time", () => {
  using folder = new Folder();
  const marks = new LogMarks(NOBODY);
  const path = folder.write("e", "1");
  marks.note([infoOf(path)]);
  const failed: Event = {
    kind: "process_backoff",
    origin,
    process: WEB,
    fromState: "STARTING",
    tries: 1,
  };
  marks.heard(failed, 10_000);
  Deno.writeTextFileSync(path, "2", { append: true });
  marks.heard(failed, 12_000);
  const sizeAt = (atMs: number) => marks.endOf(WEB, { atMs }).marks.stderr?.size;
  assertEquals([10_100, 12_001, 14_000].map(sizeAt), [1, 2, undefined]);
});

Deno.test("LogMarks notes nothing of what is no file, or of an unknown process", () => {
  using folder = new Folder();
  const marks = new LogMarks(NOBODY);
  marks.heard(exited(7), 500);
  assertEquals(marks.endOf(WEB, { pid: 7, atMs: 500 }), { marks: {} });
  for (const path of ["", "logs/relative", folder.path, "/dev/null", folder.file("gone")]) {
    marks.note([infoOf(path)]);
    marks.heard(exited(7), 500);
    assertEquals(marks.endOf(WEB, { pid: 7, atMs: 500 }).marks, {});
  }
});

Deno.test("LogMarks forgets the oldest ends", () => {
  using folder = new Folder();
  const marks = new LogMarks(NOBODY);
  marks.note([infoOf(folder.write("e", "x"))]);
  for (let pid = 1; pid <= 2001; pid++) marks.heard(exited(pid), 0);
  assertEquals(marks.endOf(WEB, { pid: 1, atMs: 0 }), { marks: {} });
  assertEquals(marks.endOf(WEB, { pid: 2, atMs: 0 }).marks.stderr?.size, 1);
});

const RUNS: readonly (readonly [what: string, modifiedMs: number, notedAtMs: number, boolean])[] = [
  ["written long before, noted late", 500, 2000, false],
  ["written just before, noted before the start", 999, 1000, false],
  ["written just before, noted late", 999, 1050, true],
  ["written after the start", 1040, 1050, true],
];

for (const [what, modifiedMs, notedAtMs, expected] of RUNS) {
  Deno.test(`mayHoldNewRun() of a log ${what}: ${expected}`, () => {
    const mark: LogMark = { path: "/x", size: 1, inode: 1, modifiedMs, notedAtMs };
    assertEquals(mayHoldNewRun(mark, 1000), expected);
  });
}
