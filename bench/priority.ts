// Puts what is measured ahead of everything else that runs on the machine, where that is allowed
// (root): the figures are then of the listener alone. Every candidate gets the same.

const PRIORITY = "50";

let known: Promise<boolean> | undefined;

/** Whether it is allowed here. */
export function mayPutAhead(): Promise<boolean> {
  return known ??= chrt(["-f", PRIORITY, "true"]);
}

/** What to write before a command; nothing where it is not allowed. */
export async function ahead(): Promise<readonly string[]> {
  return await mayPutAhead() ? ["chrt", "-f", PRIORITY] : [];
}

/** Puts a process that runs already, with all its threads, ahead; what it starts follows. */
export async function putAhead(pid: number): Promise<void> {
  for (let tries = 0; tries < 3; tries++) {
    // It fails as well when one of the threads ends meanwhile.
    if (await chrt(["-a", "-f", "-p", PRIORITY, String(pid)])) return;
  }
  throw new Error(`Cannot trust the figures: chrt could not put process ${pid} ahead`);
}

/** Whether it could be done. */
async function chrt(args: readonly string[]): Promise<boolean> {
  const command = new Deno.Command("chrt", { args: [...args], stdout: "null", stderr: "null" });
  return await command.output().then(({ success }) => success, () => false);
}
