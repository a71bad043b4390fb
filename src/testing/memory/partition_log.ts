/**
 * The log of a partition.
 *
 * @module
 */

import type { FetchedMessage, TopicPartition, Watermarks } from "../../kafka/port.ts";
import { type AppendedRecord, type MemoryRecord, shown } from "./memory_record.ts";

/** The records of a partition in the order of their offsets, which may have gaps. */
export class PartitionLog {
  readonly topic: string;
  readonly partition: number;
  readonly #messages: FetchedMessage[] = [];
  /** The first of the messages as tests see them. The others are added when a test asks. */
  readonly #records: MemoryRecord[] = [];
  #lowOffset = 0;
  #highOffset = 0;

  constructor({ topic, partition }: TopicPartition) {
    this.topic = topic;
    this.partition = partition;
  }

  /** The records, the oldest first. */
  get records(): readonly MemoryRecord[] {
    while (this.#records.length < this.#messages.length) {
      this.#records.push(shown(this.#messages[this.#records.length]!));
    }
    return this.#records;
  }

  /** The lowest offset, and the offset of the next record. */
  get watermarks(): Watermarks {
    return { lowOffset: this.#lowOffset, highOffset: this.#highOffset };
  }

  /** Writes a record, and returns its offset. */
  append(record: AppendedRecord): number {
    const { topic, partition } = this, offset = this.#highOffset++;
    this.#messages.push({ topic, partition, offset, ...record, leaderEpoch: 0, size: record.value?.length ?? 0 });
    return offset;
  }

  /** Leaves a gap of so many offsets, as compaction and the markers of transactions do. */
  skip(offsets: number): void {
    this.#highOffset += offsets;
  }

  /** Deletes the records below an offset. */
  deleteBefore(offset: number): void {
    this.#lowOffset = Math.min(Math.max(this.#lowOffset, offset), this.#highOffset);
    const deleted = this.#indexOf(this.#lowOffset);
    this.#messages.splice(0, deleted);
    this.#records.splice(0, deleted);
  }

  /**
   * Appends the messages from an offset on, at most `max` of them, to an array.
   *
   * @returns the offset to read next
   */
  read(from: number, max: number, into: FetchedMessage[]): number {
    const start = this.#indexOf(from), end = Math.min(this.#messages.length, start + max);
    for (let index = start; index < end; index++) into.push(this.#messages[index]!);
    return end < this.#messages.length ? this.#messages[end]!.offset : this.#highOffset;
  }

  /** The index of the first message at or above an offset, by bisection. */
  #indexOf(offset: number): number {
    let low = 0, high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#messages[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
