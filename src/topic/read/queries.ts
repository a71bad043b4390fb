/**
 * What a reader asks brokers.
 *
 * @module
 */

import {
  ErrorCode,
  type PortConsumer,
  type TopicPartition,
  type TopicPartitionOffset,
  type Watermarks,
} from "../../kafka/port.ts";
import { partitionText } from "../../kafka/partition_map.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { Notices } from "../../notices/notices.ts";
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
  readonly #stopped: ResettableSignal;
  readonly #notices: Notices;

  /** @param stopped ends all questions */
  constructor(names: TopicNames, stopped: ResettableSignal, notices: Notices) {
    this.#names = names;
    this.#stopped = stopped;
    this.#notices = notices;
  }

  /** @throws {KafkaError} If the broker refuses, does not answer in time, or the reader is stopped first. */
  async #ask<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + QUERY_MS;
    for (;;) {
      try {
        return await this.#stopped.raceOrReject(ask(), () => this.#stop(what));
      } catch (error) {
        const failure = KafkaError.from(`${this.#names.where}: can't ask for ${what}`, error);
        if (!failure.retriable || this.#stopped.fired || performance.now() > deadline) throw failure;
      }
      await this.later();
    }
  }

  /**
   * Asks until a broker answers, however long it takes; says once that it waits, and when that is over.
   *
   * @throws {KafkaError} If the broker refuses, or the reader is stopped first.
   */
  async patiently<T>(ask: () => Promise<T>): Promise<T> {
    const { where } = this.#names;
    for (;;) {
      try {
        const answer = await ask();
        this.#notices.over("question", `${where}: a broker answers`);
        return answer;
      } catch (error) {
        if (!(error instanceof KafkaError) || !error.retriable || this.#stopped.fired) throw error;
        this.#notices.once("question", `${error.message}; still trying`);
      }
      await this.later();
    }
  }

  #stop(what: string): KafkaError {
    return new KafkaError(`${this.#names.where}: closed before a broker had answered for ${what}`);
  }

  /** Waits before asking again, or until nobody asks any more. */
  async later(): Promise<void> {
    await this.#stopped.delay(RETRY_MS);
  }

  /** The partitions of the topics that exist. */
  async partitions(consumer: PortConsumer): Promise<TopicPartition[]> {
    const topics = this.#names.isPattern ? [undefined] : this.#names.subscription;
    const found = await Promise.all(
      topics.map((topic) => this.#ask("its partitions", () => consumer.partitions(topic, QUERY_MS))),
    );
    return found.flat().filter(({ topic }) => this.#names.include(topic));
  }

  /**
   * The partitions of topics that all exist; an expression may match none.
   *
   * @throws {KafkaError} If a topic does not exist; or as every question.
   */
  async existing(consumer: PortConsumer): Promise<TopicPartition[]> {
    const found = await this.partitions(consumer);
    const missing = this.#names.missing(found);
    if (missing.length > 0) throw this.doesNotExist(missing);
    return found;
  }

  /** What is said of topics that do not exist. */
  doesNotExist(topics: readonly string[]): KafkaError {
    const names = topics.map((topic) => JSON.stringify(topic)).join(", ");
    const text = topics.length === 1
      ? `there is no topic ${names}: create it, or correct the name`
      : `there are no topics ${names}: create them, or correct the names`;
    return new KafkaError(`${this.#names.where}: ${text}`, { code: ErrorCode.UNKNOWN_TOPIC_OR_PART });
  }

  /** The lowest offset of a partition and the next one to be written. */
  watermarks(consumer: PortConsumer, partition: TopicPartition): Promise<Watermarks> {
    return this.#ask(
      `the offsets of ${partitionText(partition)}`,
      () => consumer.watermarks(partition, QUERY_MS),
    );
  }

  /** What the group has committed; a negative offset where it has not. */
  committed(consumer: PortConsumer, partitions: readonly TopicPartition[]): Promise<TopicPartitionOffset[]> {
    return this.#ask("committed offsets", async () => {
      const offsets = await consumer.committed(partitions, QUERY_MS);
      const refused = offsets.find(({ error }) => error !== undefined);
      if (refused === undefined) return offsets;
      const { code, message } = refused.error!;
      throw Object.assign(new Error(`${partitionText(refused)}: ${message}`), { code });
    });
  }

  /** Reads on at another offset. */
  seek(consumer: PortConsumer, target: TopicPartitionOffset): Promise<void> {
    const where = `${this.#names.where}: can't seek ${partitionText(target)} to ${target.offset}`;
    return this.#stopped.raceOrReject(consumer.seek(target, QUERY_MS), () => new KafkaError(`${where}: closed`)).catch((
      error,
    ) => Promise.reject(KafkaError.from(where, error)));
  }
}

/** What a promise gives; rejects if that takes longer than a broker is waited for. */
export async function answered<T>(promise: Promise<T>, late: () => KafkaError): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const out = new Promise<never>((_, reject) => timer = setTimeout(() => reject(late()), QUERY_MS));
  try {
    return await Promise.race([promise, out]);
  } finally {
    clearTimeout(timer);
  }
}
