/**
 * A Topic as a source of batches, for `handle()`.
 *
 * @module
 */

import { partitionText } from "../kafka/partition_map.ts";
import type { Batch, SourceReader } from "../protocol/protocol.ts";
import { type Decoder, headersOf } from "./read/decoder.ts";
import type { Message } from "./read/message.ts";
import type { ReadBatch } from "./read/read_batch.ts";
import type { TopicReader } from "./read/topic_reader.ts";

/**
 * Returns what reads decoded batches from a Topic.
 *
 * @param close closes the reader
 */
export function sourceReader<K, V>(
  reader: TopicReader,
  decoder: Decoder<K, V>,
  close: () => Promise<void>,
): SourceReader<Message<K, V>> {
  const batches = new ReadableStream<Batch<Message<K, V>>>({
    pull: async (controller) => {
      const batch = await reader.next();
      if (batch === undefined) return controller.close();
      controller.enqueue(await decodedBatch(batch, decoder));
    },
    cancel: () => reader.stop(),
  }, { highWaterMark: 0 });
  return { batches, stop: () => reader.stop(), close };
}

async function decodedBatch<K, V>(batch: ReadBatch, decoder: Decoder<K, V>): Promise<Batch<Message<K, V>>> {
  const decoded = decoder.all(batch.messages);
  const { messages, unreadable } = decoded instanceof Promise ? await decoded : decoded;
  return {
    messages,
    bytes: batch.bytes,
    ...(unreadable === undefined ? {} : { unreadable }),
    positions: (handled) => batch.positions(handled),
    done: (handled) => batch.done(handled),
    stale: (message, isAccepted) => batch.isStale(message, isAccepted),
    describe: (message) => `${partitionText(message)}@${message.offset}`,
    // Only dead letters need it, so it searches: an index would cost every message something.
    raw: ({ topic, partition, offset }) => {
      const raw = batch.messages.find((candidate) =>
        candidate.offset === offset && candidate.partition === partition && candidate.topic === topic
      );
      return raw && { key: raw.key, value: raw.value, headers: headersOf(raw) };
    },
  };
}
