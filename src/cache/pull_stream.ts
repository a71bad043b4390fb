/**
 * Streams over the readers of a Cache.
 *
 * @module
 */

import type { Batch, SourceReader } from "../protocol/protocol.ts";
import type { PullReader } from "./open_changes.ts";

/**
 * A stream that reads one value for each pull. A cancel closes the reader at once, even while it is being opened.
 *
 * @param open opens the reader
 * @param running holds the functions that end the streams now open; the stream adds its own and removes it at its end
 */
export function pullStream<T>(open: () => Promise<PullReader<T>>, running: Set<() => void>): ReadableStream<T> {
  let reader: PullReader<T> | undefined;
  let isOver = false;
  const end = () => {
    isOver = true;
    running.delete(end);
    reader?.close();
  };
  running.add(end);
  return new ReadableStream<T>({
    start: async () => {
      try {
        reader = await open();
        if (isOver) reader.close();
      } catch (error) {
        end();
        throw error;
      }
    },
    pull: async (controller) => {
      try {
        const value = await reader!.next();
        if (value !== undefined) return controller.enqueue(value);
      } catch (error) {
        // When the Cache is closed, a read of the store may fail because of that. The stream just ends then.
        if (!isOver) {
          end();
          throw error;
        }
      }
      end();
      controller.close();
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

/** A source of `handle()` that reads a stream, each value in a batch of its own. A batch has no position to store. */
export function readInBatches<T>(stream: ReadableStream<T>): SourceReader<T> {
  const reader = stream.getReader();
  // A stream that failed rejects its cancel too. The read that follows reports the failure.
  const stop = () => void reader.cancel().catch(() => {});
  const batches = new ReadableStream<Batch<T>>({
    pull: async (controller) => {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue({ messages: [value], done() {} });
    },
    cancel: stop,
  }, { highWaterMark: 0 });
  return { batches, stop, close: () => reader.cancel() };
}
