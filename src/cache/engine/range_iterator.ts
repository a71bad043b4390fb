/**
 * The entries of a range, one after the other.
 *
 * @module
 */

import type { Engine, Snapshot } from "./engine.ts";
import type { Entry, Range, RangeOptions } from "./scan.ts";
import { isExpired, type StoredValue } from "../store/stored_value.ts";

/**
 * Walks over a range from memory where everything is there, else from disk. Written by hand: each `yield` of an async
 * generator takes as long as all the rest.
 */
export class RangeIterator<T> implements AsyncGenerator<T, void, undefined> {
  readonly #open: () => Promise<Engine>;
  readonly #range: Range;
  readonly #options: RangeOptions;
  readonly #make: (key: Entry["key"], stored: StoredValue) => T;
  #beginning: Promise<void> | undefined;
  #engine: Engine | undefined;
  #scan: AsyncGenerator<Entry, void, undefined> | undefined;
  /** What memory had when the first one was asked for. */
  #keys: Snapshot["keys"] = [];
  #values: Snapshot["values"] = [];
  #at = 0;
  #left: number;

  /** Opens nothing before the first one is asked for. */
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
    this.#left = options.limit;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#engine === undefined) {
      if (this.#left === 0) return Promise.resolve({ value: undefined, done: true });
      return (this.#beginning ??= this.#begin()).then(() => this.next());
    }
    if (this.#scan !== undefined) {
      return this.#scan.next().then(({ value, done }) =>
        done ? { value: undefined, done } : { value: this.#make(value.key, value.stored), done: false }
      );
    }
    try {
      const { length } = this.#values;
      while (this.#left > 0 && this.#at < length) {
        const at = this.#options.reverse ? length - 1 - this.#at++ : this.#at++;
        const stored = this.#values[at]!;
        if (isExpired(stored)) continue;
        this.#engine.throwIfClosed();
        this.#left--;
        return Promise.resolve({ value: this.#make(this.#keys[at]!, stored), done: false });
      }
      return this.return();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    this.#left = 0;
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
