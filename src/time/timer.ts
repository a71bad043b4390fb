import { type BatchSource, openSource, type SourceReader } from "../stream/protocol.ts";
import { oneByOne, type Tick } from "./tick.ts";

/** A timer for longer fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * A source of ticks, the first one `ms` after reading starts. It never ends by itself.
 *
 * - **No drift**: tick n is due n × `ms` after the start, however long handlers take.
 * - **No pile-up**: ticks that fall due while the handler is busy become one, handed out when it is free, with the
 *   number of those left out in `skipped`.
 * - **Stops at once** when the run is aborted or the loop is left.
 *
 * Each reader of a timer has a clock of its own.
 *
 * @param ms the time between ticks, in milliseconds: above 0, at most 2,147,483,647 (24 days)
 * @throws {RangeError} If `ms` is none of that.
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
export function timer(ms: number): BatchSource<Tick> & AsyncIterable<Tick> {
  if (typeof ms !== "number" || !(ms > 0 && ms <= LONGEST_MS)) {
    throw new RangeError(`timer() takes milliseconds above 0, at most ${LONGEST_MS}: ${String(ms)}`);
  }
  return {
    [openSource]: () => open(ms),
    [Symbol.asyncIterator]: () => oneByOne(open(ms)),
  };
}

function open(ms: number): SourceReader<Tick> {
  // The monotonic clock counts; the calendar's only says what time it was.
  const startedAt = performance.now(), startTime = Date.now();
  let last = 0;
  let stopped = false;
  let wake: (() => void) | undefined;
  const stop = () => {
    stopped = true;
    wake?.();
  };
  return {
    batches: new ReadableStream({
      async pull(controller) {
        // A timer may fire a little early: it is waited for again.
        for (let wait; !stopped && (wait = startedAt + (last + 1) * ms - performance.now()) > 0;) {
          await new Promise<void>((resolve) => {
            const timeout = setTimeout(resolve, Math.min(Math.ceil(wait), LONGEST_MS));
            wake = () => {
              clearTimeout(timeout);
              resolve();
            };
          });
          wake = undefined;
        }
        if (stopped) return controller.close();
        const now = Math.max(last + 1, Math.floor((performance.now() - startedAt) / ms));
        const tick: Tick = { time: startTime + now * ms, skipped: now - last - 1 };
        last = now;
        controller.enqueue({ messages: [tick], done() {}, describe: ({ time }) => `timer@${time}` });
      },
      cancel() {
        stopped = true;
        wake?.();
      },
    }, { highWaterMark: 0 }),
    stop,
    close: () => Promise.resolve(stop()),
  };
}
