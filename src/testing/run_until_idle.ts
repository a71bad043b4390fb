/**
 * Running an app until it is idle.
 *
 * @module
 */

import { settlesWithin } from "../async/settles_within.ts";
import { type WrapReader, wrapReaders } from "../stream/wrap_readers.ts";
import { realTime, SourceActivity } from "./source_activity.ts";

// Taken at import, so that they are the real ones while a test has installed a fake clock.
const { setTimeout, clearTimeout } = globalThis;
const REAL_TIMERS = { setTimeout, clearTimeout };

/**
 * A function that runs an app: the method `stream` of a `Slipstream`, or the `stream()` of the default app.
 *
 * @typeParam Args what the app's handlers get as their second parameter
 */
export type StreamFunction<Args = unknown> = (options: {
  readonly args: Args;
  readonly signal: AbortSignal;
  readonly handleSignals: boolean;
}) => Promise<void>;

/**
 * Options of `runUntilIdle()`.
 *
 * @typeParam Args what the app's handlers get as their second parameter
 */
export interface RunUntilIdleOptions<Args = unknown> {
  /**
   * The second parameter of every handler.
   * @default {undefined}
   */
  readonly args?: Args;
  /**
   * Returns whether the app may count as idle. For sources that need time to start, such as a Topic.
   * @default {() => true}
   */
  readonly until?: () => boolean;
  /**
   * How long all sources must have been waiting, in milliseconds.
   * @default {50}
   */
  readonly quietMs?: number;
  /**
   * The longest time that the app may take to become idle, in milliseconds.
   * @default {10_000}
   */
  readonly timeoutMs?: number;
}

/** The parameters of `runUntilIdle()` after the app: its options, which are required if the handlers need `args`. */
export type RunUntilIdleParameters<Args = unknown> = undefined extends Args ? [options?: RunUntilIdleOptions<Args>]
  : [options: RunUntilIdleOptions<Args> & { readonly args: Args }];

const DEFAULTS = {
  until: () => true,
  quietMs: 50,
  timeoutMs: 10_000,
} as const satisfies RunUntilIdleOptions;
/** How often to check whether the app is idle, in milliseconds. */
const CHECK_MS = 5;
/** How long an app that was not idle in time may take to end, in milliseconds. */
const END_MS = 2000;

/**
 * Runs an app until it is idle, and then stops it as `signal` of `stream()` does. Resolves when it has stopped, or when all
 * of its sources have ended.
 *
 * An app is idle when each source waits for its next message, and every batch that it has read is handled and settled.
 *
 * Under a `FakeClock` too, `quietMs` and `timeoutMs` are real time: an app whose sources wait for the clock is idle.
 *
 * @param app a Slipstream, or the default app's `stream`
 * @throws {RangeError} If a time is below 0.
 * @throws {Error} If the app is not idle after `timeoutMs`. It is stopped in the same way.
 * @throws The error that `stream()` rejects with, or that `until` throws.
 *
 * @example
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 * import { runUntilIdle, scripted } from "@slipstream/slipstream/testing";
 *
 * const orders = scripted(["a fish", "a trophy"], { then: "stayOpen" });
 * const sent: string[] = [];
 * const app = new Slipstream();
 * app.handle(orders, { sink: (order: string) => sent.push(order) }, (order) => `sent ${order}`);
 * await runUntilIdle(app);
 * console.assert(sent.join() === "sent a fish,sent a trophy");
 * ```
 */
export async function runUntilIdle<Args>(
  app: { readonly stream: StreamFunction<Args> } | StreamFunction<Args>,
  ...[options = {}]: RunUntilIdleParameters<Args>
): Promise<void> {
  const { args, until, quietMs, timeoutMs } = { ...DEFAULTS, ...options };
  for (const [name, ms] of Object.entries({ quietMs, timeoutMs })) {
    if (!(ms >= 0)) throw new RangeError(`runUntilIdle(): ${name} must be milliseconds from 0 on: ${ms}`);
  }
  const activity = new SourceActivity();
  const ending = new AbortController();
  const wrap: WrapReader = (reader) => activity.watch(reader);
  const streamOptions = { args: args as Args, signal: ending.signal, handleSignals: false, [wrapReaders]: wrap };
  const running = typeof app === "function" ? app(streamOptions) : app.stream(streamOptions);
  let hasEnded = false;
  running.then(() => hasEnded = true, () => hasEnded = true);
  const startedAt = realTime();
  let isLate = false;
  try {
    while (!hasEnded) {
      const now = realTime();
      if (activity.idleSince !== undefined && now - activity.idleSince >= quietMs && until()) break;
      if (now - startedAt >= timeoutMs) {
        isLate = true;
        break;
      }
      await settlesWithin(running, CHECK_MS, REAL_TIMERS);
    }
  } catch (error) {
    // until() threw.
    ending.abort();
    await running.catch(() => {});
    throw error;
  }
  const reason = activity.describe();
  ending.abort();
  if (!isLate) return await running;
  // Under a fake clock, a handler or a back-off may wait for ever, and so may the end of the run.
  const isEnded = await settlesWithin(running, END_MS, REAL_TIMERS);
  if (isEnded) await running;
  const more = isEnded ? "" : `, nor did it end within ${END_MS} ms after it was stopped`;
  throw new Error(`runUntilIdle(): the app was not idle within ${timeoutMs} ms${more}: ${reason}`);
}
