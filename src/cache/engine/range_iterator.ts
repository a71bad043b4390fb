/**
 * The iterator behind `entries()`, `keys()` and `values()`.
 *
 * @module
 */

import type { Range } from "../cache_range.ts";
import { isExpired, type StoredValue } from "../store/stored_value.ts";
import type { Engine, Snapshot } from "./engine.ts";
import type { Entry, RangeOptions } from "./scan.ts";

/**
 * Reads a range from memory if all entries are there, else from disk. It is not an async generator, because the
 * `yield` of an async generator takes as long as everything else here.
 */
export class RangeIterator<T> implements AsyncGenerator<T, void, undefined> {
  readonly #open: () => Promise<Engine>;
  readonly #range: Range;
  readonly #options: RangeOptions;
  readonly #make: (key: Entry["key"], stored: StoredValue) => T;
  #beginning: Promise<void> | undefined;
  #engine: Engine | undefined;
  #scan: AsyncGenerator<Entry, void, undefined> | undefined;
  /** What memory held when the first entry was asked for. */
  #keys: Snapshot["keys"] = [];
  #values: Snapshot["values"] = [];
  #next = 0;
  #remaining: number;

  /**
   * Opens nothing before the first entry is asked for.
   *
   * @param make what the iterator returns for an entry
   */
  constructor(
    open: () => Promise<Engine>,
    range: Range,
    options: RangeOptions,
    make: (key: Entry["key"], stored: StoredValue) => T,
  ) {
    this.#open = open;
    this.#range = range;
    this.#options = options;
    this.#make = make;
    this.#remaining = options.limit;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#engine === undefined) {
      if (this.#remaining === 0) return Promise.resolve({ value: undefined, done: true });
      return (this.#beginning ??= this.#begin()).then(() => this.next());
    }
    if (this.#scan !== undefined) {
      return this.#scan.next().then(({ value, done }) =>
        done ? { value: undefined, done } : { value: this.#make(value.key, value.stored), done: false }
      );
    }
    try {
      const { length } = this.#values;
      while (this.#remaining > 0 && this.#next < length) {
        const index = this.#options.reverse ? length - 1 - this.#next++ : this.#next++;
        const stored = this.#values[index]!;
        if (isExpired(stored)) continue;
        this.#engine.throwIfClosed();
        this.#remaining--;
        return Promise.resolve({ value: this.#make(this.#keys[index]!, stored), done: false });
      }
      return this.return();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    this.#remaining = 0;
    this.#keys = [];
    this.#values = [];
    await this.#scan?.return();
    return { value: undefined, done: true };
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.return();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #begin(): Promise<void> {
    const engine = await this.#open();
    const snapshot = engine.snapshot(this.#range);
    if (snapshot === undefined) this.#scan = engine.scan(this.#range, this.#options);
    else ({ keys: this.#keys, values: this.#values } = snapshot);
    this.#engine = engine;
  }
}
