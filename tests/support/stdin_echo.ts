// A program that answers what it reads from stdin with the same bytes, by our own reader, and
// says at the end how often its timer had a turn meanwhile.

import { StdinSource } from "../../src/listener/stdin_source.ts";

let turns = 0;
const timer = setInterval(() => turns++, 0);
const source = new StdinSource();
const into = new Uint8Array(64 * 1024);
for (let count; (count = await source.read(into)) !== null;) {
  Deno.stdout.writeSync(into.subarray(0, count));
}
clearInterval(timer);
await Deno.stderr.write(new TextEncoder().encode(`${turns}`));
