/**
 * Says what must be true here; when it is not, we were wrong and not the world.
 *
 * Always on, O(1). Nobody catches it to go on: the smallest unit that owns the state dies and
 * replays.
 */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes a switch over a union: a new member does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
