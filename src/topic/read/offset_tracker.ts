/**
 * Tracking which messages of a reader are handled, and which offsets are to be stored.
 *
 * @module
 */

import type { FetchedMessage, TopicPartition } from "../../kafka/port.ts";
import type { Position } from "../../protocol/protocol.ts";
import { isSamePartition, PartitionMap } from "../../kafka/partition_map.ts";
import { ReadBatch, type ReadBatchOwner } from "./read_batch.ts";
import { RevokedPositions } from "./revoked_positions.ts";
import { SkippedMessages } from "./skipped_messages.ts";

/** The end of a partition that was reached: its position counts once all batches that were handed out before are done. */
interface ReachedEnd {
  readonly position: Position;
  /** The version of the assignment at which it was reached. */
  readonly version: number;
}

/**
 * Tracks the position of each partition and the batches in flight: those that are handed out and not done.
 *
 * - Positions of a batch count after those of all batches before it, in whatever order the batches are done.
 * - After a batch of which messages were given up, no position counts any more.
 */
export class OffsetTracker implements ReadBatchOwner {
  readonly #positions = new PartitionMap<Position>();
  readonly #unstored = new PartitionMap<Position>();
  /** The version of the assignment: grows with each revocation and each seek. */
  #version = 0;
  /** The version since which a partition is stale: that of its last revocation or seek. */
  readonly #staleSince = new PartitionMap<number>();
  /** The version of the last seek in a partition. */
  readonly #soughtAt = new PartitionMap<number>();
  #storeOffsets: ((positions: readonly Position[]) => void) | undefined;
  /** In the order in which batches were handed out and ends were reached. */
  #inFlight: (ReadBatch | ReachedEnd)[] = [];
  /** How many messages of the first batch in flight are counted in `#positions`. */
  #countedOfFirst = 0;
  /** Whether messages were given up: positions do not move any more. */
  #isGivenUp = false;
  readonly #revoked = new RevokedPositions();
  #beingRevoked: PartitionMap<true> | undefined;
  readonly #skipped = new SkippedMessages();
  /** Waits for batches to be done. */
  #waits: { readonly batches: Set<ReadBatch>; readonly resolve: () => void }[] = [];

  /** @param storeOffsets stores offsets; left out by a reader that stores none */
  constructor(storeOffsets?: (positions: readonly Position[]) => void) {
    this.#storeOffsets = storeOffsets;
  }

