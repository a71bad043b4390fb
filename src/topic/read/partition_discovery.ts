/**
 * Finding the partitions of topics, and those that are added later.
 *
 * @module
 */

import type { PortConsumer, TopicPartition } from "../../kafka/port.ts";
import type { BrokerQueries } from "./broker_queries.ts";
import { numberOrDefault } from "../conf/number_or_default.ts";
import type { Notices } from "../../notices/notices.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { TopicNames } from "./topic_names.ts";

/** A topic that is missing for a shorter time, in milliseconds, makes no notice: it may just be created. */
const NOTICE_AFTER_MS = 3000;

/** What `PartitionDiscovery` looks for, and how. */
export interface PartitionDiscoveryOptions {
  readonly names: TopicNames;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly queries: BrokerQueries;
  readonly notices: Notices;
  readonly stopped: ResettableSignal;
  /** Whether the reader has `until: "end"`: it waits for no topic that a pattern does not match yet, nor for partitions. */
  readonly untilEnd: boolean;
  /** How long to wait for topics that do not exist, in milliseconds; without a limit when left out. */
  readonly missingTopicMs: number | undefined;
}

/** Finds the partitions of the topics that a reader reads. */
export class PartitionDiscovery {
  readonly #options: PartitionDiscoveryOptions;
  #missingSince: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PartitionDiscoveryOptions) {
    this.#options = options;
  }

  /**
   * Finds the partitions of all topics, once all exist. Of a pattern: once it matches a topic, or at once for a reader
   * with `until: "end"`. Resolves with no partitions when the reader is stopped.
   *
   * @param onFound called with the partitions of those topics that exist, before others are waited for
   * @throws {KafkaError} If a topic does not exist for longer than `missingTopicMs`.
   */
  async find(
    consumer: PortConsumer,
    onFound: (partitions: readonly TopicPartition[]) => void = () => {},
  ): Promise<readonly TopicPartition[]> {
    const { names, queries, untilEnd, missingTopicMs = Infinity, stopped } = this.#options, began = performance.now();
    while (!stopped.fired) {
      const partitions = await queries.retryForever(() => queries.partitions(consumer));
      onFound(partitions);
      const missing = names.missing(partitions);
      if (missing.length === 0 && (partitions.length > 0 || untilEnd)) return partitions;
      this.onMissing();
      if (missing.length > 0 && performance.now() - began >= missingTopicMs) throw queries.doesNotExist(missing);
      await queries.retryDelay();
    }
    return [];
  }

  /**
   * Looks for all partitions every `topic.metadata.refresh.interval.ms`, as a reader without a group has to; never if the
   * reader has `until: "end"` or the interval is not above 0.
   *
   * @param onFound called with the partitions each time
   */
  watch(consumer: PortConsumer, onFound: (partitions: readonly TopicPartition[]) => void): void {
    const { conf, queries, untilEnd, stopped } = this.#options;
    const everyMs = numberOrDefault(conf, "topic.metadata.refresh.interval.ms");
    if (untilEnd || stopped.fired || everyMs <= 0) return;
    this.#timer = setTimeout(async () => {
      // A broker that does not answer now is asked again the next time.
      onFound(await queries.partitions(consumer).catch(() => []));
      this.watch(consumer, onFound);
    }, everyMs);
  }

  /** Ends `PartitionDiscovery.watch`. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Records that a topic does not exist; logs one line once that lasts. */
  onMissing(): void {
    this.#missingSince ??= performance.now();
    if (performance.now() - this.#missingSince < NOTICE_AFTER_MS) return;
    this.#options.notices.raise("topic-missing", `${this.#subject} does not exist yet; waiting for it`);
  }

  /** Records that topics exist. */
  onExisting(): void {
    this.#options.notices.clear("topic-missing", `${this.#subject} exists now`);
  }

  get #subject(): string {
    const { names } = this.#options;
    return names.single === undefined ? `A topic of ${names.where}` : names.where;
  }
}
