/** A build that cannot go on for a reason the user can act on: shown as one message, no stack. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}
