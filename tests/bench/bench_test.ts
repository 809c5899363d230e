// The bench in its short form: that it works and prints every row. What it prints means nothing
// here, for all measurements run at the same time.

import { drawPicture } from "../../bench/picture.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { plainEnv } from "../support/executable.ts";

interface Table {
  readonly subjects: readonly string[];
  readonly figures: readonly string[];
  readonly cells: ReadonlyMap<string, string>;
}

/** Stands in the table only where the machine has it. */
const OPTIONAL = ["C, does nothing", "superlance crashmail"];

/** Runs the bench; answers what it printed and the table of each measurement. */
async function bench(
  ...args: readonly string[]
): Promise<{ text: string; tables: Map<string, Table> }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      new URL("../../bench/main.ts", import.meta.url).pathname,
      ...args,
    ],
    clearEnv: true,
    env: plainEnv({ ...cacheOf(), NO_COLOR: "1" }),
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text + new TextDecoder().decode(stderr));
  const sections = text.split(/^## /m).slice(1);
  return {
    text,
    tables: new Map(sections.map((section) => [section.split("\n")[0]!, tableIn(section)])),
  };
}

function cacheOf(): Record<string, string> {
  const names = ["DENO_DIR", "SUPERBELL_BIN"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

function tableIn(section: string): Table {
  const lines = section.split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
  const figures = lines[0]!.slice(1);
  const rows = lines.slice(2).filter(([subject]) => !OPTIONAL.includes(subject!));
  const cells = rows.flatMap(([subject, ...cells]) =>
    cells.map((cell, index) => [`${subject}: ${figures[index]}`, cell] as const)
  );
  return { figures, subjects: rows.map(([subject]) => subject!), cells: new Map(cells) };
}

Deno.test("bench/main.ts --short runs every measurement and prints every row", async (test) => {
  const page = new URL("../../docs/benchmarks.md", import.meta.url);
  const before = await Deno.readTextFile(page);
  const { tables, text } = await bench("--short");
  const expected: Record<string, Pick<Table, "subjects" | "figures">> = {
    answer: {
      subjects: [
        "Python, does nothing",
        "superbell, no rule matches",
        "superbell, matched and stored",
        "superbell, each opens an incident",
        "superbell, its incident is open",
        "superbell, stored, 100 rules and 1,000 processes",
        "superbell, stored while 8 deliveries hang",
        "superbell, stored while a webhook takes 8 at once",
      ],
      figures: ["p50", "p99", "max"],
    },
    supervisord: {
      subjects: ["Python, does nothing", "superbell"],
      figures: [
        "events a second",
        "listener's processor time for one",
        "supervisord's processor time for one",
      ],
    },
    loss: {
      subjects: [0, 0.2, 2].map((takes) => `10 deaths in one instant, channel takes ${takes} s`),
      figures: [
        "told by superbell",
        "superbell's last news after",
        "told by Python",
        "Python's last news after",
      ],
    },
    cost: {
      subjects: [
        "superbell",
        "Python, posts by HTTP",
        "Python, mails",
        "Python, runs a command",
        "three Python listeners together",
        "Python, does nothing",
        "superbell, after 2,000 events",
        "superbell, with 500 entries waiting",
      ],
      figures: [
        "private memory (RssAnon)",
        "RSS",
        "PSS",
        "processor, idle",
        "woken, idle",
        "start to READY",
        "disk for one event",
        "file",
      ],
    },
    growth: {
      subjects: [
        "1,000 events before",
        "10,000 events before",
        "10 processes",
        "100 processes",
        "1 rules",
        "10 rules",
      ],
      figures: ["no rule matches", "matched and stored"],
    },
    latency: {
      subjects: [
        "superbell, nudge 200ms",
        "superbell, nudge 50ms",
        "Python as in tutorials",
        "one nudge over one connection",
        "one nudge over a connection of its own",
      ],
      figures: [
        "death to request, p50",
        "death to request, p99",
        "until the listener has the event, p50",
        "from there to the request, p50",
        "from there to the request, p99",
        "death to restart, p50",
        "starts of a program that ends at once",
        "supervisord idle",
        "listener idle",
        "supervisord's time",
      ],
    },
  };
  assertEquals([...tables.keys()], Object.keys(expected));
  for (const [name, { subjects, figures }] of Object.entries(expected)) {
    await test.step(name, () => {
      const table = tables.get(name)!;
      assertEquals(table.subjects, subjects);
      assertEquals(table.figures, figures);
      for (const subject of subjects) {
        assert(figures.some((figure) => table.cells.get(`${subject}: ${figure}`) !== ""), subject);
      }
    });
  }
  await test.step("nobody was forgotten", () => {
    for (const subject of expected["loss"]!.subjects) {
      assertEquals(tables.get("loss")!.cells.get(`${subject}: told by superbell`), "100 %");
    }
  });
  await test.step("the page is not written", async () => {
    assertEquals(await Deno.readTextFile(page), before);
    for (const name of Object.keys(expected)) {
      assertStringIncludes(before, `<!-- begin ${name} -->`);
      assertStringIncludes(before, `<!-- end ${name} -->`);
    }
    for (const name of ["history", "processes", "rules"]) {
      assertStringIncludes(text, `(benchmarks/growth-${name}.svg)`);
    }
  });
});

Deno.test("drawPicture() draws every point within its frame and escapes what it says", () => {
  const svg = drawPicture({
    name: "x",
    title: "a < b",
    alt: "R&D",
    x: { label: "events", logarithmic: true },
    y: { label: "µs" },
    lines: [{ name: "one", points: [[10, 5], [1000, 7], [5000, 0]] }, {
      name: "two",
      points: [[10, 3]],
    }],
  });
  assertStringIncludes(svg, "<title>a &lt; b</title><desc>R&amp;D</desc>");
  const dots = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)]
    .map(([, x, y]) => [Number(x), Number(y)] as const);
  assertEquals(dots.length, 4);
  for (const [x, y] of dots) assert(x >= 70 && x <= 700 && y >= 50 && y <= 290, `${x} ${y}`);
  // More to the right, and higher for more.
  assert(dots[0]![0] < dots[1]![0] && dots[1]![0] < dots[2]![0]);
  assert(dots[1]![1] < dots[0]![1] && dots[0]![1] < dots[2]![1]);
  assertStringIncludes(svg, ">10k</text>");
  assertStringIncludes(svg, "prefers-color-scheme:dark");
});
