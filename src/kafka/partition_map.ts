/**
 * Things that partitions have, of one topic or of several.
 *
 * @module
 */

import type { TopicPartition } from "./port.ts";

/** Whether two are of one partition. */
export function isSamePartition(one: TopicPartition, other: TopicPartition): boolean {
  return one.partition === other.partition && one.topic === other.topic;
}

/** A map by partition. */
export class PartitionMap<T> {
  readonly #topics = new Map<string, Map<number, T>>();

  get({ topic, partition }: TopicPartition): T | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  has(place: TopicPartition): boolean {
    return this.get(place) !== undefined;
  }

  set({ topic, partition }: TopicPartition, value: T): void {
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) this.#topics.set(topic, partitions = new Map());
    partitions.set(partition, value);
  }

  /** Whether it was there. */
  delete({ topic, partition }: TopicPartition): boolean {
    return this.#topics.get(topic)?.delete(partition) ?? false;
  }

  *values(): Generator<T, void, undefined> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }
}

/** A set of partitions. */
export function partitionSet(places: Iterable<TopicPartition>): PartitionMap<true> {
  const set = new PartitionMap<true>();
  for (const place of places) set.set(place, true);
  return set;
}

/** A partition as errors and logs have it: `emoji[0]`. */
export function partitionText({ topic, partition }: TopicPartition): string {
  return `${topic}[${partition}]`;
}
