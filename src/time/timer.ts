/**
 * A timer as a source.
 *
 * @module
 */

import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";
import { ResettableSignal } from "../async/resettable_signal.ts";
import { describeValue } from "../options/describe_value.ts";
import { assertNoProblems } from "../options/problems.ts";
import { type BatchSource, openSource, type SourceReader } from "../protocol/protocol.ts";
import { readTicks, type Tick } from "./tick.ts";

/**
 * A source that emits a tick every `ms` milliseconds, the first one `ms` after reading starts. It never ends by itself.
 *
 * - **No drift**: tick n is due n × `ms` after the start, however long the handlers take.
 * - **No backlog**: ticks that become due while the handlers are busy are merged into one. The source emits it when they
 *   are free; its `skipped` is the number of ticks that were merged into it.
 * - **Prompt stop**: the wait for the next tick ends at once when the run is stopped or the loop is left.
 *
 * Each reader of a timer counts from its own start.
 *
 * @param ms the time between ticks, in milliseconds: above 0, at most 2,147,483,647 (24.8 days)
 * @throws {TypeError} If `ms` is not a number, or if there is a second parameter: a timer has no options.
 * @throws {RangeError} If `ms` is out of its range.
 *
 * @example
 * ```ts
 * import { timer } from "@slipstream/slipstream";
 *
 * let ticks = 0;
 * for await (const tick of timer(5)) {
 *   console.assert(tick.time <= Date.now() + 1);
 *   if (++ticks === 2) break;
 * }
 * console.assert(ticks === 2);
 * ```
 */
export function timer(ms: number): BatchSource<Tick> & AsyncIterable<Tick>;
export function timer(ms: unknown, ...more: unknown[]): BatchSource<Tick> & AsyncIterable<Tick> {
  const problems: string[] = [];
  if (typeof ms !== "number") problems.push(`the time between ticks must be a number: got ${describeValue(ms)}`);
  if (more.length > 0) problems.push(`it takes the time between ticks alone: got ${more.length + 1} parameters`);
  assertNoProblems("timer()", problems);
  const period = ms as number;
  if (!(period > 0 && period <= LONGEST_TIMER_MS)) {
    throw new RangeError(
      `timer(): the time between ticks must be above 0 and at most ${LONGEST_TIMER_MS} milliseconds: got ${period}`,
    );
  }
  return {
    [openSource]: () => open(period),
    [Symbol.asyncIterator]: () => readTicks(open(period)),
  };
}

function open(ms: number): SourceReader<Tick> {
  // Ticks are counted by the monotonic clock; the calendar's clock may be set while the timer runs.
  const startedAt = performance.now(), startTime = Date.now();
  /** The number of the tick that was emitted last; the first one has number 1. */
  let last = 0;
  const stopped = new ResettableSignal();
  return {
    batches: new ReadableStream({
      async pull(controller) {
        // `setTimeout()` may fire a little early: the rest of the time is waited for again.
        for (let wait; !stopped.fired && (wait = startedAt + (last + 1) * ms - performance.now()) > 0;) {
          await stopped.delay(Math.min(Math.ceil(wait), LONGEST_TIMER_MS));
        }
        if (stopped.fired) return controller.close();
        const due = Math.max(last + 1, Math.floor((performance.now() - startedAt) / ms));
        const tick: Tick = { time: startTime + due * ms, skipped: due - last - 1 };
        last = due;
        controller.enqueue({ messages: [tick], done() {}, describe: ({ time }) => `timer@${time}` });
      },
      cancel: () => stopped.fire(),
    }, { highWaterMark: 0 }),
    stop: () => stopped.fire(),
    close: () => Promise.resolve(stopped.fire()),
  };
}
