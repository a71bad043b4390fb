/**
 * How far a reader's messages are handled.
 *
 * @module
 */

import type { FetchedMessage, TopicPartition } from "../../kafka/port.ts";
import type { Position } from "../../stream/protocol.ts";
import { isSamePartition, PartitionMap } from "../../kafka/partition_map.ts";
import { HandledBefore } from "./handled_before.ts";
import { LeftOut } from "./left_out.ts";
import { type BatchKeeper, ReadBatch } from "./read_batch.ts";

/** A position that counts when all that was handed out before it is handled. */
interface Skip {
  readonly position: Position;
  /** When it was reached, as a batch has it. */
  readonly moment: number;
}

/**
 * Remembers the position of each partition, and which batches are in hands. Positions of a batch count after those of
 * the batches before, whatever is done first; after a batch that was given up, none counts.
 */
export class Progress implements BatchKeeper {
  readonly #positions = new PartitionMap<Position>();
  readonly #unstored = new PartitionMap<Position>();
  /** Grows whenever partitions are forgotten. */
  #moment = 0;
  /** The moment at which a partition was forgotten last. */
  readonly #forgotten = new PartitionMap<number>();
  /** The moment at which a partition was sought in last. */
  readonly #sought = new PartitionMap<number>();
  #store: ((positions: readonly Position[]) => void) | undefined;
  /**
   * In the order in which they were handed out, with the positions that count when all before them is handled; and how
   * many messages of the first are counted.
   */
  #inHands: (ReadBatch | Skip)[] = [];
  #counted = 0;
  #isBroken = false;
  readonly #before = new HandledBefore();
  /** Partitions that are about to move to another member. */
  #leaving: PartitionMap<true> | undefined;
  readonly #leftOut = new LeftOut();
  /** Who waits for batches. */
  #waiting: { readonly batches: Set<ReadBatch>; readonly resolve: () => void }[] = [];

  /** @param store stores offsets, where offsets are stored */
  constructor(store?: (positions: readonly Position[]) => void) {
    this.#store = store;
  }

