/**
 * Calling the program's callbacks.
 *
 * @module
 */

/** What a program's callback throws is the program's error and must surface, but not stop what serves the queues. */
export function guarded(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    reportError(error);
  }
}
