/**
 * A read of a range from disk that shows the entries as they were when it began.
 *
 * Deno KV lists in batches, and each batch sees what was committed before it. So a scan begins with the writes of the
 * overlay, and each commit that is made while the scan runs first gives it the entries that the commit changes.
 *
 * @module
 */

import { compareKeys, idOf, type KeyPart } from "../cache_key.ts";
import type { Range } from "../cache_range.ts";
import { fromEntry, type StoredValue } from "../store/stored_value.ts";

/** How a range is read. */
export interface RangeOptions {
  readonly reverse: boolean;
  readonly limit: number;
  /** Whether values that lie in chunks are read too. */
  readonly largeValues: boolean;
}

/** An entry that exists. */
export interface Entry {
  readonly key: readonly KeyPart[];
  readonly stored: StoredValue;
}

/** What a key was when the scan began; without a value, it did not exist. */
interface PreservedEntry {
  readonly key: readonly KeyPart[];
  readonly stored: StoredValue | undefined;
}

/** One scan of a range. */
export class Scan {
  readonly #range: Range;
  readonly #sign: 1 | -1;
  readonly #preserved = new Map<string, PreservedEntry>();
  /** The preserved entries that exist and that the scan has not reached; the next one is last. */
  #ahead: PreservedEntry[];
  /** The key that the scan has reached. */
  #cursor: readonly KeyPart[] | undefined;
  readonly #onUnchanged: (id: string, entry: Entry) => void;

  /**
   * @param overlay the writes that are accepted and not on disk when the scan begins
   * @param onUnchanged called for each entry that is read from disk and has not changed since the scan began
   */
  constructor(
    range: Range,
    reverse: boolean,
    overlay: Iterable<PreservedEntry & { readonly id: string }>,
    onUnchanged: (id: string, entry: Entry) => void,
  ) {
    this.#onUnchanged = onUnchanged;
    this.#range = range;
    this.#sign = reverse ? -1 : 1;
    for (const write of overlay) if (range.has(write.key)) this.#preserved.set(write.id, write);
    this.#ahead = [...this.#preserved.values()].filter(({ stored }) => stored !== undefined)
      .sort((a, b) => this.#sign * compareKeys(b.key, a.key));
  }

  /** Whether the scan has not reached a key yet, and needs its entry preserved before a commit changes it. */
  needs(id: string, key: readonly KeyPart[]): boolean {
    return !this.#preserved.has(id) && this.#range.has(key) &&
      (this.#cursor === undefined || this.#sign * compareKeys(key, this.#cursor) > 0);
  }

  /** Preserves an entry that a commit is about to change. */
  preserve(id: string, entry: PreservedEntry): void {
    if (!this.needs(id, entry.key)) return;
    this.#preserved.set(id, entry);
    if (entry.stored === undefined) return;
    let [low, high] = [0, this.#ahead.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sign * compareKeys(this.#ahead[middle]!.key, entry.key) > 0) low = middle + 1;
      else high = middle;
    }
    this.#ahead.splice(low, 0, entry);
  }

  /** Merges what KV lists with the preserved entries, which replace those of the same key. */
  async *walk(listed: AsyncIterable<Deno.KvEntry<unknown>>): AsyncGenerator<Entry> {
    for await (const { key, value } of listed) {
      const parts = key.slice(2) as KeyPart[];
      for (let next = this.#ahead.at(-1); next !== undefined; next = this.#ahead.at(-1)) {
        if (this.#sign * compareKeys(next.key, parts) >= 0) break;
        yield this.#takeAhead();
      }
      const id = idOf(parts);
      const preserved = this.#preserved.get(id);
      this.#cursor = parts;
      if (preserved === undefined) {
        const entry = { key: parts, stored: fromEntry(value) };
        this.#onUnchanged(id, entry);
        yield entry;
      } else if (this.#ahead.at(-1) === preserved) yield this.#takeAhead();
    }
    while (this.#ahead.length > 0) yield this.#takeAhead();
  }

  #takeAhead(): Entry {
    const next = this.#ahead.pop()!;
    this.#cursor = next.key;
    return next as Entry;
  }
}
