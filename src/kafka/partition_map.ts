/**
 * Values by partition, where a topic and a number together name a partition.
 *
 * @module
 */

import type { TopicPartition } from "./port.ts";

export { isSamePartition, partitionText } from "../ffi/partition_identity.ts";

/** A map whose keys are partitions. */
export class PartitionMap<T> {
  readonly #topics = new Map<string, Map<number, T>>();

  get({ topic, partition }: TopicPartition): T | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  has(partition: TopicPartition): boolean {
    return this.get(partition) !== undefined;
  }

  set({ topic, partition }: TopicPartition, value: T): void {
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) this.#topics.set(topic, partitions = new Map());
    partitions.set(partition, value);
  }

  /** Returns whether the partition had a value. */
  delete({ topic, partition }: TopicPartition): boolean {
    return this.#topics.get(topic)?.delete(partition) ?? false;
  }

  *values(): Generator<T, void, undefined> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }
}

/** A set of partitions. */
export function partitionSet(partitions: Iterable<TopicPartition>): PartitionMap<true> {
  const set = new PartitionMap<true>();
  for (const partition of partitions) set.set(partition, true);
  return set;
}
