// Reads the configuration and the files that it names, at once or in the background: a running
// listener must not wait for a file that lies on a server that hangs.

/** A file's bytes and whether every user of the host can read it, or why it cannot be read. */
export type FileRead =
  | { readonly bytes: Uint8Array; readonly isOpenToAll: boolean }
  | { readonly why: string };

/** A file that takes longer cannot be read in the background. */
const READ_TIMEOUT_MS = 10_000;

/** A whole bundle of CAs has a quarter of it. A log that was named by mistake must not fill memory. */
const MAX_BYTES = 4 * 1024 ** 2;

const ALL_READ = 0o004;
const ALL_ENTER = 0o001;

/** Reads a file and waits for it. Never throws. */
export function readNow(path: string): FileRead {
  try {
    const info = Deno.statSync(path);
    const why = whyRefused(info);
    if (why !== undefined) return { why };
    const bytes = Deno.readFileSync(path);
    const modes = foldersAbove(Deno.realPathSync(path)).map((folder) => Deno.statSync(folder).mode);
    return { bytes, isOpenToAll: isOpenToAll(info.mode, modes) };
  } catch (error) {
    return { why: whyUnreadable(error) };
  }
}

/** Reads a file while everything else goes on. Never rejects. */
export async function readInBackground(path: string): Promise<FileRead> {
  const read = await inTime(
    `read ${path}`,
    () => readOpening(path).catch((error) => ({ why: whyUnreadable(error) })),
  );
  return read ?? { why: "it takes too long" };
}

/**
 * Changes when somebody touches the file, and is found out without opening it. Undefined: it
 * cannot be found out, or the file was touched within so many ms, and may be within the same tick
 * of its server's clock again. Never rejects.
 */
export async function stampInBackground(
  path: string,
  settledAfterMs: number,
): Promise<string | undefined> {
  const info = await inTime(`stat ${path}`, () => Deno.stat(path).catch(() => undefined));
  const { dev, ino, size, mtime, ctime } = info ?? {};
  const touchedMs = Math.max(mtime?.getTime() ?? Infinity, ctime?.getTime() ?? Infinity);
  if (touchedMs > Date.now() - settledAfterMs) return undefined;
  return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join();
}

/** What has not come to an end, by what it is: of a server that hangs nothing ever may. */
const underWay = new Map<string, Promise<unknown>>();

/** What the work answers, begun once for all who ask meanwhile; undefined: it takes too long. */
async function inTime<Value>(
  what: string,
  work: () => Promise<Value>,
): Promise<Value | undefined> {
  const begin = () => {
    const begun = work().finally(() => underWay.delete(what));
    underWay.set(what, begun);
    return begun;
  };
  const working = underWay.get(what) as Promise<Value> | undefined ?? begin();
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), READ_TIMEOUT_MS);
  try {
    return await Promise.race([working, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readOpening(path: string): Promise<FileRead> {
  // First, for Deno 2.7 opens files in its main thread, the asynchronous calls too: a pipe that
  // nobody writes into, or a server that hangs, would hold up all else.
  const info = await Deno.stat(path);
  const why = info.isFile || info.isDirectory ? whyRefused(info) : "it is a pipe or a device";
  if (why !== undefined) return { why };
  const [bytes, real] = await Promise.all([Deno.readFile(path), Deno.realPath(path)]);
  const folders = await Promise.all(foldersAbove(real).map((folder) => Deno.stat(folder)));
  return { bytes, isOpenToAll: isOpenToAll(info.mode, folders.map((folder) => folder.mode)) };
}

function whyRefused({ isDirectory, size }: Deno.FileInfo): string | undefined {
  if (isDirectory) return "it is a directory";
  return size > MAX_BYTES ? `it is larger than ${MAX_BYTES / 1024 ** 2} MB` : undefined;
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
  return error instanceof Error ? error.message.replace(/ \(os error.*$/, "") : String(error);
}
