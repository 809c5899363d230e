// A real supervisord with any listeners, for the measurements that need one.

import { startSupervisord, type Supervisord } from "../tests/support/supervisord.ts";
import { superbell as runSuperbell } from "../tests/support/executable.ts";
import { superbell } from "./candidates.ts";

/** A listener's section, by its name. */
export interface ListenerSection {
  readonly name: string;
  readonly text: string;
}

/** What to start. `{dir}` in any of the texts stands for its folder. */
export interface DaemonOptions {
  readonly listeners: readonly ListenerSection[];
  readonly programs?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** Starts supervisord; all listeners are RUNNING when this settles. */
export async function startDaemon(options: DaemonOptions): Promise<Supervisord> {
  const { listeners, programs = "", files } = options;
  const supervisord = await startSupervisord({
    config: "",
    section: listeners.map(({ text }) => text).join("\n"),
    programs,
    running: false,
    ...(files && { files }),
  });
  try {
    const isRunning = ({ name }: ListenerSection) =>
      supervisord.log().includes(`success: ${name} entered RUNNING state`);
    await supervisord.until("the listeners to run", () => listeners.every(isRunning), 60_000);
  } catch (error) {
    await supervisord[Symbol.asyncDispose]();
    throw error;
  }
  return supervisord;
}

/** The section that a tutorial shows; more keys where the measurement needs them. */
export function section(
  name: string,
  command: readonly string[],
  keys: Readonly<Record<string, string>>,
): ListenerSection {
  const lines = Object.entries({ command: command.join(" "), ...keys })
    .map(([key, value]) => `${key}=${value}`);
  return { name, text: `[eventlistener:${name}]\n${lines.join("\n")}\n` };
}

/** Ours as `superbell init section` prints it for the configuration; the last line of a key counts. */
export async function ourSection(
  name: string,
  configPath: string,
  keys: Readonly<Record<string, string>> = {},
): Promise<ListenerSection> {
  const { code, stdout, stderr } = await runSuperbell(["init", "section", "-c", configPath]);
  if (code !== 0) throw new Error(`superbell init section: ${stderr}`);
  const own: Record<string, string> = {
    command: superbell(configPath).join(" "),
    stderr_logfile: `{dir}/${name}.log`,
    ...keys,
  };
  const kept = stdout.split("\n").filter((line) => !(line.split("=")[0]! in own));
  const lines = Object.entries(own).map(([key, value]) => `${key}=${value}`);
  const text = [...kept, ...lines, ""].join("\n");
  return { name, text: text.replace("[eventlistener:superbell]", `[eventlistener:${name}]`) };
}
