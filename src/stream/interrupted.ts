/**
 * What is thrown where a stop interrupts the handling of a message.
 *
 * @module
 */

class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/**
 * Thrown where a stop interrupts the handling of a message, such as the wait before another attempt. It is no failure: no
 * policy applies, the message is not done, and the source delivers it again in the next run. No user ever sees it.
 */
export const INTERRUPTED: Error = new Interrupted("a stop interrupted the handling of the message");

/** Whether an error was thrown because of a stop. */
export function isInterrupted(error: unknown): boolean {
  return error === INTERRUPTED;
}
