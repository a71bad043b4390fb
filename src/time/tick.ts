/**
 * Ticks, and reading them one by one.
 *
 * @module
 */

import type { Batch, SourceReader } from "../stream/protocol.ts";

/** A moment at which something was due. */
export interface Tick {
  /** When it was due, in milliseconds since 1970. */
  readonly time: number;
  /** How many ticks before it, and after the last one handed out, were left out since the handler was busy. */
  readonly skipped: number;
}

/** The messages of a reader one by one. One counts as handled when the next is asked for, not when the loop is left. */
export function oneByOne(reader: SourceReader<Tick>): AsyncIterableIterator<Tick, void, undefined> {
  const batches = reader.batches.getReader();
  let held: Batch<Tick> | undefined;
  return {
    async next() {
      await held?.done();
      held = undefined;
      const { done, value } = await batches.read();
      if (done) {
        await reader.close();
        return { done: true, value: undefined };
      }
      held = value;
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
