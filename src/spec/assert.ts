// Assertions state what must hold for the program to make sense: a failed one is a bug, never a caller's error.
// They stay on in production; the process logs, flushes and ends.

/** Throws when `condition` is false. The message names the rule that was broken. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Ends an exhaustive `switch`: reaching it means a union grew and a case was forgotten. */
export function assertNever(value: never, what: string): never {
  throw new AssertionFailure(`unhandled ${what}: ${String(value)}`);
}

/** A bug in this program. Nothing catches it on purpose. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}
