// Reads a section as a configuration file's would be read, and opens channels from it.

import type { Channel, ChannelOpener } from "../../src/channels/channel.ts";
import { ConfigNode, Reading, type Section } from "../../src/config/node.ts";
import { describeProblem } from "../../src/config/problem.ts";
import { assertEquals } from "./assert.ts";

/** What was read, and every problem as a line. */
export interface Parsed<Value> {
  readonly value: Value;
  readonly problems: readonly string[];
  readonly reading: Reading;
}

/** Reads `config` as the section of a channel named "c". Files are real, the environment is `env`. */
export function parseSection<Value>(
  parse: (section: Section) => Value,
  config: Record<string, unknown>,
  env: Readonly<Record<string, string>> = {},
): Parsed<Value> {
  const reading = new Reading({ env: (name) => env[name], readFile });
  const section = new ConfigNode(config, "c", reading).section();
  const value = parse(section);
  section.end();
  return { value, reading, problems: reading.problems.map((one) => describeProblem("", one)) };
}

/** The opened channel; any problem fails the test. */
export function openChannel(kind: ChannelOpener, config: Record<string, unknown>): Channel {
  const { value: open, problems } = parseSection((section) => kind.parse(section), config);
  assertEquals(problems, []);
  return open();
}

function readFile(path: string): { text: string } | { why: string } {
  try {
    return { text: Deno.readTextFileSync(path) };
  } catch (error) {
    return { why: error instanceof Deno.errors.NotFound ? "no such file" : "cannot be read" };
  }
}
