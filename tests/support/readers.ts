/**
 * Readers of a cluster in memory.
 *
 * @module
 */

import type { TopicPartition } from "../../src/kafka/port.ts";
import { MemoryKafka, type MemoryKafkaOptions } from "../../src/testing/memory_kafka.ts";
import { Notices } from "../../src/notices/notices.ts";
import type { ReadBatch } from "../../src/topic/read/read_batch.ts";
import { TopicNames } from "../../src/topic/read/topic_names.ts";
import { TopicReader, type TopicReaderOptions } from "../../src/topic/read/topic_reader.ts";

/** Partition 0 of topic `t`. */
export const P0: TopicPartition = { topic: "t", partition: 0 };
/** Partition 1 of topic `t`. */
export const P1: TopicPartition = { topic: "t", partition: 1 };

/** A cluster with topic `t`. @param lengths how many messages each partition has */
export function kafkaWith(lengths: readonly number[], options?: MemoryKafkaOptions): MemoryKafka {
  const kafka = new MemoryKafka(options);
  kafka.createTopic("t", { partitions: lengths.length });
  for (const [partition, length] of lengths.entries()) {
    for (let offset = 0; offset < length; offset++) {
      kafka.append({ topic: "t", partition }, { value: `${partition}@${offset}` });
    }
  }
  return kafka;
}

/** A reader of topic `t`; by default from its beginning. */
export function newReader(
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

/** The messages of a batch, each as `0@3`: partition 0, offset 3. */
export function messagesOf(batch: ReadBatch | undefined): string[] {
  return (batch?.messages ?? []).map(({ partition, offset }) => `${partition}@${offset}`);
}

/** Positions, each as `0@4`: partition 0, offset 4; sorted. */
export function positionsOf(positions: readonly (TopicPartition & { readonly offset: number })[]): string[] {
  return positions.map(({ partition, offset }) => `${partition}@${offset}`).sort();
}

/** Resolves when a condition holds; rejects after 2,000 checks. */
export async function until(condition: () => boolean): Promise<void> {
  for (let checks = 0; !condition(); checks++) {
    if (checks > 2000) throw new Error(`not within 2,000 checks: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
