// superbell's entry: the only place that ends the process.

import { run } from "./src/cli/mod.ts";

Deno.exit(await run(Deno.args));
