import { assert, assertEquals } from "../support/assert.ts";
import { sha256 } from "../../tools/sha.ts";

const PROJECT = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");
const ARCH = Deno.build.arch === "aarch64" ? "arm64" : "x64";

Deno.test("two builds in two directories give the same bytes", async () => {
  const dir = await Deno.makeTempDir({ prefix: "superbell-build-" });
  try {
    for (const { name } of Deno.readDirSync(PROJECT)) {
      if (name === "dist" || name === ".tools") continue;
      await run("cp", ["-R", `${PROJECT}/${name}`, `${dir}/${name}`]); // not -p: other time stamps
    }
    await Deno.mkdir(`${dir}/.tools`);
    const sums: string[] = [];
    const says: string[] = [];
    for (const copy of [`${dir}/one`, `${dir}/and two`]) {
      await Deno.mkdir(copy);
      for (const { name } of Deno.readDirSync(dir)) {
        if (name === "one" || name === "and two") continue;
        await run("cp", ["-R", `${dir}/${name}`, `${copy}/${name}`]);
      }
      await linkIfThere(`${PROJECT}/.tools/denort`, `${copy}/.tools/denort`);
      says.push(await run(Deno.execPath(), ["run", "-A", `${copy}/tools/build.ts`, "host"]));
      sums.push(await sha256(await Deno.readFile(`${copy}/dist/superbell-linux-${ARCH}`)));
    }
    assert(says.every((said) => said.includes("Lowered dist/superbell-linux-")), says.join("\n"));
    assertEquals(sums[0], sums[1]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    // Where "make" keeps Deno's cache; a test started by hand may not have it.
    env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? `${PROJECT}/.tools/deno-cache` },
  }).output();
  const said = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${said}`);
  return said;
}

async function linkIfThere(from: string, to: string): Promise<void> {
  try {
    await Deno.stat(from);
  } catch {
    return;
  }
  await Deno.symlink(from, to);
}
