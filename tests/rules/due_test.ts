import { DueTimes } from "../../src/rules/due.ts";
import { assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";

Deno.test("DueTimes takes what is due, the earliest first, and each once", () => {
  const due = new DueTimes();
  for (const [name, atMs] of [["c", 30], ["a", 10], ["b", 20], ["d", 40]] as const) {
    due.set(name, atMs);
  }
  assertEquals([due.next(), due.take(30), due.next(), due.take(30)], [
    10,
    ["a", "b", "c"],
    40,
    [],
  ]);
});

Deno.test("DueTimes forgets what is set anew, or not due any more", () => {
  const due = new DueTimes();
  due.set("a", 10);
  due.set("a", 50);
  due.set("b", 20);
  due.set("b", undefined);
  assertEquals([due.next(), due.take(49), due.take(50), due.next()], [50, [], ["a"], undefined]);
});

Deno.test("DueTimes is the same as sorting, after any changes", () => {
  const random = new Random(5);
  const due = new DueTimes();
  const times = new Map<string, number>();
  for (let turn = 0; turn < 5000; turn++) {
    const name = `n${random.below(50)}`;
    if (random.chance(0.1)) {
      due.set(name, undefined);
      times.delete(name);
    } else {
      const atMs = random.below(1000);
      due.set(name, atMs);
      times.set(name, atMs);
    }
    if (!random.chance(0.02)) continue;
    const nowMs = random.below(300);
    const expected = [...times].filter(([, atMs]) => atMs <= nowMs)
      .sort(([a, left], [b, right]) => left - right || (a < b ? -1 : 1)).map(([name]) => name);
    for (const name of expected) times.delete(name);
    assertEquals(due.take(nowMs), expected);
    assertEquals(due.next(), times.size === 0 ? undefined : Math.min(...times.values()));
  }
});
