/**
 * The mark of a message that a stop leaves unfinished.
 *
 * @module
 */

/** Thrown where a stop cuts the handling of a message short. It is not a failure, and the message is not done. */
class Left extends Error {
  override readonly name = "Left";
}

/** The one object that is thrown: no user ever sees it. */
export const LEFT: Error = new Left("a stop left the message unfinished");

/** Whether something was thrown because of a stop. */
export function isLeft(error: unknown): boolean {
  return error === LEFT;
}
