/**
 * Messages that a stop leaves unfinished.
 *
 * @module
 */

/** Thrown where a stop cuts the work on a message short: it is no failure, and the message is not done. */
class Left extends Error {
  override readonly name = "Left";
}

/** What is thrown; one for all, since nobody sees it. */
export const LEFT: Error = new Left("a stop left the message unfinished");

/** Whether something was thrown because of a stop. */
export function isLeft(error: unknown): boolean {
  return error === LEFT;
}
