/**
 * A sorted list in memory, in the order of Deno KV.
 *
 * @module
 */

import { compareKeys, type KeyPart } from "../cache_key.ts";

/** An item with a key. */
export interface Keyed {
  readonly key: readonly KeyPart[];
}

/** How many items a bucket has at first. At twice as many it is split. */
const BUCKET_SIZE = 256;

/** Items in the order of their keys, in buckets small enough that inserting into one is cheap. */
export class SortedByKey<T extends Keyed> {
  #buckets: T[][];

  /** @param items in any order; no two have the same key */
  constructor(items: T[]) {
    items.sort((a, b) => compareKeys(a.key, b.key));
    this.#buckets = [];
    for (let at = 0; at < items.length; at += BUCKET_SIZE) this.#buckets.push(items.slice(at, at + BUCKET_SIZE));
  }

  /** Adds an item whose key is not in the list. */
  add(item: T): void {
    if (this.#buckets.length === 0) return void this.#buckets.push([item]);
    const n = this.#bucketOf(item.key);
    const bucket = this.#buckets[n]!;
    bucket.splice(firstIndex(bucket, (key) => compareKeys(key, item.key) >= 0), 0, item);
    if (bucket.length > 2 * BUCKET_SIZE) this.#buckets.splice(n + 1, 0, bucket.splice(BUCKET_SIZE));
  }

  /** Removes an item that is in the list. */
  remove(item: T): void {
    const n = this.#bucketOf(item.key);
    const bucket = this.#buckets[n]!;
    bucket.splice(firstIndex(bucket, (key) => compareKeys(key, item.key) >= 0), 1);
    if (bucket.length === 0) this.#buckets.splice(n, 1);
  }

  /**
   * The items of a range.
   *
   * @param hasBegun whether a key is at or behind the start of the range
   * @param isPast whether a key is behind the end of the range
   */
  range(hasBegun: (key: T["key"]) => boolean, isPast: (key: T["key"]) => boolean): T[] {
    const [first, from] = this.#find(hasBegun);
    const [last, to] = this.#find(isPast);
    if (first > last) return [];
    if (first === last) return this.#buckets[first]?.slice(from, to) ?? [];
    const rest = last < this.#buckets.length ? this.#buckets[last]!.slice(0, to) : [];
    return this.#buckets[first]!.slice(from).concat(...this.#buckets.slice(first + 1, last), rest);
  }

  /** The index of the bucket for a key: the last bucket whose first key is not above it. */
  #bucketOf(key: T["key"]): number {
    let [low, high] = [0, this.#buckets.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compareKeys(this.#buckets[middle]![0]!.key, key) > 0) high = middle - 1;
      else low = middle;
    }
    return low;
  }

  /** Where the first item is whose key passes a test that all later keys pass too. */
  #find(test: (key: T["key"]) => boolean): [bucket: number, index: number] {
    let [low, high] = [0, this.#buckets.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(this.#buckets[middle]!.at(-1)!.key)) high = middle;
      else low = middle + 1;
    }
    return low < this.#buckets.length ? [low, firstIndex(this.#buckets[low]!, test)] : [low, 0];
  }
}

function firstIndex<T extends Keyed>(bucket: readonly T[], test: (key: T["key"]) => boolean): number {
  let [low, high] = [0, bucket.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(bucket[middle]!.key)) high = middle;
    else low = middle + 1;
  }
  return low;
}
