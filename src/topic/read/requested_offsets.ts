/**
 * The start offsets that the user has requested, by the option `offset` or by `seek()`.
 *
 * @module
 */

import type { TopicPartition, TopicPartitionOffset, Watermarks } from "../../kafka/port.ts";
import { PartitionMap, partitionText } from "../../kafka/partition_map.ts";
import { BEGINNING, END } from "./offsets.ts";

/** What `RequestedOffsets` needs to know of a partition. */
export interface PartitionQueries {
  /** Its low and high watermark. */
  watermarks(partition: TopicPartition): Promise<Watermarks>;
  /** The offset that the group has committed; negative if it has committed none. */
  committed(partition: TopicPartition): Promise<number>;
  /** Whether it was added after the reader began: then the reader has missed nothing of it. */
  isAddedLater(partition: TopicPartition): boolean;
}

/**
 * The requested start offset of each partition. It applies until a message of the partition has been handled and the group
 * has committed an offset; from then on, the committed offset applies.
 *
 * It is remembered for two events, after which there is no committed offset yet and `auto.offset.reset` would decide: a
 * rebalance before the first message is handled, and a rebalance after the first commit has failed.
 */
export class RequestedOffsets {
  readonly #where: string;
  readonly #option: (partition: number) => number | undefined;
  readonly #queries: PartitionQueries;
  /** Resolved offsets of partitions that were assigned before, or sought in. */
  readonly #resolved = new PartitionMap<number>();
  /** Partitions of which a message was handled before they were revoked. */
  readonly #handled = new PartitionMap<true>();

  /**
   * @param where the topic, as errors name it
   * @param option the option `offset` for a partition (of each topic); `undefined` where it names none
   */
  constructor(where: string, option: (partition: number) => number | undefined, queries: PartitionQueries) {
    this.#where = where;
    this.#option = option;
    this.#queries = queries;
  }

  /**
   * The offset to start at when a partition is assigned; `undefined` for the committed offset, or `auto.offset.reset`.
   *
   * @throws {RangeError} If the partition does not have the requested offset.
   */
  async startOffset(partition: TopicPartition): Promise<number | undefined> {
    const resolved = this.#resolved.get(partition), requested = resolved ?? this.#option(partition.partition);
    if (requested === undefined) return undefined;
    if (this.#handled.has(partition) && await this.#hasCommitted(partition)) return undefined;
    if (resolved !== undefined) return resolved;
    const isAddedLater = requested === END && this.#queries.isAddedLater(partition);
    // Another member may have read a part of it already.
    if (isAddedLater && await this.#hasCommitted(partition)) return undefined;
    const { offset } = await this.resolve({ ...partition, offset: isAddedLater ? BEGINNING : requested });
    this.#resolved.set(partition, offset);
    return offset;
  }

  async #hasCommitted(partition: TopicPartition): Promise<boolean> {
    return await this.#queries.committed(partition) >= 0;
  }

  /**
   * The resolved requested offset of a partition; `undefined` if there is none, or a message of the partition was handled
   * before it was revoked.
   */
  pendingOffset(partition: TopicPartition): number | undefined {
    return this.#handled.has(partition) ? undefined : this.#resolved.get(partition);
  }

  /** Requests a start offset for a partition, also for the next time that it is assigned. */
  set(partition: TopicPartition, offset: number): void {
    this.#resolved.set(partition, offset);
    this.#handled.delete(partition);
  }

  /** Records that a message of a partition was handled before the partition was revoked. */
  markHandled(partition: TopicPartition): void {
    this.#handled.set(partition, true);
  }

  /**
   * Resolves the end to the number that it is now, so that a later start does not skip what is written meanwhile; and
   * checks other numbers.
   *
   * @throws {RangeError} If the partition does not have the offset.
   */
  async resolve({ topic, partition, offset }: TopicPartitionOffset): Promise<TopicPartitionOffset> {
    if (offset === BEGINNING) return { topic, partition, offset };
    const { lowOffset, highOffset } = await this.#queries.watermarks({ topic, partition });
    if (offset === END) return { topic, partition, offset: highOffset };
    if (offset >= lowOffset && offset <= highOffset) return { topic, partition, offset };
    const name = partitionText({ topic, partition });
    throw new RangeError(`${this.#where}: ${name} has no offset ${offset}: it has ${lowOffset} to ${highOffset}`);
  }
}
