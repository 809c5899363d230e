// Reads the configuration and the files that it names, at once or in the background: a running
// listener must not wait for a file that lies on a server that hangs.

/** A file's bytes and whether every user of the host can read it, or why it cannot be read. */
export type FileRead =
  | { readonly bytes: Uint8Array; readonly isOpenToAll: boolean }
  | { readonly why: string };

/** A file that takes longer cannot be read in the background. */
const READ_TIMEOUT_MS = 10_000;

const ALL_READ = 0o004;
const ALL_ENTER = 0o001;

/** Reads a file and waits for it. Never throws. */
export function readNow(path: string): FileRead {
  try {
    const bytes = Deno.readFileSync(path);
    const modes = foldersAbove(Deno.realPathSync(path)).map((folder) => Deno.statSync(folder).mode);
    return { bytes, isOpenToAll: isOpenToAll(Deno.statSync(path).mode, modes) };
  } catch (error) {
    return { why: whyUnreadable(error) };
  }
}

/** Reads a file while everything else goes on. Never rejects. */
export async function readInBackground(path: string): Promise<FileRead> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
  try {
    const [bytes, { mode }, real] = await Promise.all([
      Deno.readFile(path, { signal }),
      Deno.stat(path),
      Deno.realPath(path),
    ]);
    const folders = await Promise.all(foldersAbove(real).map((folder) => Deno.stat(folder)));
    return { bytes, isOpenToAll: isOpenToAll(mode, folders.map((folder) => folder.mode)) };
  } catch (error) {
    return { why: signal.aborted ? "it takes too long" : whyUnreadable(error) };
  }
}

/** `/etc/superbell` and `/etc` for `/etc/superbell/token`; everybody can enter `/`. */
function foldersAbove(path: string): string[] {
  const parts = path.split("/").slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}

/** Whoever cannot enter a folder above a file cannot read it, whatever its own mode says. */
function isOpenToAll(mode: number | null, folderModes: readonly (number | null)[]): boolean {
  return ((mode ?? 0) & ALL_READ) !== 0 &&
    folderModes.every((folder) => ((folder ?? ALL_ENTER) & ALL_ENTER) !== 0);
}

/** Why a file cannot be read, in the words of a problem. */
function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  return error instanceof Error ? error.message.replace(/ \(os error.*$/, "") : String(error);
}
