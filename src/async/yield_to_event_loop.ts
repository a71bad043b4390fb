/**
 * Turns for the rest of the program.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/**
 * How often it is looked for a turn of the event loop, in milliseconds, and how long that is waited for before it is
 * made: looking costs some 30 µs.
 */
const WORK_MS = 10;

// Kept from the start, so that it goes on when a test has put a fake clock in its place.
const realPerformance = performance, realNow = performance.now;

/** When it was last looked for a turn, and that turn, until it has come. */
let lookedAt = -Infinity;
let turn: Promise<void> | undefined;

/**
 * Lets timers, signals and everything else have a turn, when they had none for a while: sources and handlers that wait
 * for nothing would keep them out for ever, and with them whatever ends the run.
 *
 * @returns a promise only when it is time for a turn
 */
export function yieldToEventLoop(): void | Promise<void> {
  const now = realNow.call(realPerformance);
  if (now - lookedAt < WORK_MS) return;
  if (turn !== undefined) return turn;
  lookedAt = now;
  turn = new Promise((resolve) =>
    setImmediate(() => {
      turn = undefined;
      resolve();
    })
  );
}
