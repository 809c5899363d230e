// Runs a recipe as it stands in docs/recipes: the files are taken from the page itself, and
// only places, secrets and waiting times are changed. Each change names text that must be there.

import { assertEquals } from "../support/assert.ts";
import { executable } from "../support/executable.ts";
import { makePlace } from "../support/places.ts";
import {
  keysOf,
  printedSection,
  startSupervisord,
  type Supervisord,
  type SupervisordOptions,
} from "../support/supervisord.ts";

const PAGES = decodeURIComponent(new URL("../../docs/recipes", import.meta.url).pathname);
const LISTENER = "[eventlistener:superbell]";

/** The files of a recipe, as its page has them. */
export interface Recipe {
  /** /etc/superbell.yaml */
  readonly yaml: string;
  /** The sections of the programs; "" when the page has none. */
  readonly programs: string;
  /** The section of the listener. */
  readonly section: string;
}

/** What a test changes besides the places. */
export interface RecipeRun {
  /** New text by old, in all three files. */
  readonly changes?: Readonly<Record<string, string>>;
  /** More programs. */
  readonly programs?: string;
  readonly files?: NonNullable<SupervisordOptions["files"]>;
}

/** Reads a page of docs/recipes. */
export async function readRecipe(page: string): Promise<Recipe> {
  const text = await Deno.readTextFile(`${PAGES}/${page}`);
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, kind, body]) => ({
    kind,
    body: body!,
  }));
  const only = (what: string, fits: (block: typeof blocks[number]) => boolean) => {
    const found = blocks.filter(fits);
    if (found.length !== 1) throw new Error(`${page}: ${found.length} blocks with ${what}, not 1`);
    return found[0]!.body;
  };
  return {
    yaml: only("a configuration of superbell", ({ kind }) => kind === "yaml"),
    programs: blocks.filter(({ body }) => body.startsWith("[program:")).map(({ body }) => body)
      .join("\n"),
    section: only(LISTENER, ({ body }) => body.startsWith(LISTENER)),
  };
}

/** Starts supervisord with the recipe's files. */
export async function startRecipe(recipe: Recipe, run: RecipeRun): Promise<Supervisord> {
  const changes = Object.entries(run.changes ?? {});
  const all = Object.values(recipe).join("\n");
  for (const [from] of changes) {
    if (!all.includes(from)) throw new Error(`the page does not say "${from}" any more`);
  }
  const place = (text: string) =>
    changes.reduce((sum, [from, to]) => sum.replaceAll(from, to), text)
      .replaceAll("/usr/local/bin/superbell", executable())
      .replaceAll("/etc/superbell", "{dir}/superbell")
      .replaceAll("{dir}/superbell/", "{dir}/")
      .replaceAll("/var/log/", "{dir}/");
  return await startSupervisord({
    config: `state_dir: "{dir}/state"\n${place(recipe.yaml)}`,
    programs: place(recipe.programs) + (run.programs ?? ""),
    section: place(recipe.section),
    ...(run.files && { files: run.files }),
  });
}

/** The page's section must be what `superbell init section` prints for the page's configuration. */
export async function assertSectionAsPrinted({ yaml, section }: Recipe): Promise<void> {
  using place = makePlace();
  // What is not on this host would be a problem of the configuration.
  for (const [, name] of yaml.matchAll(/\{ file: \/etc\/superbell\/(\S+) \}/g)) {
    const secret = name!.endsWith(".url")
      ? "https://example.com/secret"
      : name!.endsWith(".secret")
      ? "SECa-secret"
      : "a-secret";
    place.write(name!, secret);
  }
  const here = yaml.replaceAll("/etc/superbell/", "{dir}/")
    .replaceAll(/\/usr\/local\/bin\/[\w.]+/g, "/bin/true");
  const config = place.write("superbell.yaml", here);
  const printed = keysOf(await printedSection(config));
  const command = printed.command!.replace(config, "/etc/superbell.yaml");
  assertEquals(keysOf(section), { ...printed, command });
}
