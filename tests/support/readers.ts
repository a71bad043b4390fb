/**
 * Readers over a cluster in memory, for tests.
 *
 * @module
 */

import type { TopicPartition } from "../../src/kafka/port.ts";
import { MemoryKafka, type MemoryKafkaOptions } from "../../src/testing/memory_kafka.ts";
import { Notices } from "../../src/notices/notices.ts";
import type { ReadBatch } from "../../src/topic/read/read_batch.ts";
import { TopicNames } from "../../src/topic/read/topic_names.ts";
import { TopicReader, type TopicReaderOptions } from "../../src/topic/read/topic_reader.ts";

/** Partitions of topic `t`. */
export const P0: TopicPartition = { topic: "t", partition: 0 };
export const P1: TopicPartition = { topic: "t", partition: 1 };

/** A cluster with topic `t`, whose partitions have so many messages. */
export function kafkaOf(lengths: readonly number[], options?: MemoryKafkaOptions): MemoryKafka {
  const kafka = new MemoryKafka(options);
  kafka.createTopic("t", { partitions: lengths.length });
  for (const [partition, length] of lengths.entries()) {
    for (let offset = 0; offset < length; offset++) {
      kafka.append({ topic: "t", partition }, { value: `${partition}@${offset}` });
    }
  }
  return kafka;
}

/** A reader of topic `t`, from its beginning. */
export function readerOf(
  kafka: MemoryKafka,
  conf: Readonly<Record<string, unknown>> = {},
  options: Partial<TopicReaderOptions> = {},
): TopicReader {
  return new TopicReader(
    new TopicNames("t"),
    { "bootstrap.servers": kafka.bootstrapServers, "auto.offset.reset": "earliest", ...conf },
    { startAt: () => undefined, untilEnd: false, autoCommit: true, ...options },
    new Notices((text) => text),
  );
}

/** The messages of a batch, as `0@3` for partition 0 and offset 3. */
export function placesOf(batch: ReadBatch | undefined): string[] {
  return (batch?.messages ?? []).map(({ partition, offset }) => `${partition}@${offset}`);
}

/** Positions as `0@4`. */
export function positionsOf(positions: readonly (TopicPartition & { readonly offset: number })[]): string[] {
  return positions.map(({ partition, offset }) => `${partition}@${offset}`).sort();
}

/** Resolves when something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    if (turns > 2000) throw new Error("it never came to be");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
