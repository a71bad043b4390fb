/**
 * The entries of a range, as they were when the scan began.
 *
 * Deno KV lists in batches, each of which sees what was committed meanwhile. So a scan starts with the writes that
 * were pending, and whoever commits while it runs gives it what the entries were before.
 *
 * @module
 */

import { type CacheKey, checkKey, compareKeys, idOf, type KeyPart, showKey } from "../cache_key.ts";
import { fromEntry, type StoredValue } from "../store/stored_value.ts";

/** Which entries. */
export interface CacheRange {
  /** Those whose key begins with these parts and goes on: `"user"` selects `["user", 1]`, but neither `"user"` nor `"users"`. */
  readonly prefix?: CacheKey;
  /** The first key, if it is there. */
  readonly start?: CacheKey;
  /** Where to end; this key is not taken. */
  readonly end?: CacheKey;
}

/** Which entries, and in what order. */
export interface CacheListOptions extends CacheRange {
  /** From the end to the start. @default {false} */
  readonly reverse?: boolean;
  /** How many at most. @default {all} */
  readonly limit?: number;
}

/** How a range is walked over. */
export interface RangeOptions {
  readonly reverse: boolean;
  readonly limit: number;
  /** Whether large values are read as well. */
  readonly whole: boolean;
}

/** An entry that is there. */
export interface Entry {
  readonly key: readonly KeyPart[];
  readonly stored: StoredValue;
}

/** An entry that is or is not there. */
interface Kept {
  readonly key: readonly KeyPart[];
  readonly stored: StoredValue | undefined;
}

/** A range that has been checked. */
export class Range {
  readonly prefix: readonly KeyPart[];
  readonly start: readonly KeyPart[] | undefined;
  readonly end: readonly KeyPart[] | undefined;

  /** @throws {TypeError} If it starts or ends outside its prefix. */
  constructor({ prefix, start, end }: CacheRange) {
    this.prefix = prefix === undefined ? [] : checkKey(prefix).parts;
    // What begins with the prefix is not the prefix itself.
    const first = start === undefined ? undefined : checkKey(start).parts;
    this.start = first?.length === this.prefix.length && this.#begins(first) ? undefined : first;
    this.end = end === undefined ? undefined : checkKey(end).parts;
    for (const [name, key] of [["start", this.start], ["end", this.end]] as const) {
      if (key !== undefined && !this.#begins(key)) {
        throw new TypeError(`${name} must begin with the prefix ${showKey(this.prefix)}: got ${showKey(key)}`);
      }
    }
  }

  /** Whether a key is in it. */
  has(key: readonly KeyPart[]): boolean {
    return key.length > this.prefix.length && this.#begins(key) &&
      (this.start === undefined || compareKeys(key, this.start) >= 0) &&
      (this.end === undefined || compareKeys(key, this.end) < 0);
  }

  /** Whether it is all there is. */
  get all(): boolean {
    return this.prefix.length === 0 && this.start === undefined && this.end === undefined;
  }

  /** Whether a key is not before it; then no later one is. */
  hasBegun(key: readonly KeyPart[]): boolean {
    return this.start === undefined
      ? this.prefix.length === 0 || compareKeys(key, this.prefix) > 0
      : compareKeys(key, this.start) >= 0;
  }

  /** Whether a key is behind it; then every later one is. */
  isPast(key: readonly KeyPart[]): boolean {
    return this.end !== undefined && compareKeys(key, this.end) >= 0 ||
      this.prefix.length > 0 && compareKeys(key.slice(0, this.prefix.length), this.prefix) > 0;
  }

  /** The range as KV has it. */
  selector(base: readonly Deno.KvKeyPart[]): Deno.KvListSelector {
    const start = this.start && [...base, ...this.start];
    const end = this.end && [...base, ...this.end];
    if (start && end) return compareKeys(this.start!, this.end!) < 0 ? { start, end } : { start, end: start };
    const prefix = [...base, ...this.prefix];
    if (end?.length === prefix.length && this.prefix.length > 0) return { start: prefix, end: prefix };
    return start ? { prefix, start } : end ? { prefix, end } : { prefix };
  }

  #begins(key: readonly KeyPart[]): boolean {
    return key.length >= this.prefix.length && compareKeys(key.slice(0, this.prefix.length), this.prefix) === 0;
  }
}

/** One walk over a range. */
export class Scan {
  readonly #range: Range;
  readonly #sign: 1 | -1;
  readonly #kept = new Map<string, Kept>();
  /** Those kept entries that are there and still ahead, the next one last. */
  #ahead: Kept[];
  #cursor: readonly KeyPart[] | undefined;
  readonly #onUnchanged: (id: string, found: Entry) => void;

  /**
   * @param pending the writes that were accepted and perhaps not committed when the scan began
   * @param onUnchanged is told of every entry that has been on disk since then
   */
  constructor(
    range: Range,
    reverse: boolean,
    pending: Iterable<Kept & { readonly id: string }>,
    onUnchanged: (id: string, found: Entry) => void,
  ) {
    this.#onUnchanged = onUnchanged;
    this.#range = range;
    this.#sign = reverse ? -1 : 1;
    for (const write of pending) if (range.has(write.key)) this.#kept.set(write.id, write);
    this.#ahead = [...this.#kept.values()].filter(({ stored }) => stored !== undefined)
      .sort((a, b) => this.#sign * compareKeys(b.key, a.key));
  }

  /** Whether the scan has yet to come by a key that is about to change. */
  needs(id: string, key: readonly KeyPart[]): boolean {
    return !this.#kept.has(id) && this.#range.has(key) &&
      (this.#cursor === undefined || this.#sign * compareKeys(key, this.#cursor) > 0);
  }

  /** Keeps what an entry is, before it changes. */
  keep(id: string, kept: Kept): void {
    if (!this.needs(id, kept.key)) return;
    this.#kept.set(id, kept);
    if (kept.stored === undefined) return;
    let [low, high] = [0, this.#ahead.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sign * compareKeys(this.#ahead[middle]!.key, kept.key) > 0) low = middle + 1;
      else high = middle;
    }
    this.#ahead.splice(low, 0, kept);
  }

  /** Walks over what KV lists, and puts what was kept in its place. */
  async *walk(listed: AsyncIterable<Deno.KvEntry<unknown>>): AsyncGenerator<Entry> {
    for await (const { key, value } of listed) {
      const parts = key.slice(2) as KeyPart[];
      for (let next = this.#ahead.at(-1); next !== undefined; next = this.#ahead.at(-1)) {
        if (this.#sign * compareKeys(next.key, parts) >= 0) break;
        yield this.#pop();
      }
      const id = idOf(parts);
      const kept = this.#kept.get(id);
      this.#cursor = parts;
      if (kept === undefined) {
        const found = { key: parts, stored: fromEntry(value) };
        this.#onUnchanged(id, found);
        yield found;
      } else if (this.#ahead.at(-1) === kept) yield this.#pop();
    }
    while (this.#ahead.length > 0) yield this.#pop();
  }

  #pop(): Entry {
    const next = this.#ahead.pop()!;
    this.#cursor = next.key;
    return next as Entry;
  }
}
