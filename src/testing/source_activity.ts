/**
 * What the sources of an app do: whether they are busy, and which of their batches are not settled.
 *
 * @module
 */

import type { Batch, SourceReader } from "../protocol/protocol.ts";

/** Readers that are busy with something of their own, such as a delay in a script. An app that reads them is not idle. */
export const busyReaders: WeakSet<SourceReader<unknown>> = new WeakSet();

const realPerformance = performance, realNow = performance.now;

/** The time in milliseconds, also while a `FakeClock` stands still. */
export function realTime(): number {
  return realNow.call(realPerformance);
}

/** Watches the readers of an app's sources. */
export class SourceActivity {
  /** `"waiting"` for a batch, or `"busy"` with one. A reader that has ended is removed. */
  readonly #readers = new Map<SourceReader<unknown>, "waiting" | "busy">();
  #hasReaders = false;
  #unsettled = 0;
  #lastChange = realTime();

  /** Since when all sources wait and all batches are settled; `undefined` while they don't, and before there is a source. */
  get idleSince(): number | undefined {
    return this.#hasReaders && this.#busyCount() === 0 && this.#unsettled === 0 ? this.#lastChange : undefined;
  }

  #busyCount(): number {
    let count = 0;
    for (const [reader, state] of this.#readers) if (state === "busy" || busyReaders.has(reader)) count++;
    return count;
  }

  /** Describes what keeps the app from being idle, for an error message. */
  describe(): string {
    const counts =
      `${this.#busyCount()} of ${this.#readers.size} sources are busy, ${this.#unsettled} batches are not settled`;
    return this.idleSince === undefined ? counts : `${counts}, and until() returns false`;
  }

  #set(reader: SourceReader<unknown>, state: "waiting" | "busy" | "ended"): void {
    this.#lastChange = realTime();
    if (state === "ended") this.#readers.delete(reader);
    else this.#readers.set(reader, state);
  }

  /** Wraps a reader so that it is watched. */
  watch<T>(reader: SourceReader<T>): SourceReader<T> {
    const watched = reader.batches.getReader();
    this.#hasReaders = true;
    this.#set(reader, "busy");
    const batches = new ReadableStream<Batch<T>>({
      pull: async (controller) => {
        this.#set(reader, "waiting");
        try {
          const { done, value } = await watched.read();
          if (done) {
            this.#set(reader, "ended");
            return controller.close();
          }
          this.#set(reader, "busy");
          controller.enqueue(this.#counted(value));
        } catch (error) {
          this.#set(reader, "ended");
          throw error;
        }
      },
      cancel: (reason) => {
        this.#set(reader, "ended");
        return watched.cancel(reason);
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

  /** Counts a batch until it is done. */
  #counted<T>(batch: Batch<T>): Batch<T> {
    this.#unsettled++;
    return {
      messages: batch.messages,
      ...(batch.bytes === undefined ? {} : { bytes: batch.bytes }),
      ...(batch.positions === undefined ? {} : { positions: (handled?: number) => batch.positions!(handled) }),
      ...(batch.describe === undefined ? {} : { describe: (message: T) => batch.describe!(message) }),
      ...(batch.unreadable === undefined ? {} : { unreadable: batch.unreadable }),
      ...(batch.stale === undefined ? {} : {
        stale: (message: T, isAccepted?: boolean) => batch.stale!(message, isAccepted),
      }),
      ...(batch.raw === undefined ? {} : { raw: (message: T) => batch.raw!(message) }),
      done: async (handled) => {
        await batch.done(handled);
        this.#unsettled--;
        this.#lastChange = realTime();
      },
    };
  }
}
