/**
 * Letting the rest of the program run.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** After how long without a turn of the event loop one is asked for, in milliseconds. Asking for a turn costs some 30 µs. */
const TURN_INTERVAL_MS = 10;

// Taken when the module loads, so that the real clock is read when a test has installed a fake one.
const realPerformance = performance, realNow = performance.now;

/** When a turn was asked for last. */
let askedAt = -Infinity;
/** The turn that was asked for, until it comes. */
let turn: Promise<void> | undefined;

/**
 * Lets timers, signals and other tasks run if the event loop had no turn for 10 ms. Sources and handlers that wait for nothing
 * would keep them from running for ever, and with them everything that ends the run.
 *
 * @returns a promise only when it is time for a turn
 */
export function yieldToEventLoop(): void | Promise<void> {
  const now = realNow.call(realPerformance);
  if (now - askedAt < TURN_INTERVAL_MS) return;
  if (turn !== undefined) return turn;
  askedAt = now;
  turn = new Promise((resolve) =>
    setImmediate(() => {
      turn = undefined;
      resolve();
    })
  );
}
