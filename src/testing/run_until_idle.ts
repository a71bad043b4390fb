/**
 * Running an app until there is nothing more to do.
 *
 * @module
 */

import type { Batch, SourceReader } from "../stream/protocol.ts";
import { type WrapReader, wrapReaders } from "../stream/wrap_readers.ts";

// Kept from the start, so that they go on when a test has put fake ones in their place.
const { setTimeout, clearTimeout } = globalThis;

/** Readers that wait for something of their own, such as a delay in a script: who waits for them is not idle. */
export const readersAtWork: WeakSet<SourceReader<unknown>> = new WeakSet();

/**
 * What runs an app: the `stream` of a Slipstream, or the function.
 *
 * @typeParam Args what the app's handlers get as their second parameter
 */
export type StreamFunction<Args = unknown> = (options: {
  readonly args: Args;
  readonly signal: AbortSignal;
  readonly handleSignals: boolean;
}) => Promise<void>;

/**
 * How `runUntilIdle` runs an app.
 *
 * @typeParam Args what the app's handlers get as their second parameter
 */
export interface RunUntilIdleOptions<Args = unknown> {
  /**
   * The second parameter of every handler.
   * @default {undefined}
   */
  readonly args?: Args;
  /** What has to hold before the app can count as idle; for sources that need time to begin, such as a Topic. */
  readonly until?: () => boolean;
  /**
   * How long nothing may have happened, in milliseconds.
   * @default {50}
   */
  readonly quietMs?: number;
  /**
   * After how long it gives up, in milliseconds.
   * @default {10_000}
   */
  readonly timeoutMs?: number;
}

/** The parameters of `runUntilIdle` behind the app: its options, required when handlers need `args`. */
export type RunUntilIdleParameters<Args = unknown> = undefined extends Args ? [options?: RunUntilIdleOptions<Args>]
  : [options: RunUntilIdleOptions<Args> & { readonly args: Args }];

const DEFAULTS = { quietMs: 50, timeoutMs: 10_000 } as const satisfies RunUntilIdleOptions;
const LOOK_MS = 5;
/** How long an app that was not idle in time may take to end. */
const END_MS = 2000;

/**
 * Runs an app until it is idle, and ends it in order: all it was given is handled and settled, and its sources have
 * nothing more to give for the moment. Resolves as well when all sources have ended.
 *
 * Its own waits are in real time, also under a `FakeClock`: a timer that waits for the clock is idle.
 *
 * @param app a Slipstream, or the default app's `stream`
 * @throws {Error} If the app is not idle in time. It is ended in order then, too.
 * @throws What `stream()` rejects with.
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
  const { args, until = () => true, quietMs, timeoutMs } = { ...DEFAULTS, ...options };
  for (const [name, ms] of Object.entries({ quietMs, timeoutMs })) {
    if (!(ms >= 0)) throw new RangeError(`${name} must be from 0 on: ${ms}`);
  }
  const activity = new Activity();
  const ending = new AbortController();
  const wrap: WrapReader = (reader) => activity.watch(reader);
  const streamOptions = { args: args as Args, signal: ending.signal, handleSignals: false, [wrapReaders]: wrap };
  const running = typeof app === "function" ? app(streamOptions) : app.stream(streamOptions);
  let over = false;
  running.then(() => over = true, () => over = true);
  const startedAt = monotonic();
  let late = false;
  try {
    while (!over) {
      const now = monotonic();
      if (activity.idleSince !== undefined && now - activity.idleSince >= quietMs && until()) break;
      if (now - startedAt >= timeoutMs) {
        late = true;
        break;
      }
      await new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, LOOK_MS);
        running.catch(() => {}).finally(() => {
          clearTimeout(timeout);
          resolve();
        });
      });
    }
  } catch (error) {
    // What it was to wait for can't be told.
    ending.abort();
    await running.catch(() => {});
    throw error;
  }
  const busy = activity.describe();
  ending.abort();
  if (!late) return await running;
  // What kept it from being idle may keep it from ending, too: under a fake clock even the time for the end stands still.
  const ended = await withinRealTime(END_MS, running);
  const also = ended ? "" : `, nor had it ended ${END_MS} ms after it was stopped`;
  throw new Error(`runUntilIdle(): the app was not idle within ${timeoutMs} ms${also}: ${busy}`);
}

/** Whether something ends in time. A rejection is passed on; one that comes later goes unheard. */
async function withinRealTime(ms: number, ending: Promise<void>): Promise<boolean> {
  let timeout: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => timeout = setTimeout(() => resolve(false), ms));
  try {
    return await Promise.race([ending.then(() => true), late]);
  } finally {
    clearTimeout(timeout);
  }
}

