/**
 * What a reader has handled of partitions that left it.
 *
 * @module
 */

import type { TopicPartition } from "../../kafka/port.ts";
import type { Position } from "../../stream/protocol.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";

/** A message's place. */
type Place = TopicPartition & { readonly offset: number };

/**
 * Remembers how far partitions are handled that left before it could be committed, as when a handler takes longer than
 * the group waits. A partition that comes back begins at what was committed: without this, its first message would be
 * handled, and refused by the group, over and over.
 *
 * Nothing that somebody wants to be read again is left out: where a partition begins below the offset at which it began
 * before, or that was committed since, its group was set back, and what was handled counts no more.
 */
export class HandledBefore {
  readonly #handled = new PartitionMap<Position>();
  /** Where a partition began, or what was committed of it since. */
  readonly #floors = new PartitionMap<number>();
  /** Partitions that are assigned and of which nothing has come yet. */
  readonly #fresh = new PartitionMap<true>();
  /** Partitions whose group was set back: what was handled before does not count in them. */
  readonly #setBack = new PartitionMap<true>();
  #freshCount = 0;
  #hasHandled = false;

  /** Whether `HandledBefore.upTo` has to look at messages. */
  get isWatching(): boolean {
    return this.#freshCount > 0 || this.#hasHandled;
  }

  /** Partitions are read from now on. */
  begin(partitions: Iterable<TopicPartition>): void {
    for (const partition of partitions) {
      if (!this.#fresh.has(partition)) this.#freshCount++;
      this.#fresh.set(partition, true);
      this.#setBack.delete(partition);
    }
  }

  /** The broker has an offset as committed. */
  committed(place: Place): void {
    const floor = this.#floors.get(place);
    if (floor !== undefined && floor < place.offset) this.#floors.set(place, place.offset);
  }

  /** A partition that has left is handled so far. */
  left(position: Position): void {
    if (this.#setBack.has(position)) return;
    const before = this.#handled.get(position);
    if (before !== undefined && before.offset >= position.offset) return;
    this.#handled.set(position, position);
    this.#hasHandled = true;
  }

  /** Nothing is known of a partition, such as after a seek. */
  forget(partition: TopicPartition): void {
    this.#handled.delete(partition);
    this.#floors.delete(partition);
  }

  /** How far the partition of a message is handled already; `undefined` where that is not known, or no further than it. */
  upTo(place: Place): Position | undefined {
    if (this.#fresh.delete(place)) {
      this.#freshCount--;
      if (place.offset < (this.#floors.get(place) ?? 0)) {
        this.#handled.delete(place);
        this.#setBack.set(place, true);
      }
      this.#floors.set(place, place.offset);
    }
    const handled = this.#handled.get(place);
    return handled !== undefined && handled.offset > place.offset ? handled : undefined;
  }
}
