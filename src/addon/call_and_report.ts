/**
 * Calls callbacks of the program.
 *
 * @module
 */

/**
 * Calls a callback of the program. What it throws is reported as an uncaught error, which ends the program unless it
 * listens for `error`, as on Node. The caller goes on, so that its queues are served to the end.
 */
export function callAndReport(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    reportError(error);
  }
}
