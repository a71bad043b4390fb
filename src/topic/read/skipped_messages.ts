/**
 * Messages that were handed out and not handled, since their partition was being revoked.
 *
 * @module
 */

import type { TopicPartition } from "../../kafka/port.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";

/** A time in which a partition is read without a break: from an assignment or a seek to the next one. */
interface Stretch {
  /** Batches of this version of the assignment, and of later ones, belong to the stretch. */
  readonly since: number;
  /** The lowest offset that was skipped; `Infinity` if none was. */
  firstSkipped: number;
  /** The stretch before this one; of earlier ones nothing is known. */
  readonly previous: Stretch | undefined;
}

/**
 * Remembers the lowest skipped offset of each partition: storing a position above it would lose that message.
 *
 * Handlers that run concurrently skip messages in any order, and may already have handled messages of later batches.
 */
export class SkippedMessages {
  readonly #stretches = new PartitionMap<Stretch>();

  /** Begins a stretch of a partition, which is assigned or sought in now. */
  begin(partition: TopicPartition, version: number): void {
    const current = this.#stretches.get(partition);
    const previous = current && { ...current, previous: undefined };
    this.#stretches.set(partition, { since: version, firstSkipped: Infinity, previous });
  }

  /** Records that a message is skipped, of a batch that was handed out at that version of the assignment. */
  add(version: number, message: TopicPartition & { readonly offset: number }): void {
    const stretch = this.#stretchOf(version, message);
    if (stretch !== undefined) stretch.firstSkipped = Math.min(stretch.firstSkipped, message.offset);
  }

  /**
   * The lowest skipped offset in the stretch that batches of a version belong to: `Infinity` if none was skipped, 0 if the
   * stretch is forgotten.
   */
  firstOffset(version: number, partition: TopicPartition): number {
    return this.#stretchOf(version, partition)?.firstSkipped ?? 0;
  }

  #stretchOf(version: number, partition: TopicPartition): Stretch | undefined {
    let stretch = this.#stretches.get(partition);
    while (stretch !== undefined && version < stretch.since) stretch = stretch.previous;
    return stretch;
  }
}
