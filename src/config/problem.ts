// A problem is one mistake in a configuration: where it stands and what would be right.
// Reading a configuration collects all of them, so that a person mends the file once.

/** One mistake: the key path it stands at ("" for the whole file) and what would be right. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** The configuration cannot be used; `problems` holds every reason, in file order. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  /** `file` is the configuration's path as the user gave it. */
  constructor(file: string, problems: readonly Problem[]) {
    super(problems.map((problem) => describeProblem(file, problem)).join("\n"));
    this.problems = problems;
  }
}

/** `superbell.yaml: channels.oncall.token: expected …`, the line a person reads. */
export function describeProblem(file: string, problem: Problem): string {
  return [file, problem.path, problem.message].filter((part) => part !== "").join(": ");
}
