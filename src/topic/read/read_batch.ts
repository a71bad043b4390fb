/**
 * Messages that a reader hands out together.
 *
 * @module
 */

import type { FetchedMessage, TopicPartition } from "../../kafka/port.ts";
import type { Position } from "../../stream/protocol.ts";
import { isSamePartition, PartitionMap } from "../../kafka/partition_map.ts";

/** Who keeps account of a batch. */
export interface BatchKeeper {
  /** Whether the partition moved to another member, or was sought in, since a moment. */
  isStaleSince(moment: number, partition: TopicPartition): boolean;
  /** Whether the partition moved to another member since a moment, and was not sought in. */
  hasLeftSince(moment: number, partition: TopicPartition): boolean;
  /** Whether the partition is about to move to another member: no message of it is to be begun. */
  isLeaving(partition: TopicPartition): boolean;
  /** A message of a batch of that moment is left out. */
  leaveOut(moment: number, message: TopicPartition & { readonly offset: number }): void;
  /** The offset from which on messages of batches of that moment do not count, since one was left out; or Infinity. */
  leftOutFrom(moment: number, partition: TopicPartition): number;
  /** A batch is handled, or given up. */
  done(batch: ReadBatch): void;
}

/** A batch, which knows how far it brings its partitions. */
export class ReadBatch {
  /** The messages, in the order of each partition. */
  readonly messages: readonly FetchedMessage[];
  /** The bytes of their values. */
  readonly bytes: number;
  /**
   * How many messages, from the first on, are handled so far. Who handles them one by one counts here; it is stored with
   * the next `Progress.store`.
   */
  handled = 0;
  readonly #keeper: BatchKeeper;
  readonly #moment: number;
  #isDone = false;

  /** @param moment what `BatchKeeper.isStaleSince` counts from */
  constructor(messages: readonly FetchedMessage[], bytes: number, keeper: BatchKeeper, moment: number) {
    this.messages = messages;
    this.bytes = bytes;
    this.#keeper = keeper;
    this.#moment = moment;
  }

  /** Whether it is handled, or given up. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /**
   * Whether a message must not be handled: its partition moved to another member, or is about to, or was sought in, since
   * the batch was handed out. Who asks leaves the message out if so.
   *
   * @param isAccepted it was accepted before, and waits for its turn: it still has it when its partition is about to move
   */
  isStale(message: TopicPartition & { readonly offset: number }, isAccepted = false): boolean {
    if (!this.#isStale(message) && (isAccepted || !this.#keeper.isLeaving(message))) return false;
    this.#keeper.leaveOut(this.#moment, message);
    return true;
  }

  #isStale(partition: TopicPartition): boolean {
    return this.#keeper.isStaleSince(this.#moment, partition);
  }

  /**
   * The offset to read next in each partition, behind the first messages; without partitions that are another's now or
   * were sought in since.
   *
   * @param handled how many messages, from the first on; all of them when left out
   * @param from leaves the messages before this one out
   */
  positions(handled: number = this.messages.length, from = 0): Position[] {
    return this.#last(handled, from).filter((message) => !this.#isStale(message)).map(next);
  }

  /** The same for partitions that moved to another member: behind the messages that were handled all the same. */
  leftPositions(handled: number = this.messages.length, from = 0): Position[] {
    return this.#last(handled, from).filter((one) => this.#keeper.hasLeftSince(this.#moment, one)).map(next);
  }

  /** The last message of each partition in front of which none was left out. */
  #last(handled: number, from: number): FetchedMessage[] {
    const last = new PartitionMap<FetchedMessage>();
    // Messages of a partition come in runs: a look into the maps for each would cost more than all else here.
    let run: FetchedMessage | undefined, counted: FetchedMessage | undefined, end = Infinity;
    for (let index = from; index < handled; index++) {
      const message = this.messages[index]!;
      if (run === undefined || !isSamePartition(message, run)) {
        if (counted !== undefined) last.set(counted, counted);
        counted = undefined;
        end = this.#keeper.leftOutFrom(this.#moment, message);
      }
      run = message;
      if (message.offset < end) counted = message;
    }
    if (counted !== undefined) last.set(counted, counted);
    return [...last.values()];
  }

  /**
   * The first messages are handled: their positions are stored, after those of the batches before. The rest is given up,
   * and with it whatever was handed out later. The first call counts.
   *
   * @param handled how many messages, from the first on; all of them when left out
   */
  done(handled: number = this.messages.length): void {
    if (this.#isDone) return;
    this.handled = handled;
    this.#isDone = true;
    this.#keeper.done(this);
  }
}

function next({ topic, partition, offset, leaderEpoch }: FetchedMessage): Position {
  return { topic, partition, offset: offset + 1, ...(leaderEpoch === undefined ? {} : { leaderEpoch }) };
}
