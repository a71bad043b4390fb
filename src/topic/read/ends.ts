/**
 * Where a reader ends that reads until the end.
 *
 * @module
 */

import type { TopicPartition } from "../../kafka/port.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";
import { ResettableSignal } from "../../async/resettable_signal.ts";

/** The end of each assigned partition as it was first seen, and which are reached. */
export class Ends {
  readonly #ends = new PartitionMap<number>();
  readonly #reached = new PartitionMap<true>();
  #assigned: readonly TopicPartition[] | undefined;
  #isHeld = false;
  /** Fires when the ends of all that is assigned are reached. */
  readonly finished = new ResettableSignal();

  /** Whether a partition's end is known. */
  knows(partition: TopicPartition): boolean {
    return this.#ends.has(partition);
  }

  /** @param end the offset after the last one to be read */
  set(partition: TopicPartition, end: number): void {
    this.#ends.set(partition, end);
    if (end === 0) this.#reached.set(partition, true);
  }

  /** The offset after the last one to be read. */
  of(partition: TopicPartition): number {
    return this.#ends.get(partition) ?? Infinity;
  }

  /** The next offset of a partition is this one now. */
  at(partition: TopicPartition, offset: number): void {
    const end = this.#ends.get(partition);
    if (end === undefined || offset < end) return;
    this.#reached.set(partition, true);
    this.#look();
  }

  /** A partition is read again, from somewhere before its end. */
  reopen(partition: TopicPartition): void {
    if (this.#reached.delete(partition)) this.finished.reset();
  }

  /** What is assigned from now on; `gone` are on their way to another member, which sees ends of its own. */
  assign(partitions: readonly TopicPartition[], gone: readonly TopicPartition[] = []): void {
    for (const partition of gone) {
      this.#ends.delete(partition);
      this.#reached.delete(partition);
    }
    // A member that has nothing may be given something yet: it has not come to its end.
    this.#assigned = partitions.length === 0 ? undefined : partitions;
    // What was over before may go on with a partition that is not read yet.
    if (!this.allReached) this.finished.reset();
    this.#look();
  }

  /** Nothing is over before `Ends.release`: there may be more to read than what is assigned. */
  hold(): void {
    this.#isHeld = true;
  }

  /** All that there is to read can be assigned. */
  release(): void {
    this.#isHeld = false;
    this.#look();
  }

  /** Nothing is left to be read, although nothing is assigned. */
  finish(): void {
    this.#assigned = [];
    this.#look();
  }

  /** Whether all that is assigned is read to its end; not before something was. */
  get allReached(): boolean {
    return !this.#isHeld && (this.#assigned?.every((partition) => this.#reached.has(partition)) ?? false);
  }

  #look(): void {
    if (this.allReached) this.finished.fire();
  }
}
