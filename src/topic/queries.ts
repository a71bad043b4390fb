/**
 * What a reader asks brokers.
 *
 * @module
 */

import type { KafkaConsumer, TopicPartition, TopicPartitionOffset, Watermarks } from "../kafka/client.ts";
import { partitionText } from "./by_partition.ts";
import { KafkaError } from "./kafka_error.ts";
import type { Latch } from "./latch.ts";
import type { TopicNames } from "./topic_names.ts";

/** How long a broker is waited for. */
export const QUERY_MS = 10_000;
const RETRY_MS = 300;

/**
 * Asks, and asks again for a while when a broker says that it can't answer yet, as a new cluster's coordinators do. Every
 * question ends at once, with an error, when the reader is stopped.
 */
export class Queries {
  readonly #names: TopicNames;
  readonly #stopped: Latch;

  /** @param stopped ends all questions */
  constructor(names: TopicNames, stopped: Latch) {
    this.#names = names;
    this.#stopped = stopped;
  }

  /** @throws {KafkaError} If the broker refuses, does not answer in time, or the reader is stopped first. */
  async #ask<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + QUERY_MS;
    for (;;) {
      try {
        return await this.#stopped.cut(ask(), () => this.#stop(what));
      } catch (error) {
        const failure = KafkaError.from(`${this.#names.where}: can't ask for ${what}`, error);
        if (!failure.retriable || this.#stopped.fired || performance.now() > deadline) throw failure;
      }
      await this.later();
    }
  }

  #stop(what: string): KafkaError {
    return new KafkaError(`${this.#names.where}: closed before a broker had answered for ${what}`);
  }

  /** Waits before asking again, or until nobody asks any more. */
  async later(): Promise<void> {
    await this.#stopped.pause(RETRY_MS);
  }

  /** The partitions of the topics that exist. */
  async partitions(consumer: KafkaConsumer): Promise<TopicPartition[]> {
    const topics = this.#names.isPattern ? [undefined] : this.#names.subscription;
    const found = await Promise.all(
      topics.map((topic) => this.#ask("its partitions", () => consumer.partitions(topic, QUERY_MS))),
    );
    return found.flat().filter(({ topic }) => this.#names.include(topic));
  }

  /** The lowest offset of a partition and the next one to be written. */
  watermarks(consumer: KafkaConsumer, partition: TopicPartition): Promise<Watermarks> {
    return this.#ask(
      `the offsets of ${partitionText(partition)}`,
      () => consumer.watermarks(partition, QUERY_MS),
    );
  }

  /** What the group has committed; a negative offset where it has not. */
  committed(consumer: KafkaConsumer, partitions: readonly TopicPartition[]): Promise<TopicPartitionOffset[]> {
    return this.#ask("committed offsets", async () => {
      const offsets = await consumer.committed(partitions, QUERY_MS);
      const refused = offsets.find(({ error }) => error !== undefined);
      if (refused === undefined) return offsets;
      const { code, message } = refused.error!;
      throw Object.assign(new Error(`${partitionText(refused)}: ${message}`), { code });
    });
  }

  /** Reads on at another offset. */
  seek(consumer: KafkaConsumer, target: TopicPartitionOffset): Promise<void> {
    const where = `${this.#names.where}: can't seek ${partitionText(target)} to ${target.offset}`;
    return this.#stopped.cut(consumer.seek(target, QUERY_MS), () => new KafkaError(`${where}: closed`)).catch((error) =>
      Promise.reject(KafkaError.from(where, error))
    );
  }
}
