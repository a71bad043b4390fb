/**
 * The end offsets at which a reader with `until: "end"` stops.
 *
 * @module
 */

import type { TopicPartition } from "../../kafka/port.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";
import { ResettableSignal } from "../../async/resettable_signal.ts";

/** The end offset of each assigned partition, as it was when it was first seen, and which of them are reached. */
export class EndOffsets {
  readonly #ends = new PartitionMap<number>();
  readonly #reached = new PartitionMap<true>();
  /** `undefined` while no partition is assigned. */
  #assigned: readonly TopicPartition[] | undefined;
  #isHeld = false;
  /** Fires when the end of each assigned partition is reached. */
  readonly finished = new ResettableSignal();

  /** Whether the end offset of a partition is known. */
  has(partition: TopicPartition): boolean {
    return this.#ends.has(partition);
  }

  /** Sets the end offset of a partition: the offset after the last message to read. */
  set(partition: TopicPartition, end: number): void {
    this.#ends.set(partition, end);
    if (end === 0) this.#reached.set(partition, true);
  }

  /** The offset after the last message to read; `Infinity` where it is not known. */
  get(partition: TopicPartition): number {
    return this.#ends.get(partition) ?? Infinity;
  }

  /** Records that the position of a partition is this offset. */
  advance(partition: TopicPartition, position: number): void {
    const end = this.#ends.get(partition);
    if (end === undefined || position < end) return;
    this.#reached.set(partition, true);
    this.#fireIfFinished();
  }

  /** Records that a partition is read again, from a position before its end. */
  reopen(partition: TopicPartition): void {
    if (this.#reached.delete(partition)) this.finished.reset();
  }

  /**
   * Sets the partitions that are assigned.
   *
   * @param revoked partitions that go to another member, which looks up their end offsets itself
   */
  assign(partitions: readonly TopicPartition[], revoked: readonly TopicPartition[] = []): void {
    for (const partition of revoked) {
      this.#ends.delete(partition);
      this.#reached.delete(partition);
    }
    // A member without partitions may be assigned some later, so it is not finished.
    this.#assigned = partitions.length === 0 ? undefined : partitions;
    // All ends may have been reached until a partition was assigned that has not been read yet.
    if (!this.areAllReached) this.finished.reset();
    this.#fireIfFinished();
  }

  /**
   * Keeps the reader from finishing until `EndOffsets.release`. Until all topics exist, the assigned partitions may be read
   * to their ends while those of another topic are still to come.
   */
  hold(): void {
    this.#isHeld = true;
  }

  /** Allows the reader to finish: all topics exist. */
  release(): void {
    this.#isHeld = false;
    this.#fireIfFinished();
  }

  /** Finishes a reader that has no partition: nothing is left for it to read. */
  finish(): void {
    this.#assigned = [];
    this.#fireIfFinished();
  }

  /** Whether each assigned partition is read to its end; `false` before the first assignment. */
  get areAllReached(): boolean {
    return !this.#isHeld && (this.#assigned?.every((partition) => this.#reached.has(partition)) ?? false);
  }

  #fireIfFinished(): void {
    if (this.areAllReached) this.finished.fire();
  }
}
