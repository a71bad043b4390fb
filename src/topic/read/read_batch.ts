/**
 * A batch of messages that a reader hands out.
 *
 * @module
 */

import type { FetchedMessage, TopicPartition } from "../../kafka/port.ts";
import type { Position } from "../../protocol/protocol.ts";
import { isSamePartition, PartitionMap } from "../../kafka/partition_map.ts";

/**
 * What a batch asks of the `OffsetTracker` that made it, and reports to it.
 *
 * A *version* of the assignment is a number that grows with each revocation and each seek. A batch keeps the version at
 * which it was handed out.
 */
export interface ReadBatchOwner {
  /** Whether the partition was revoked or sought in after a version. */
  isStaleSince(version: number, partition: TopicPartition): boolean;
  /** Whether the partition was revoked after a version, and not sought in since. */
  isRevokedSince(version: number, partition: TopicPartition): boolean;
  /** Whether the partition is being revoked: no message of it may be begun. */
  isBeingRevoked(partition: TopicPartition): boolean;
  /** Records that a message is skipped; the version is that of its batch. */
  skip(version: number, message: TopicPartition & { readonly offset: number }): void;
  /**
   * The lowest offset of a partition that was skipped in batches of a version; `Infinity` if none was. Positions above it do
   * not count.
   */
  firstSkippedOffset(version: number, partition: TopicPartition): number;
  /** Records that a batch is handled, or given up. */
  onDone(batch: ReadBatch): void;
}

/** A batch of messages, and the positions that its partitions reach as its messages are handled. */
export class ReadBatch {
  /** The messages; those of a partition are in order. */
  readonly messages: readonly FetchedMessage[];
  /** The size of all values, in bytes. */
  readonly bytes: number;
  /**
   * How many messages, from the first on, are handled so far. A caller that handles messages one by one counts here; the
   * count is stored with the next `OffsetTracker.store`.
   */
  handled = 0;
  readonly #owner: ReadBatchOwner;
  readonly #version: number;
  #isDone = false;

  /** @param version the version of the assignment at which the batch is handed out */
  constructor(messages: readonly FetchedMessage[], bytes: number, owner: ReadBatchOwner, version: number) {
    this.messages = messages;
    this.bytes = bytes;
    this.#owner = owner;
    this.#version = version;
  }

  /** Whether the batch is handled, or given up. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /**
   * Whether a message must not be handled: since the batch was handed out, its partition was revoked, is being revoked, or
   * was sought in. If so, the message counts as skipped, and the caller has to skip it.
   *
   * @param isAccepted the message was accepted before and waits for a handler: it is still handled while its partition is
   * being revoked
   */
  isStale(message: TopicPartition & { readonly offset: number }, isAccepted = false): boolean {
    if (!this.#isStale(message) && (isAccepted || !this.#owner.isBeingRevoked(message))) return false;
    this.#owner.skip(this.#version, message);
    return true;
  }

  #isStale(partition: TopicPartition): boolean {
    return this.#owner.isStaleSince(this.#version, partition);
  }

  /**
   * The position of each partition after some messages of the batch, without partitions that were revoked or sought in
   * since.
   *
   * @param handled how many messages, from the first on; all of them when left out
   * @param from ignores the messages before this one
   */
  positions(handled: number = this.messages.length, from = 0): Position[] {
    return this.#lastMessages(handled, from).filter((message) => !this.#isStale(message)).map(positionAfter);
  }

  /** The same for those partitions that were revoked since: the positions after messages that were handled nevertheless. */
  revokedPositions(handled: number = this.messages.length, from = 0): Position[] {
    return this.#lastMessages(handled, from)
      .filter((message) => this.#owner.isRevokedSince(this.#version, message))
      .map(positionAfter);
  }

  /** The last message of each partition that is below the first skipped one. */
  #lastMessages(handled: number, from: number): FetchedMessage[] {
    const last = new PartitionMap<FetchedMessage>();
    // Messages of a partition come in runs. Maps are looked up once a run: once a message would cost more than all the rest.
    let previous: FetchedMessage | undefined, lastOfRun: FetchedMessage | undefined, firstSkipped = Infinity;
    for (let index = from; index < handled; index++) {
      const message = this.messages[index]!;
      if (previous === undefined || !isSamePartition(message, previous)) {
        if (lastOfRun !== undefined) last.set(lastOfRun, lastOfRun);
        lastOfRun = undefined;
        firstSkipped = this.#owner.firstSkippedOffset(this.#version, message);
      }
      previous = message;
      if (message.offset < firstSkipped) lastOfRun = message;
    }
    if (lastOfRun !== undefined) last.set(lastOfRun, lastOfRun);
    return [...last.values()];
  }

  /**
   * Ends the batch: the first messages are handled, and their positions are stored after those of the batches before. The
   * other messages are given up, and with them all batches that were handed out later. Only the first call counts.
   *
   * @param handled how many messages, from the first on; all of them when left out
   */
  done(handled: number = this.messages.length): void {
    if (this.#isDone) return;
    this.handled = handled;
    this.#isDone = true;
    this.#owner.onDone(this);
  }
}

function positionAfter({ topic, partition, offset, leaderEpoch }: FetchedMessage): Position {
  return { topic, partition, offset: offset + 1, ...(leaderEpoch === undefined ? {} : { leaderEpoch }) };
}
