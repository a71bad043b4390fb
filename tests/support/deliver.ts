/**
 * Runs a source into a Cache as the protocol demands, for tests of Cache without the stream room.
 *
 * @module
 */

import type { Cache } from "../../src/cache/cache.ts";
import type { CacheInput } from "../../src/cache/cache_input.ts";
import { type BatchSource, type Delivery, openSink, openSource } from "../../src/protocol/protocol.ts";

/**
 * Makes a sink accept a value for each message, with one delivery for each batch. A batch is done when its delivery has
 * settled. Some batches overlap.
 *
 * @throws what the sink throws, or what a delivery rejects with; then neither its batch nor a later one is done
 */
export async function deliver<T, V>(
  source: BatchSource<T>,
  sink: Cache<V>,
  make: (message: T) => CacheInput<V>,
): Promise<void> {
  const reader = source[openSource]();
  const writer = sink[openSink]();
  let done: Promise<void> = Promise.resolve();
  let [open, failed] = [0, false];
  try {
    for await (const batch of reader.batches) {
      const delivery: Delivery = { undelivered() {} };
      for (const message of batch.messages) {
        const room = writer.accept(make(message), delivery, message);
        if (room !== undefined) await room;
      }
      const settled = writer.settle(delivery);
      open++;
      done = done.then(() => settled).then(() => batch.done()).then(() => void open--);
      done.catch(() => failed = true);
      if (failed || open > 10) await done;
    }
    await done;
  } finally {
    reader.stop();
    await reader.close();
    await writer.close();
  }
}

/** A source of one batch. */
export function batchOf<T>(messages: readonly T[]): BatchSource<T> {
  return {
    [openSource]: () => ({ batches: ReadableStream.from([{ messages, done() {} }]), stop() {}, close: async () => {} }),
  };
}
