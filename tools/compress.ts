/**
 * A compressed copy of an executable, for copying it to many servers: by xz, or by gzip where there
 * is no xz. The same bytes and the same xz give the same copy: the number of threads, which decides
 * how xz cuts the file, is fixed.
 */
import { BuildError } from "./build_error.ts";

/** What a copy's name may end in; a copy of an executable that was built again is out of date. */
export const PACKED_SUFFIXES = [".xz", ".gz"];

const PACKERS: readonly (readonly [suffix: string, program: string, ...args: string[]])[] = [
  [".xz", "xz", "-6", "--threads=4", "--block-size=24MiB", "--stdout"],
  [".gz", "gzip", "-9", "--no-name", "--stdout"], // without name and time of the original
];

/** Writes DIR/NAME.xz or .gz unless it is there; `say` tells what was done. */
export async function compress(
  dir: string,
  name: string,
  say: (line: string) => void,
): Promise<void> {
  for (const [suffix, program, ...args] of PACKERS) {
    const path = `${dir}/${name}${suffix}`;
    if (await sizeOf(path) !== undefined) return say(`dist/${name}${suffix} is up to date`);
    const packed = await new Deno.Command(program, {
      args: [...args, `${dir}/${name}`],
      stdout: "piped",
      stderr: "piped",
    }).output().catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    if (packed === undefined) continue;
    if (!packed.success) {
      throw new BuildError(
        `Cannot compress dist/${name}: ${program}: ${new TextDecoder().decode(packed.stderr)}`,
      );
    }
    const partPath = `${path}.${Deno.pid}.part`;
    await Deno.writeFile(partPath, packed.stdout);
    await Deno.rename(partPath, path);
    return say(`Compressed dist/${name}${suffix}: ${(packed.stdout.length / 1e6).toFixed(1)} MB`);
  }
  throw new BuildError(
    `Cannot compress dist/${name}: neither xz nor gzip is here; install xz-utils`,
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
