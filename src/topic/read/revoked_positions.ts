/**
 * The positions of partitions that were revoked from a reader.
 *
 * @module
 */

import type { TopicPartition } from "../../kafka/port.ts";
import type { Position } from "../../protocol/protocol.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";

/** An offset of a partition: a message's, or a position. */
type OffsetOf = TopicPartition & { readonly offset: number };

/**
 * Remembers the position of each partition when it is revoked.
 *
 * When a handler takes longer than `max.poll.interval.ms`, the group removes the member and refuses to commit what it has
 * handled meanwhile. The partition comes back with its old committed offset. Without the remembered position, the same
 * message would be handled, and its commit refused, over and over. With it, the reader drops the messages below the
 * position, and commits that.
 *
 * An operator may reset the offsets of a group, so that messages are read again. So the position is forgotten if the
 * partition starts below the offset at which it started before, or below one that was committed since.
 */
export class RevokedPositions {
  readonly #positions = new PartitionMap<Position>();
  /** The offset at which a partition started last, or the one committed since. A start below it is a reset. */
  readonly #floors = new PartitionMap<number>();
  /** Assigned partitions of which no message has come yet. */
  readonly #awaitingFirst = new PartitionMap<true>();
  #awaitingFirstCount = 0;
  /** Assigned partitions whose offset was reset to an earlier one: their positions are not remembered. */
  readonly #wereReset = new PartitionMap<true>();
  #hasPositions = false;

  /** Whether `RevokedPositions.positionFor` has to be called for messages. */
  get isActive(): boolean {
    return this.#awaitingFirstCount > 0 || this.#hasPositions;
  }

  /** Records that partitions are read from now on. */
  begin(partitions: Iterable<TopicPartition>): void {
    for (const partition of partitions) {
      if (!this.#awaitingFirst.has(partition)) this.#awaitingFirstCount++;
      this.#awaitingFirst.set(partition, true);
      this.#wereReset.delete(partition);
    }
  }

  /** Records that the group has committed an offset. */
  onCommitted(committed: OffsetOf): void {
    const floor = this.#floors.get(committed);
    if (floor !== undefined && floor < committed.offset) this.#floors.set(committed, committed.offset);
  }

  /** Remembers the position of a partition that is revoked. */
  remember(position: Position): void {
    if (this.#wereReset.has(position)) return;
    const before = this.#positions.get(position);
    if (before !== undefined && before.offset >= position.offset) return;
    this.#positions.set(position, position);
    this.#hasPositions = true;
  }

  /** Forgets a partition, as after a seek. */
  forget(partition: TopicPartition): void {
    this.#positions.delete(partition);
    this.#floors.delete(partition);
  }

  /** The remembered position of a message's partition, if it is above the message: then the message is handled already. */
  positionFor(message: OffsetOf): Position | undefined {
    if (this.#awaitingFirst.delete(message)) {
      this.#awaitingFirstCount--;
      if (message.offset < (this.#floors.get(message) ?? 0)) {
        this.#positions.delete(message);
        this.#wereReset.set(message, true);
      }
      this.#floors.set(message, message.offset);
    }
    const position = this.#positions.get(message);
    return position !== undefined && position.offset > message.offset ? position : undefined;
  }
}
