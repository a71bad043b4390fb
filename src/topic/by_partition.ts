/**
 * Things that partitions have, of one topic or of several.
 *
 * @module
 */

/** A partition. Messages have these too. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Whether two are of one partition. */
export function isSamePlace(one: Place, other: Place): boolean {
  return one.partition === other.partition && one.topic === other.topic;
}

/** A map by partition. */
export class ByPartition<T> {
  readonly #topics = new Map<string, Map<number, T>>();

  get({ topic, partition }: Place): T | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  has(place: Place): boolean {
    return this.get(place) !== undefined;
  }

  set({ topic, partition }: Place, value: T): void {
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) this.#topics.set(topic, partitions = new Map());
    partitions.set(partition, value);
  }

  /** Whether it was there. */
  delete({ topic, partition }: Place): boolean {
    return this.#topics.get(topic)?.delete(partition) ?? false;
  }

  clear(): void {
    this.#topics.clear();
  }

  *values(): Generator<T, void, undefined> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }
}

/** A set of partitions. */
export function partitionSet(places: Iterable<Place>): ByPartition<true> {
  const set = new ByPartition<true>();
  for (const place of places) set.set(place, true);
  return set;
}

/** A partition as errors and logs have it: `emoji[0]`. */
export function placeText({ topic, partition }: Place): string {
  return `${topic}[${partition}]`;
}