  /** Hands messages out. */
  hand(messages: readonly FetchedMessage[], bytes: number): ReadBatch {
    const batch = new ReadBatch(messages, bytes, this, this.#moment);
    this.#inHands.push(batch);
    return batch;
  }

  isStaleSince(moment: number, partition: TopicPartition): boolean {
    return this.#moment !== moment && (this.#forgotten.get(partition) ?? 0) > moment;
  }

  hasLeftSince(moment: number, partition: TopicPartition): boolean {
    return this.isStaleSince(moment, partition) && (this.#sought.get(partition) ?? 0) <= moment;
  }

  isLeaving(partition: TopicPartition): boolean {
    return this.#leaving?.has(partition) ?? false;
  }

  leaveOut(moment: number, message: TopicPartition & { readonly offset: number }): void {
    this.#leftOut.add(moment, message);
  }

  leftOutFrom(moment: number, partition: TopicPartition): number {
    return this.#leftOut.from(moment, partition);
  }

  done(batch: ReadBatch): void {
    this.store();
    if (this.#isBroken) this.#inHands = this.#inHands.filter((one) => one instanceof ReadBatch && !one.isDone);
    for (const { batches, resolve } of this.#waiting) {
      batches.delete(batch);
      if (batches.size === 0) resolve();
    }
    this.#waiting = this.#waiting.filter(({ batches }) => batches.size > 0);
  }

  /** Counts what is handled by now, in order. */
  #count(): void {
    for (let batch; (batch = this.#inHands[0]) !== undefined && !this.#isBroken;) {
      if (!(batch instanceof ReadBatch)) {
        this.#inHands.shift();
        const { position, moment } = batch;
        if (this.#leftOut.from(moment, position) >= position.offset) this.#handled(position);
        continue;
      }
      if (batch.handled > this.#counted) {
        for (const position of batch.positions(batch.handled, this.#counted)) this.#handled(position);
        if (this.#moment > 0 && this.#store !== undefined) {
          for (const position of batch.leftPositions(batch.handled, this.#counted)) this.#before.left(position);
        }
        this.#counted = batch.handled;
      }
      if (!batch.isDone) return;
      this.#isBroken = batch.handled < batch.messages.length;
      this.#inHands.shift();
      this.#counted = 0;
    }
  }

  #handled(position: Position): void {
    // A partition that came back may be handled further than what it has handed out since.
    if ((this.#positions.get(position)?.offset ?? -1) >= position.offset) return;
    this.#positions.set(position, position);
    this.#unstored.set(position, position);
  }

  /** Whether `Progress.handledUpTo` has to be asked for the first message of each run of a partition. */
  get mayRepeat(): boolean {
    return this.#store !== undefined && this.#before.isWatching;
  }

  /**
   * The offset up to which the messages of a partition were handled before it left and came back: they are not to be
   * handed out, and are stored. 0 where all are to be.
   */
  handledUpTo(message: FetchedMessage): number {
    this.#count();
    const position = this.#before.upTo(message);
    if (position === undefined) return 0;
    this.#handled(position);
    this.store();
    return position.offset;
  }

  /** Partitions are read from now on: they are assigned, or were sought in. */
  begin(partitions: readonly TopicPartition[]): void {
    this.#before.begin(partitions);
    for (const partition of partitions) this.#leftOut.begin(partition, this.#moment);
  }

  /** The broker has offsets as committed. */
  committed(offsets: Iterable<TopicPartition & { readonly offset: number }>): void {
    for (const offset of offsets) this.#before.committed(offset);
  }

  /** Nothing is left before an offset, once all that is in hands is handled: the next offset of its partition is this one. */
  skip({ topic, partition, offset }: Position): void {
    if (this.#isBroken) return;
    this.#inHands.push({ position: { topic, partition, offset }, moment: this.#moment });
    this.store();
  }

  /** The position of a partition; `undefined` before anything of it is handled. */
  position(partition: TopicPartition): Position | undefined {
    this.#count();
    return this.#positions.get(partition);
  }

  /** The positions of all partitions of which something is handled. */
  positions(): Position[] {
    this.#count();
    return [...this.#positions.values()];
  }

  /** Stores what was handled since the last time. */
  store(): void {
    this.#count();
    const positions = [...this.#unstored.values()];
    if (positions.length === 0) return;
    for (const position of positions) this.#unstored.delete(position);
    this.#store?.(positions);
  }

  /** The positions of all partitions, where offsets are stored; none where they are not. */
  storable(): Position[] {
    return this.#store === undefined ? [] : this.positions();
  }

  /** Stores nothing any more. */
  giveUp(): void {
    this.#store = undefined;
  }

  /**
   * Partitions are about to move to another member: what is not begun of them is left out. Resolves when nobody holds
   * messages of them any more.
   */
  leaving(partitions: PartitionMap<true>): Promise<void> {
    this.#leaving = partitions;
    const batches = new Set(
      this.#inHands.filter((one): one is ReadBatch =>
        one instanceof ReadBatch && one.messages.some((message) => partitions.has(message))
      ),
    );
    if (batches.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ batches, resolve }));
  }

  /** Partitions are another's now. How far they are handled counts if they come back. */
  leave(partitions: readonly TopicPartition[]): void {
    this.#count();
    for (const partition of partitions) {
      const position = this.#positions.get(partition);
      if (position !== undefined && this.#store !== undefined) this.#before.left(position);
    }
    this.#makeStale(partitions);
    this.#leaving = undefined;
  }

  /** Forgets partitions: they are read elsewhere. */
  forget(partitions: readonly TopicPartition[]): void {
    this.#count();
    this.#makeStale(partitions);
    for (const partition of partitions) {
      this.#before.forget(partition);
      this.#sought.set(partition, this.#moment);
    }
    this.begin(partitions);
  }

  #makeStale(partitions: readonly TopicPartition[]): void {
    this.#moment++;
    for (const partition of partitions) {
      this.#inHands = this.#inHands.filter((one) =>
        one instanceof ReadBatch || !isSamePartition(one.position, partition)
      );
      this.#positions.delete(partition);
      this.#unstored.delete(partition);
      this.#forgotten.set(partition, this.#moment);
    }
  }
}
