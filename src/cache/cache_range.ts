/**
 * Ranges of keys.
 *
 * @module
 */

import { type CacheKey, checkKey, compareKeys, type KeyPart, type KeyPrefix, showKey } from "./cache_key.ts";

/**
 * Selects the entries of a Cache by their keys. Without any of these options, all entries.
 *
 * @typeParam K the keys of the Cache
 */
export interface CacheRange<K extends CacheKey = CacheKey> {
  /**
   * The first parts of the keys. `"user"` selects `["user", 1]`, but neither `"user"` itself nor `"users"`.
   * @default {all keys}
   */
  readonly prefix?: KeyPrefix<K>;
  /**
   * The first key, or the first parts of it; inclusive.
   * @default {from the first key}
   */
  readonly start?: KeyPrefix<K>;
  /**
   * The key at which the range ends, or the first parts of it; exclusive.
   * @default {to the last key}
   */
  readonly end?: KeyPrefix<K>;
}

/**
 * Selects the entries of a Cache, their order and their number.
 *
 * @typeParam K the keys of the Cache
 */
export interface CacheListOptions<K extends CacheKey = CacheKey> extends CacheRange<K> {
  /**
   * Reads from the last key to the first.
   * @default {false}
   */
  readonly reverse?: boolean;
  /**
   * How many entries to read at most: 0 or more.
   * @default {Infinity}
   */
  readonly limit?: number;
}

/** The defaults of `entries()`, `keys()` and `values()`. */
export const LIST_DEFAULTS = { reverse: false, limit: Infinity } as const satisfies CacheListOptions;

/** A range whose keys have been checked. */
export class Range {
  readonly prefix: readonly KeyPart[];
  readonly start: readonly KeyPart[] | undefined;
  readonly end: readonly KeyPart[] | undefined;

  /** @throws {TypeError} If `start` or `end` does not begin with `prefix`, or a key is not valid. */
  constructor({ prefix, start, end }: CacheRange) {
    this.prefix = prefix === undefined ? [] : checkKey(prefix).parts;
    const first = start === undefined ? undefined : checkKey(start).parts;
    // The prefix itself is not in the range, so a range that starts there starts at the first key behind it.
    this.start = first?.length === this.prefix.length && this.#beginsWithPrefix(first) ? undefined : first;
    this.end = end === undefined ? undefined : checkKey(end).parts;
    for (const [name, key] of [["start", this.start], ["end", this.end]] as const) {
      if (key !== undefined && !this.#beginsWithPrefix(key)) {
        throw new TypeError(`${name} must begin with the prefix ${showKey(this.prefix)}: got ${showKey(key)}`);
      }
    }
  }

  /** Whether the range contains a key. */
  has(key: readonly KeyPart[]): boolean {
    return key.length > this.prefix.length && this.#beginsWithPrefix(key) &&
      (this.start === undefined || compareKeys(key, this.start) >= 0) &&
      (this.end === undefined || compareKeys(key, this.end) < 0);
  }

  /** Whether the range contains every key. */
  get all(): boolean {
    return this.prefix.length === 0 && this.start === undefined && this.end === undefined;
  }

  /** Whether a key is in the range or behind it. If it is, so is every later key. */
  hasBegun(key: readonly KeyPart[]): boolean {
    return this.start === undefined
      ? this.prefix.length === 0 || compareKeys(key, this.prefix) > 0
      : compareKeys(key, this.start) >= 0;
  }

  /** Whether a key is behind the range. If it is, so is every later key. */
  isPast(key: readonly KeyPart[]): boolean {
    return this.end !== undefined && compareKeys(key, this.end) >= 0 ||
      this.prefix.length > 0 && compareKeys(key.slice(0, this.prefix.length), this.prefix) > 0;
  }

  /** The selector by which KV lists the range, below the parts that the Cache puts before its keys. */
  selector(base: readonly Deno.KvKeyPart[]): Deno.KvListSelector {
    const start = this.start && [...base, ...this.start];
    const end = this.end && [...base, ...this.end];
    // KV refuses a start behind the end.
    if (start && end) return compareKeys(this.start!, this.end!) < 0 ? { start, end } : { start, end: start };
    const prefix = [...base, ...this.prefix];
    // The range ends at its own prefix: it is empty.
    if (end?.length === prefix.length && this.prefix.length > 0) return { start: prefix, end: prefix };
    return start ? { prefix, start } : end ? { prefix, end } : { prefix };
  }

  #beginsWithPrefix(key: readonly KeyPart[]): boolean {
    return key.length >= this.prefix.length && compareKeys(key.slice(0, this.prefix.length), this.prefix) === 0;
  }
}
