/**
 * How far a reader's messages are handled.
 *
 * @module
 */

import type { FetchedMessage, TopicPartition } from "../kafka/client.ts";
import type { Position } from "../stream/protocol.ts";
import { ByPartition, isSamePartition } from "./by_partition.ts";
import { type BatchKeeper, ReadBatch } from "./read_batch.ts";

/**
 * Remembers the position of each partition, and which batches are in hands. Positions of a batch count after those of
 * the batches before, whatever is done first; after a batch that was given up, none counts.
 */
export class Progress implements BatchKeeper {
  readonly #positions = new ByPartition<Position>();
  readonly #unstored = new ByPartition<Position>();
  /** Grows whenever partitions are forgotten. */
  #moment = 0;
  /** The moment at which a partition was forgotten last. */
  readonly #forgotten = new ByPartition<number>();
  #store: ((positions: readonly Position[]) => void) | undefined;
  /**
   * In the order in which they were handed out, with the positions that count when all before them is handled; and how
   * many messages of the first are counted.
   */
  #inHands: (ReadBatch | Position)[] = [];
  #counted = 0;
  #isBroken = false;
  #waiting: (() => void)[] = [];

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

  done(): void {
    this.store();
    if (this.#isBroken) this.#inHands = this.#inHands.filter((one) => one instanceof ReadBatch && !one.isDone);
    if (this.#inHands.length === 0) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  }

  /** Counts what is handled by now, in order. */
  #count(): void {
    for (let batch; (batch = this.#inHands[0]) !== undefined && !this.#isBroken;) {
      if (!(batch instanceof ReadBatch)) {
        this.#inHands.shift();
        if (batch.offset > (this.#positions.get(batch)?.offset ?? -1)) this.#reach(batch);
        continue;
      }
      if (batch.handled > this.#counted) {
        for (const position of batch.positions(batch.handled, this.#counted)) {
          this.#reach(position);
        }
        this.#counted = batch.handled;
      }
      if (!batch.isDone) return;
      this.#isBroken = batch.handled < batch.messages.length;
      this.#inHands.shift();
      this.#counted = 0;
    }
  }

  #reach(position: Position): void {
    this.#positions.set(position, position);
    this.#unstored.set(position, position);
  }

  /** Nothing is left before an offset, once all that is in hands is handled: the next offset of its partition is this one. */
  skip({ topic, partition, offset }: Position): void {
    if (this.#isBroken) return;
    this.#inHands.push({ topic, partition, offset });
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

  /** Stores nothing any more. */
  giveUp(): void {
    this.#store = undefined;
  }

  /** Resolves when nobody holds messages any more. */
  settled(): Promise<void> {
    if (this.#inHands.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Forgets partitions: they are another's now, or are read elsewhere. */
  forget(partitions: Iterable<TopicPartition>): void {
    this.#count();
    this.#moment++;
    for (const partition of partitions) {
      this.#inHands = this.#inHands.filter((one) => one instanceof ReadBatch || !isSamePartition(one, partition));
      this.#positions.delete(partition);
      this.#unstored.delete(partition);
      this.#forgotten.set(partition, this.#moment);
    }
  }
}