  /** Makes a batch, which is in flight until it is done. */
  handOut(messages: readonly FetchedMessage[], bytes: number): ReadBatch {
    const batch = new ReadBatch(messages, bytes, this, this.#version);
    this.#inFlight.push(batch);
    return batch;
  }

  isStaleSince(version: number, partition: TopicPartition): boolean {
    return this.#version !== version && (this.#staleSince.get(partition) ?? 0) > version;
  }

  isRevokedSince(version: number, partition: TopicPartition): boolean {
    return this.isStaleSince(version, partition) && (this.#soughtAt.get(partition) ?? 0) <= version;
  }

  isBeingRevoked(partition: TopicPartition): boolean {
    return this.#beingRevoked?.has(partition) ?? false;
  }

  skip(version: number, message: TopicPartition & { readonly offset: number }): void {
    this.#skipped.add(version, message);
  }

  firstSkippedOffset(version: number, partition: TopicPartition): number {
    return this.#skipped.firstOffset(version, partition);
  }

  onDone(batch: ReadBatch): void {
    this.store();
    if (this.#isGivenUp) this.#inFlight = this.#inFlight.filter((one) => one instanceof ReadBatch && !one.isDone);
    for (const { batches, resolve } of this.#waits) {
      batches.delete(batch);
      if (batches.size === 0) resolve();
    }
    this.#waits = this.#waits.filter(({ batches }) => batches.size > 0);
  }

  /** Moves the positions over what has been handled of the batches in flight, in their order. */
  #updatePositions(): void {
    for (let first; (first = this.#inFlight[0]) !== undefined && !this.#isGivenUp;) {
      if (!(first instanceof ReadBatch)) {
        this.#inFlight.shift();
        const { position, version } = first;
        if (this.#skipped.firstOffset(version, position) >= position.offset) this.#setPosition(position);
        continue;
      }
      if (first.handled > this.#countedOfFirst) {
        for (const position of first.positions(first.handled, this.#countedOfFirst)) this.#setPosition(position);
        if (this.#version > 0 && this.#storeOffsets !== undefined) {
          const revoked = first.revokedPositions(first.handled, this.#countedOfFirst);
          for (const position of revoked) this.#revoked.remember(position);
        }
        this.#countedOfFirst = first.handled;
      }
      if (!first.isDone) return;
      this.#isGivenUp = first.handled < first.messages.length;
      this.#inFlight.shift();
      this.#countedOfFirst = 0;
    }
  }

  #setPosition(position: Position): void {
    // The position of a partition that came back may be above the messages that were handed out since.
    if ((this.#positions.get(position)?.offset ?? -1) >= position.offset) return;
    this.#positions.set(position, position);
    this.#unstored.set(position, position);
  }

  /**
   * Whether fetched messages may have been handled already, before their partition was revoked and came back. Then
   * `OffsetTracker.handledUpTo` has to be called for the first message of each run of one partition.
   */
  get mayRepeatMessages(): boolean {
    return this.#storeOffsets !== undefined && this.#revoked.isActive;
  }

  /**
   * The offset below which the messages of a partition are handled already; 0 if none is. They must not be handed out again.
   * Stores that offset.
   */
  handledUpTo(message: FetchedMessage): number {
    this.#updatePositions();
    const position = this.#revoked.positionFor(message);
    if (position === undefined) return 0;
    this.#setPosition(position);
    this.store();
    return position.offset;
  }

  /** Records that partitions are read from now on, since they are assigned. */
  onAssign(partitions: readonly TopicPartition[]): void {
    this.#begin(partitions);
  }

  /** Records that partitions are being revoked. Resolves when no batch in flight holds messages of theirs. */
  onRevokeBegin(partitions: PartitionMap<true>): Promise<void> {
    this.#beingRevoked = partitions;
    const batches = new Set(
      this.#inFlight.filter((one): one is ReadBatch =>
        one instanceof ReadBatch && one.messages.some((message) => partitions.has(message))
      ),
    );
    if (batches.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waits.push({ batches, resolve }));
  }

  /** Records that partitions are revoked. Their positions are remembered, in case they come back. */
  onRevoked(partitions: readonly TopicPartition[]): void {
    this.#updatePositions();
    for (const partition of partitions) {
      const position = this.#positions.get(partition);
      if (position !== undefined && this.#storeOffsets !== undefined) this.#revoked.remember(position);
    }
    this.#makeStale(partitions);
    this.#beingRevoked = undefined;
  }

  /** Records a seek: positions before it do not count any more. */
  onSeek(partition: TopicPartition): void {
    this.#updatePositions();
    this.#makeStale([partition]);
    this.#revoked.forget(partition);
    this.#soughtAt.set(partition, this.#version);
    this.#begin([partition]);
  }

  /** Records that the group has committed offsets. */
  onCommitted(offsets: Iterable<TopicPartition & { readonly offset: number }>): void {
    for (const offset of offsets) this.#revoked.onCommitted(offset);
  }

  /** Records that the reader has reached an end offset. It becomes the position when all messages handed out before are handled. */
  onReachedEnd({ topic, partition, offset }: Position): void {
    if (this.#isGivenUp) return;
    this.#inFlight.push({ position: { topic, partition, offset }, version: this.#version });
    this.store();
  }

  #begin(partitions: readonly TopicPartition[]): void {
    this.#revoked.begin(partitions);
    for (const partition of partitions) this.#skipped.begin(partition, this.#version);
  }

  #makeStale(partitions: readonly TopicPartition[]): void {
    this.#version++;
    for (const partition of partitions) {
      this.#inFlight = this.#inFlight.filter((one) =>
        one instanceof ReadBatch || !isSamePartition(one.position, partition)
      );
      this.#positions.delete(partition);
      this.#unstored.delete(partition);
      this.#staleSince.set(partition, this.#version);
    }
  }

  /** The position of a partition; `undefined` before a message of it is handled. */
  position(partition: TopicPartition): Position | undefined {
    this.#updatePositions();
    return this.#positions.get(partition);
  }

  /** The positions of all partitions of which a message is handled. */
  positions(): Position[] {
    this.#updatePositions();
    return [...this.#positions.values()];
  }

  /** The positions to commit: all of them, or none where offsets are not stored. */
  positionsToCommit(): Position[] {
    return this.#storeOffsets === undefined ? [] : this.positions();
  }

  /** Stores the positions that have moved since the last call. */
  store(): void {
    this.#updatePositions();
    const positions = [...this.#unstored.values()];
    if (positions.length === 0) return;
    for (const position of positions) this.#unstored.delete(position);
    this.#storeOffsets?.(positions);
  }

  /** Stores no offsets any more: messages whose offsets are not stored yet are read again. */
  stopStoring(): void {
    this.#storeOffsets = undefined;
  }
}
