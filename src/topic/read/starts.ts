/**
 * Where a reader starts in each partition.
 *
 * @module
 */

import type { TopicPartition, TopicPartitionOffset, Watermarks } from "../../kafka/port.ts";
import { PartitionMap, partitionText } from "../../kafka/partition_map.ts";
import { BEGINNING, END } from "./offsets.ts";

/** What is asked of the brokers. */
export interface StartQueries {
  /** The ends of a partition. */
  watermarks(place: TopicPartition): Promise<Watermarks>;
  /** What the group has committed; negative when it has not. */
  committed(place: TopicPartition): Promise<number>;
  /** Whether a partition came after the reader did, with all that is in it. */
  isNew(place: TopicPartition): boolean;
}

/**
 * Where reading was said to start, until something of the partition was handled; then what was committed counts. A
 * rebalance before that must not leave it to auto.offset.reset, nor may one whose commit failed.
 */
export class Starts {
  readonly #where: string;
  readonly #said: (partition: number) => number | undefined;
  readonly #queries: StartQueries;
  /** Of partitions that were ours, or were sought in. */
  readonly #starts = new PartitionMap<number>();
  /** Partitions of which something was handled when they left us. */
  readonly #begun = new PartitionMap<true>();

  /**
   * @param where the topic, as errors have it
   * @param said where to start in a partition (of each topic) the first time
   */
  constructor(where: string, said: (partition: number) => number | undefined, queries: StartQueries) {
    this.#where = where;
    this.#said = said;
    this.#queries = queries;
  }

  /**
   * The offset to start at; `undefined` for what was committed, or auto.offset.reset.
   *
   * @throws {RangeError} If it was said, and the partition has no such offset.
   */
  async of(place: TopicPartition): Promise<number | undefined> {
    const before = this.#starts.get(place), said = before ?? this.#said(place.partition);
    if (said === undefined) return undefined;
    if (this.#begun.has(place) && await this.#queries.committed(place) >= 0) return undefined;
    if (before !== undefined) return before;
    const isNew = said === END && this.#queries.isNew(place);
    // Other members may have read it already.
    if (isNew && await this.#queries.committed(place) >= 0) return undefined;
    const { offset } = await this.resolved({ ...place, offset: isNew ? BEGINNING : said });
    this.#starts.set(place, offset);
    return offset;
  }

  /** Where reading starts in a partition of which nothing was handled since it was sought in, or given its start. */
  known(place: TopicPartition): number | undefined {
    return this.#begun.has(place) ? undefined : this.#starts.get(place);
  }

  /** Reading starts there, the next time, too. */
  set(place: TopicPartition, offset: number): void {
    this.#starts.set(place, offset);
    this.#begun.delete(place);
  }

  /** Something of a partition was handled before it left. */
  begun(place: TopicPartition): void {
    this.#begun.set(place, true);
  }

  /**
   * A place with an offset that lasts: the end is where it is now, and what comes later lies behind it.
   *
   * @throws {RangeError} If the partition has no such offset; `BEGINNING` and `END` it always has.
   */
  async resolved({ topic, partition, offset }: TopicPartitionOffset): Promise<TopicPartitionOffset> {
    const place = { topic, partition };
    if (offset === BEGINNING) return { ...place, offset };
    const { lowOffset, highOffset } = await this.#queries.watermarks(place);
    if (offset === END) return { ...place, offset: highOffset };
    if (offset >= lowOffset && offset <= highOffset) return { ...place, offset };
    throw new RangeError(
      `${this.#where}: ${partitionText(place)} has no offset ${offset}: it has ${lowOffset} to ${highOffset}`,
    );
  }
}
