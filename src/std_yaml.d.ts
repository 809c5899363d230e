// The part of @std/yaml that we use; the package that it comes from ships no types.

export class YamlSyntaxError extends SyntaxError {
  readonly line: number;
  readonly column: number;
}

export function parse(text: string, options?: { schema?: "core" }): unknown;
