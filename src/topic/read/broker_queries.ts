/**
 * The requests that reading sends to brokers beside fetches and commits.
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
import { settlesWithin } from "../../async/settles_within.ts";

/** How long an answer may take, retries included, in milliseconds. */
export const QUERY_TIMEOUT_MS = 10_000;
const RETRY_MS = 300;

/**
 * Asks brokers for partitions, watermarks and committed offsets.
 *
 * A request is retried for 10 s while the broker answers that it can't serve it yet, as the group coordinator of a new
 * cluster does. When the reader is stopped, every request rejects at once.
 */
export class BrokerQueries {
  readonly #names: TopicNames;
  readonly #stopped: ResettableSignal;
  readonly #notices: Notices;

  /** @param stopped ends all requests */
  constructor(names: TopicNames, stopped: ResettableSignal, notices: Notices) {
    this.#names = names;
    this.#stopped = stopped;
    this.#notices = notices;
  }

  /**
   * Sends a request, and retries it for `QUERY_TIMEOUT_MS`.
   *
   * @throws {KafkaError} If the broker refuses, no answer comes in time, or the reader is stopped first.
   */
  async #request<T>(what: string, send: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + QUERY_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.#stopped.raceOrReject(
          send(),
          () => new KafkaError(`${this.#names.where}: closed before a broker had answered the request for ${what}`),
        );
      } catch (error) {
        const failure = KafkaError.from(`${this.#names.where}: can't ask for ${what}`, error);
        if (!failure.retriable || this.#stopped.fired || performance.now() > deadline) throw failure;
      }
      await this.retryDelay();
    }
  }

  /**
   * Repeats one of the requests below until a broker answers, without a limit. Logs one line when it has to wait, and one
   * when that is over.
   *
   * @throws {KafkaError} If the broker refuses, or the reader is stopped first.
   */
  async retryForever<T>(request: () => Promise<T>): Promise<T> {
    const { where } = this.#names;
    for (;;) {
      try {
        const answer = await request();
        this.#notices.clear("query-failing", `${where}: a broker answers`);
        return answer;
      } catch (error) {
        if (!(error instanceof KafkaError) || !error.retriable || this.#stopped.fired) throw error;
        this.#notices.raise("query-failing", `${error.message}; still trying`);
      }
      await this.retryDelay();
    }
  }

  /** Waits before a request is retried; ends early when the reader is stopped. */
  async retryDelay(): Promise<void> {
    await this.#stopped.delay(RETRY_MS);
  }

  /** The partitions of those topics that exist. */
  async partitions(consumer: PortConsumer): Promise<TopicPartition[]> {
    const topics = this.#names.isPattern ? [undefined] : this.#names.subscription;
    const found = await Promise.all(
      topics.map((topic) => this.#request("its partitions", () => consumer.partitions(topic, QUERY_TIMEOUT_MS))),
    );
    return found.flat().filter(({ topic }) => this.#names.include(topic));
  }

  /**
   * The partitions of all topics, which have to exist; a pattern may match none.
   *
   * @throws {KafkaError} If a topic does not exist, a broker refuses, no answer comes in time, or the reader is stopped first.
   */
  async partitionsOfAll(consumer: PortConsumer): Promise<TopicPartition[]> {
    const found = await this.partitions(consumer);
    const missing = this.#names.missing(found);
    if (missing.length > 0) throw this.doesNotExist(missing);
    return found;
  }

  /** The error for topics that do not exist. */
  doesNotExist(topics: readonly string[]): KafkaError {
    const names = topics.map((topic) => JSON.stringify(topic)).join(", ");
    const text = topics.length === 1
      ? `there is no topic ${names}: create it, or correct the name`
      : `there are no topics ${names}: create them, or correct the names`;
    return new KafkaError(`${this.#names.where}: ${text}`, { code: ErrorCode.UNKNOWN_TOPIC_OR_PART });
  }

  /** The low and the high watermark of a partition. */
  watermarks(consumer: PortConsumer, partition: TopicPartition): Promise<Watermarks> {
    return this.#request(
      `the offsets of ${partitionText(partition)}`,
      () => consumer.watermarks(partition, QUERY_TIMEOUT_MS),
    );
  }

  /** The offsets that the group has committed; negative where it has committed none. */
  committed(consumer: PortConsumer, partitions: readonly TopicPartition[]): Promise<TopicPartitionOffset[]> {
    return this.#request("committed offsets", async () => {
      const offsets = await consumer.committed(partitions, QUERY_TIMEOUT_MS);
      const refused = offsets.find(({ error }) => error !== undefined);
      if (refused === undefined) return offsets;
      const { code, message } = refused.error!;
      throw Object.assign(new Error(`${partitionText(refused)}: ${message}`), { code });
    });
  }

  /** Moves the consumer's position of a partition; not retried. */
  async seek(consumer: PortConsumer, target: TopicPartitionOffset): Promise<void> {
    const where = `${this.#names.where}: can't seek ${partitionText(target)} to ${target.offset}`;
    try {
      await this.#stopped.raceOrReject(
        consumer.seek(target, QUERY_TIMEOUT_MS),
        () => new KafkaError(`${where}: closed before a broker had answered`),
      );
    } catch (error) {
      throw KafkaError.from(where, error);
    }
  }
}

/** Settles as the promise does, or rejects with `lateError()` after `QUERY_TIMEOUT_MS`. */
export async function answeredInTime<T>(promise: Promise<T>, lateError: () => KafkaError): Promise<T> {
  if (!await settlesWithin(promise, QUERY_TIMEOUT_MS)) throw lateError();
  return await promise;
}
