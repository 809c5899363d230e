// The compiled executable: what a user runs, and what the end-to-end tests test.

const PROJECT = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");

/** What a command line did. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** $SUPERBELL_BIN, else the build for this host's processor. Throws when it is missing. */
export function executable(): string {
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const path = Deno.env.get("SUPERBELL_BIN") || `${PROJECT}/dist/superbell-linux-${arch}`;
  try {
    if (Deno.statSync(path).isFile) return path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new Error(
    `There is no executable "${path}"; run make build ARCH=${arch}, or name one by SUPERBELL_BIN`,
  );
}

/** The variables that a program needs; nothing else of ours gets into what we start. */
export function plainEnv(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const path = Deno.env.get("PATH") ?? "/usr/local/bin:/usr/bin:/bin";
  return { PATH: path, LANG: "C.UTF-8", TZ: "UTC", ...more };
}

/** Runs `superbell …` to its end. */
export async function superbell(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return await run(executable(), args, env);
}

/** Runs a program to its end, with no input. */
export async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    clearEnv: true,
    env: plainEnv(env),
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
