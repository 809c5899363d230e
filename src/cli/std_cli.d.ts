// The part of @std/cli/parse-args that we use; the package that it comes from ships no types.

export interface ParseOptions {
  readonly string?: readonly string[];
  readonly boolean?: readonly string[];
  readonly collect?: readonly string[];
  readonly alias?: Readonly<Record<string, string>>;
  readonly stopEarly?: boolean;
  readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

export type ParsedArgs = Record<string, unknown> & { readonly _: readonly (string | number)[] };

export function parseArgs(args: readonly string[], options?: ParseOptions): ParsedArgs;
