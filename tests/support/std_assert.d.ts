// Types of the assertions that our tests use; the npm package ships none.

// deno-lint-ignore no-explicit-any -- a constructor may take anything
type Constructor<Instance> = new (...args: any[]) => Instance;

export class AssertionError extends Error {}
export function assert(value: unknown, message?: string): asserts value;
export function assertFalse(value: unknown, message?: string): asserts value is false;
export function assertEquals<Value>(actual: Value, expected: Value, message?: string): void;
export function assertNotEquals<Value>(actual: Value, expected: Value, message?: string): void;
export function assertStrictEquals<Value>(
  actual: unknown,
  expected: Value,
  message?: string,
): asserts actual is Value;
export function assertExists<Value>(
  value: Value,
  message?: string,
): asserts value is NonNullable<Value>;
export function assertInstanceOf<Instance>(
  value: unknown,
  type: Constructor<Instance>,
  message?: string,
): asserts value is Instance;
export function assertMatch(actual: string, expected: RegExp, message?: string): void;
export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
export function assertStringIncludes(actual: string, expected: string, message?: string): void;
export function assertArrayIncludes<Value>(
  actual: ArrayLike<Value>,
  expected: ArrayLike<Value>,
  message?: string,
): void;
export function assertObjectMatch(
  actual: object,
  expected: Record<PropertyKey, unknown>,
  message?: string,
): void;
export function assertGreater<Value>(actual: Value, expected: Value, message?: string): void;
export function assertGreaterOrEqual<Value>(actual: Value, expected: Value, message?: string): void;
export function assertLess<Value>(actual: Value, expected: Value, message?: string): void;
export function assertLessOrEqual<Value>(actual: Value, expected: Value, message?: string): void;
export function assertThrows(run: () => unknown, message?: string): unknown;
export function assertThrows<Failure extends Error>(
  run: () => unknown,
  type: Constructor<Failure>,
  includes?: string,
  message?: string,
): Failure;
export function assertRejects(run: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
export function assertRejects<Failure extends Error>(
  run: () => PromiseLike<unknown>,
  type: Constructor<Failure>,
  includes?: string,
  message?: string,
): Promise<Failure>;
export function fail(message?: string): never;
export function unreachable(reason?: string): never;
