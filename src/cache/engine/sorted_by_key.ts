/**
 * Keys in the order of Deno KV, in memory.
 *
 * @module
 */

import { compareKeys, type KeyPart } from "../cache_key.ts";

/** What has a key. */
export interface Ordered {
  readonly key: readonly KeyPart[];
}

/** How many a shelf begins with, and may have before it is cut in two. */
const SHELF = 256;

/** Items in the order of their keys, on shelves short enough to be shifted. */
export class SortedByKey<T extends Ordered> {
  #shelves: T[][];

  /** @param items in any order; no two have the same key */
  constructor(items: T[]) {
    items.sort((a, b) => compareKeys(a.key, b.key));
    this.#shelves = [];
    for (let at = 0; at < items.length; at += SHELF) this.#shelves.push(items.slice(at, at + SHELF));
  }

  /** Puts in an item whose key is not there. */
  add(item: T): void {
    if (this.#shelves.length === 0) return void this.#shelves.push([item]);
    const n = this.#shelfOf(item.key);
    const shelf = this.#shelves[n]!;
    shelf.splice(firstOf(shelf, (key) => compareKeys(key, item.key) >= 0), 0, item);
    if (shelf.length > 2 * SHELF) this.#shelves.splice(n + 1, 0, shelf.splice(SHELF));
  }

  /** Takes out an item that is there. */
  remove(item: T): void {
    const n = this.#shelfOf(item.key);
    const shelf = this.#shelves[n]!;
    shelf.splice(firstOf(shelf, (key) => compareKeys(key, item.key) >= 0), 1);
    if (shelf.length === 0) this.#shelves.splice(n, 1);
  }

  /** The items from the first that has begun to the last that is not past; both hold for all keys after as well. */
  range(hasBegun: (key: T["key"]) => boolean, isPast: (key: T["key"]) => boolean): T[] {
    const [first, from] = this.#find(hasBegun);
    const [last, to] = this.#find(isPast);
    if (first > last) return [];
    if (first === last) return this.#shelves[first]?.slice(from, to) ?? [];
    const rest = last < this.#shelves.length ? this.#shelves[last]!.slice(0, to) : [];
    return this.#shelves[first]!.slice(from).concat(...this.#shelves.slice(first + 1, last), rest);
  }

  /** The shelf that a key belongs on: the last one whose first key is not above it. */
  #shelfOf(key: T["key"]): number {
    let [low, high] = [0, this.#shelves.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compareKeys(this.#shelves[middle]![0]!.key, key) > 0) high = middle - 1;
      else low = middle;
    }
    return low;
  }

  #find(test: (key: T["key"]) => boolean): [shelf: number, at: number] {
    let [low, high] = [0, this.#shelves.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(this.#shelves[middle]!.at(-1)!.key)) high = middle;
      else low = middle + 1;
    }
    return low < this.#shelves.length ? [low, firstOf(this.#shelves[low]!, test)] : [low, 0];
  }
}

function firstOf<T extends Ordered>(shelf: readonly T[], test: (key: T["key"]) => boolean): number {
  let [low, high] = [0, shelf.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(shelf[middle]!.key)) high = middle;
    else low = middle + 1;
  }
  return low;
}
