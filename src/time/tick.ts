/**
 * Ticks, and iterating over them without a run.
 *
 * @module
 */

import type { Batch, SourceReader } from "../protocol/protocol.ts";

/** What `timer()` and `cron()` emit: a time that has come. */
export interface Tick {
  /** When the tick was due, in milliseconds since 1970. */
  readonly time: number;
  /** How many ticks became due since the one before and were not emitted, because the handlers were busy. */
  readonly skipped: number;
}

/**
 * Reads the ticks of a reader one by one. A tick counts as handled when the next one is asked for. The last tick before the
 * loop is left does not.
 */
export function readTicks(reader: SourceReader<Tick>): AsyncIterableIterator<Tick, void, undefined> {
  const batches = reader.batches.getReader();
  let unfinished: Batch<Tick> | undefined;
  return {
    async next() {
      await unfinished?.done();
      unfinished = undefined;
      const { done, value } = await batches.read();
      if (done) {
        await reader.close();
        return { done: true, value: undefined };
      }
      unfinished = value;
      const [tick] = value.messages;
      return { done: false, value: tick! };
    },
    async return() {
      reader.stop();
      await reader.close();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
