// What the build does with files.

/** Relative paths of the files under `dir`, sorted; links are not followed. */
export async function filesUnder(dir: string): Promise<string[]> {
  const paths: string[] = [];
  if (!await exists(dir)) return paths;
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isDirectory) {
      const below = await filesUnder(`${dir}/${entry.name}`);
      paths.push(...below.map((path) => `${entry.name}/${path}`));
    } else if (entry.isFile) {
      paths.push(entry.name);
    }
  }
  return paths.sort();
}

export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
