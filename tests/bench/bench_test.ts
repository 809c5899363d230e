// The bench in its short form: that it works and prints every row. What it prints means nothing
// here, for all measurements run at the same time.

import { drawPicture } from "../../bench/picture.ts";
import { mayPutAhead } from "../../bench/priority.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { plainEnv } from "../support/executable.ts";

interface Table {
  readonly subjects: readonly string[];
  readonly figures: readonly string[];
  readonly cells: ReadonlyMap<string, string>;
  /** Those of OPTIONAL that stand in it. */
  readonly optional: readonly string[];
}

/** What a table must hold. */
interface Expected extends Pick<Table, "subjects" | "figures"> {
  /** Of these subjects only these figures are measured; of the others all. */
  readonly only?: Readonly<Record<string, readonly string[]>>;
  /** Goals whose lines must stand below the table, met or not. */
  readonly goals: readonly string[];
}

/** Stands in the table only where the machine has it. */
const C = "C, does nothing";
const OPTIONAL = [C, "superlance crashmail"]
  .flatMap((name) => [name, `${name}, at the usual priority`]);

const MEMORY = ["private memory (RssAnon)", "RSS", "PSS"];
const NUDGED = [
  "death to request, p50",
  "death to request, p99",
  "until the listener has the event, p50",
  "from there to the request, p50",
  "from there to the request, p99",
  "death to restart, p50",
  "starts of a program that ends at once",
  "supervisord idle",
  "listener idle",
];

/** Runs the bench; answers what it printed and the table of each measurement. */
async function bench(
  ...args: readonly string[]
): Promise<{ text: string; parts: Map<string, string>; tables: Map<string, Table> }> {
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
  const parts = new Map(sections.map((section) => [section.split("\n")[0]!, section]));
  return {
    text,
    parts,
    tables: new Map([...parts].map(([name, section]) => [name, tableIn(section)])),
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
  const [optional, rows] = [true, false].map((wanted) =>
    lines.slice(2).filter(([subject]) => OPTIONAL.includes(subject!) === wanted)
  ) as [string[][], string[][]];
  const cells = rows.flatMap(([subject, ...cells]) =>
    cells.map((cell, index) => [`${subject}: ${figures[index]}`, cell] as const)
  );
  const namesOf = (some: readonly string[][]) => some.map(([subject]) => subject!);
  return { figures, subjects: namesOf(rows), cells: new Map(cells), optional: namesOf(optional) };
}

/** Whether the bench can build its listener in C here. */
async function hasCompiler(): Promise<boolean> {
  const command = new Deno.Command("gcc", { args: ["--version"], stdout: "null", stderr: "null" });
  return await command.output().then(({ success }) => success, () => false);
}

Deno.test("bench/main.ts --short runs every measurement and prints every row", async (test) => {
  const page = new URL("../../docs/benchmarks.md", import.meta.url);
  const before = await Deno.readTextFile(page);
  const { tables, parts, text } = await bench("--short");
  const expected: Record<string, Expected> = {
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
      goals: ["≤ 1.1× Python", "≤ 1.4× Python", "≤ 1.2× without"],
    },
    supervisord: {
      subjects: [
        ...await mayPutAhead() ? ["Python, does nothing", "superbell"] : [],
        "Python, does nothing, at the usual priority",
        "superbell, at the usual priority",
      ],
      figures: [
        "events a second",
        "listener's processor time for one",
        "supervisord's processor time for one",
      ],
      goals: ["≥ 0.95× Python"],
    },
    loss: {
      subjects: [0, 0.2, 2].map((takes) => `10 deaths in one instant, channel takes ${takes} s`),
      figures: [
        "told by superbell",
        "superbell's last news after",
        "told by Python",
        "Python's last news after",
      ],
      goals: ["100 %", "≤ 3 s", "≤ 3.4 s", "≤ 7 s"],
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
        ...MEMORY,
        "processor, idle",
        "woken, idle",
        "start to READY",
        "disk for one event",
        "file",
      ],
      only: {
        "superbell": [...MEMORY, "processor, idle", "woken, idle", "start to READY", "file"],
        "Python, posts by HTTP": [...MEMORY, "processor, idle", "woken, idle", "start to READY"],
        "Python, mails": [...MEMORY, "processor, idle", "woken, idle"],
        "Python, runs a command": [...MEMORY, "processor, idle", "woken, idle"],
        "three Python listeners together": MEMORY,
        "Python, does nothing": ["start to READY"],
        "superbell, after 2,000 events": MEMORY,
        "superbell, with 500 entries waiting": [...MEMORY, "disk for one event"],
      },
      goals: ["less than three Python listeners", "< 0.1 %"],
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
      only: { "10,000 events before": ["matched and stored"] },
      goals: ["≤ 1.2× the least"],
    },
    latency: {
      subjects: [
        "superbell, nudge 200ms",
        "superbell, nudge 50ms",
        "Python as in tutorials",
        "one nudge over one connection",
        "one nudge over a connection of its own",
      ],
      figures: [...NUDGED, "supervisord's time"],
      only: {
        "superbell, nudge 200ms": NUDGED,
        "superbell, nudge 50ms": NUDGED,
        "Python as in tutorials": NUDGED.filter((figure) => !/until|from there/.test(figure)),
        "one nudge over one connection": ["supervisord's time"],
        "one nudge over a connection of its own": ["supervisord's time"],
      },
      goals: [], // for nudge 0s, which takes too long here
    },
  };
  assertEquals([...tables.keys()], Object.keys(expected));
  for (const [name, { subjects, figures, only, goals }] of Object.entries(expected)) {
    await test.step(name, () => {
      const table = tables.get(name)!;
      assertEquals(table.subjects, subjects);
      assertEquals(table.figures, figures);
      for (const subject of subjects) {
        for (const figure of figures) {
          const cell = table.cells.get(`${subject}: ${figure}`)!;
          const isMeasured = only?.[subject]?.includes(figure) ?? true;
          // How long it took is not known (–) where it was not waited for.
          const form = !isMeasured ? /^$/ : figure.endsWith("last news after") ? /^[–\d]/ : /^\d/;
          assertMatch(cell, form, `${name}, ${subject}, ${figure}: "${cell}"`);
        }
      }
      for (const goal of goals) assertStringIncludes(parts.get(name)!, `wanted ${goal}, found`);
    });
  }
  await test.step("each figure of superbell's answers stands beside Python's", () => {
    const { cells } = tables.get("answer")!;
    for (const [place, cell] of cells) {
      if (place.startsWith("superbell")) assertMatch(cell, /\d× Python/, place);
    }
  });
  await test.step("the listener in C is measured where it can be built", async () => {
    for (const [name, subject] of [["answer", C], ["supervisord", `${C}, at the usual priority`]]) {
      assertEquals(tables.get(name!)!.optional.includes(subject!), await hasCompiler(), name);
    }
  });
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
