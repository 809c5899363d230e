// The shape of the house, as docs and design have it: imports run one way, the core is pure,
// one place ends the process, and few places see a secret.

import { assert, assertEquals } from "./support/assert.ts";

const ROOT = new URL("../", import.meta.url);

/** Outer to inner; a module imports only from its own layer's unit or from layers further in. */
const LAYERS: readonly (readonly string[])[] = [
  ["main"],
  ["cli"],
  [
    "assembly",
    "reloader",
    "config_reading",
    "file_read",
    "config_changes",
    "config_slips",
    "configured_channel",
    "intake",
    "delivery",
    "enrichment",
    "hearing",
    "nudge",
    "reconciliation",
    "requests",
    "roster_keeper",
    "rule_keeper",
    "rule_timer",
    "settings",
    "storage",
    "untold_ends",
    "host",
    "log",
    "clock",
  ],
  ["listener", "outbox", "channels", "supervisor", "probes"],
  ["alerts"],
  ["rules"],
  ["events"],
  ["config"],
];
/** Layers whose units do not know each other. */
const SEPARATE = 3;
const PURE = ["alerts", "rules", "events", "config"];

const files = [...sources("src/"), "main.ts"].sort();

function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory) yield* sources(`${folder}${name}/`);
    else if (name.endsWith(".ts") && !name.endsWith(".d.ts")) yield `${folder}${name}`;
  }
}

function textOf(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

/** The text without comments, so that a rule may be named in one. */
function codeOf(file: string): string {
  return textOf(file).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|(?<=\s)\/\/ .*$/gm, "");
}

/** "src/outbox/open.ts" is of the unit "outbox", "src/intake.ts" of "intake". */
function unitOf(file: string): string {
  return file.replace(/^src\//, "").replace(/[/.].*$/, "");
}

function layerOf(file: string): number {
  const layer = LAYERS.findIndex((units) => units.includes(unitOf(file)));
  assert(layer >= 0, `${file} belongs to no layer; give it one in LAYERS above`);
  return layer;
}

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** Every import between our own files, type imports too, as the compiler sees them. */
async function imports(): Promise<{ from: string; to: string }[]> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: ROOT,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const info = JSON.parse(new TextDecoder().decode(stdout)) as Info;
  const relative = (specifier: string) =>
    specifier.startsWith(ROOT.href) ? specifier.slice(ROOT.href.length) : undefined;
  return info.modules.flatMap(({ specifier, dependencies = [] }) => {
    const from = relative(specifier);
    if (from === undefined || from.startsWith(".tools")) return [];
    return dependencies.flatMap(({ code, type }) =>
      [...new Set([code?.specifier, type?.specifier])]
        .flatMap((target) => target === undefined ? [] : relative(target) ?? [])
        .filter((to) => to.endsWith(".ts") && !to.endsWith(".d.ts"))
        .map((to) => ({ from, to }))
    );
  });
}

const edges = await imports();

Deno.test("Architecture: every file under src/ is reached from main.ts", () => {
  const reached = new Set(edges.flatMap(({ from, to }) => [from, to]));
  assertEquals(files.filter((file) => !reached.has(file)), []);
  assert(edges.length > 100);
});

Deno.test("Architecture: imports run one way", () => {
  const wrong = edges.filter(({ from, to }) => layerOf(to) < layerOf(from));
  assertEquals(wrong, []);
});

Deno.test("Architecture: the edges do not import each other", () => {
  const wrong = edges.filter(({ from, to }) =>
    layerOf(from) === SEPARATE && layerOf(to) === SEPARATE && unitOf(from) !== unitOf(to)
  );
  assertEquals(wrong, []);
});

Deno.test("Architecture: a channel's folder imports no other channel's", () => {
  const channelOf = (file: string) => /^src\/channels\/([^/]+)\//.exec(file)?.[1];
  const wrong = edges.filter(({ from, to }) =>
    channelOf(from) !== undefined && channelOf(to) !== undefined &&
    channelOf(from) !== channelOf(to)
  );
  assertEquals(wrong, []);
});

Deno.test("Architecture: only the registry imports a channel's mod.ts", () => {
  const wrong = edges.filter(({ from, to }) =>
    /^src\/channels\/[^/]+\/mod\.ts$/.test(to) && from !== "src/channels/registry.ts"
  );
  assertEquals(wrong, []);
});

Deno.test("Architecture: no file imports itself, not even over others", () => {
  const targets = Map.groupBy(edges, ({ from }) => from);
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    assert(!path.includes(file), `a circle: ${[...path, file].join(" > ")}`);
    if (done.has(file)) return;
    for (const { to } of targets.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  visit("main.ts", []);
});

/** Lines of `among` where the expression is found, as "file: line". */
function hits(expression: RegExp, among: (file: string) => boolean): string[] {
  return files.filter(among).flatMap((file) =>
    codeOf(file).split("\n").filter((line) => expression.test(line)).map((line) =>
      `${file}: ${line.trim()}`
    )
  );
}

const IMPURE =
  /\bDeno\.(?!customInspect)|\bfetch\(|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bconsole\.|\bsetTimeout\b|\bprocess\.(?!name|group)|\bcrypto\.random|performance\.now/;

Deno.test("Architecture: the pure folders know no outside world", () => {
  const pure = (file: string) => PURE.includes(unitOf(file));
  assertEquals(hits(IMPURE, pure), []);
  assert(files.some(pure));
  const foreign = PURE.flatMap((unit) =>
    files.filter((file) => unitOf(file) === unit).flatMap((file) =>
      [...codeOf(file).matchAll(/from "([^.][^"]*)"/g)].map(([, what]) => `${file}: ${what}`)
    )
  );
  assertEquals(foreign, ["src/alerts/alert.ts: node:crypto"]);
});

Deno.test("Architecture: only main.ts ends the process", () => {
  assertEquals(hits(/\bDeno\.exit\b|\bprocess\.exit\b/, () => true), [
    "main.ts: Deno.exit(await run(Deno.args));",
  ]);
});

Deno.test("Architecture: only the channels reveal a secret", () => {
  const allowed = [
    /^src\/channels\/[^/]+\/[^/]+\.ts$/,
    /^src\/channels\/http\.ts$/,
    /^src\/config\/secret\.ts$/,
    /^src\/supervisor\/client\.ts$/,
  ];
  assertEquals(hits(/\breveal\(/, (file) => !allowed.some((path) => path.test(file))), []);
  assert(hits(/\breveal\(/, () => true).length > 0);
});

Deno.test("Architecture: only the root files, the commands and the log write to the outside", () => {
  const may = (file: string) =>
    ["cli", "log", "listener"].includes(unitOf(file)) || file === "main.ts";
  assertEquals(hits(/\bconsole\.|Deno\.std(out|err)/, (file) => !may(file)), []);
  assertEquals(hits(/\bLog\b/, (file) => layerOf(file) >= SEPARATE), []);
});

Deno.test("Architecture: nothing is evaluated, and types are not switched off", () => {
  assertEquals(
    hits(/\beval\(|new Function\(|@ts-ignore|@ts-nocheck|: any\b|as any\b/, () => true),
    [],
  );
});