const realPerformance = performance, realNow = performance.now;

/** The time that goes on when a test has stopped the clock. */
function monotonic(): number {
  return realNow.call(realPerformance);
}

/** What goes on in the sources of an app. */
class Activity {
  readonly #open = new Map<SourceReader<unknown>, "asked" | "busy">();
  #begun = false;
  #unsettled = 0;
  #last = monotonic();

  /** Since when nothing has happened and nothing is under way; `undefined` while something is. */
  get idleSince(): number | undefined {
    return this.#begun && this.#busy().length === 0 && this.#unsettled === 0 ? this.#last : undefined;
  }

  #busy(): SourceReader<unknown>[] {
    return [...this.#open].flatMap(([reader, state]) => state === "busy" || readersAtWork.has(reader) ? [reader] : []);
  }

  describe(): string {
    const waits = this.idleSince === undefined ? "" : ", and what it was to wait for did not come to hold";
    return `${this.#busy().length} of ${this.#open.size} sources at work, ${this.#unsettled} batches not settled${waits}`;
  }

  #to(reader: SourceReader<unknown>, state: "asked" | "busy" | "ended"): void {
    this.#last = monotonic();
    if (state === "ended") this.#open.delete(reader);
    else this.#open.set(reader, state);
  }

  /** The same reader, looked at from outside. */
  watch<T>(reader: SourceReader<T>): SourceReader<T> {
    const from = reader.batches.getReader();
    this.#begun = true;
    this.#to(reader, "busy");
    const batches = new ReadableStream<Batch<T>>({
      pull: async (controller) => {
        this.#to(reader, "asked");
        try {
          const { done, value } = await from.read();
          if (done) {
            this.#to(reader, "ended");
            return controller.close();
          }
          this.#to(reader, "busy");
          controller.enqueue(this.#counted(value));
        } catch (error) {
          this.#to(reader, "ended");
          throw error;
        }
      },
      cancel: (reason) => {
        this.#to(reader, "ended");
        return from.cancel(reason);
      },
    }, { highWaterMark: 0 });
    return {
      batches,
      ...(reader.pause === undefined ? {} : { pause: () => reader.pause!() }),
      ...(reader.resume === undefined ? {} : { resume: () => reader.resume!() }),
      stop: () => reader.stop(),
      close: (reason) => reader.close(reason),
    };
  }

  #counted<T>(batch: Batch<T>): Batch<T> {
    this.#unsettled++;
    return {
      messages: batch.messages,
      ...(batch.bytes === undefined ? {} : { bytes: batch.bytes }),
      ...(batch.positions === undefined ? {} : { positions: (handled?: number) => batch.positions!(handled) }),
      ...(batch.describe === undefined ? {} : { describe: (message: T) => batch.describe!(message) }),
      ...(batch.unreadable === undefined ? {} : { unreadable: batch.unreadable }),
      ...(batch.stale === undefined ? {} : { stale: (message: T) => batch.stale!(message) }),
      ...(batch.raw === undefined ? {} : { raw: (message: T) => batch.raw!(message) }),
      done: async (handled) => {
        await batch.done(handled);
        this.#unsettled--;
        this.#last = monotonic();
      },
    };
  }
}
