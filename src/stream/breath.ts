/**
 * Turns for the rest of the program.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** How long messages are handled without a turn of the event loop, in milliseconds. */
const WORK_MS = 20;

// Kept from the start, so that it goes on when a test has put a fake clock in its place.
const realPerformance = performance, realNow = performance.now;

/** The next turn, when it has not come yet, and since when it is awaited. */
let next: { readonly since: number; readonly come: Promise<void> } | undefined;

/**
 * Lets timers, signals and everything else have a turn, when they had none for a while: sources and handlers that wait
 * for nothing would keep them out for ever, and with them whatever ends the run.
 *
 * @returns a promise only when it is time for a turn
 */
export function breath(): void | Promise<void> {
  const now = realNow.call(realPerformance);
  if (next !== undefined) return now - next.since < WORK_MS ? undefined : next.come;
  const come = new Promise<void>((resolve) =>
    setImmediate(() => {
      next = undefined;
      resolve();
    })
  );
  next = { since: now, come };
}
