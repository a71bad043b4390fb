/**
 * Messages that were handed out and not handled, since their partition was about to leave.
 *
 * @module
 */

import type { TopicPartition } from "../../kafka/port.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";

/** A time in which a partition is read without a break, from an assignment or a seek on. */
interface Stretch {
  /** Batches of this moment and later ones belong to it. */
  readonly began: number;
  /** The first message that was left out. */
  from: number;
  /** The one before; of earlier ones nothing is known. */
  readonly before: Stretch | undefined;
}

/**
 * Remembers the first message of each partition that was left out: a position behind it would skip it. Handlers that
 * work side by side do not leave messages out in order, and may have begun some of batches behind.
 */
export class LeftOut {
  readonly #stretches = new PartitionMap<Stretch>();

  /** A partition is read anew, from a moment on. */
  begin(partition: TopicPartition, moment: number): void {
    const last = this.#stretches.get(partition);
    const before = last && { ...last, before: undefined };
    this.#stretches.set(partition, { began: moment, from: Infinity, before });
  }

  /** A message of a batch of that moment is left out. */
  add(moment: number, message: TopicPartition & { readonly offset: number }): void {
    const stretch = this.#of(moment, message);
    if (stretch !== undefined) stretch.from = Math.min(stretch.from, message.offset);
  }

  /** The first message that was left out of batches of that moment's stretch; 0 where that is not known any more. */
  from(moment: number, partition: TopicPartition): number {
    return this.#of(moment, partition)?.from ?? 0;
  }

  #of(moment: number, partition: TopicPartition): Stretch | undefined {
    let stretch = this.#stretches.get(partition);
    while (stretch !== undefined && moment < stretch.began) stretch = stretch.before;
    return stretch;
  }
}
