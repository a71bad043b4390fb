/**
 * The entries of a range, one after the other.
 *
 * @module
 */

import type { Engine } from "./engine.ts";
import type { Found, Range } from "./scan.ts";
import { isExpired } from "./value.ts";

/** How a range is walked over. */
export interface ListingOptions {
  readonly reverse: boolean;
  readonly limit: number;
  /** Whether large values are read as well. */
  readonly whole: boolean;
}

/**
 * Walks over a range from memory where everything is there, else from disk. Written by hand: each `yield` of an async
 * generator takes as long as all the rest.
 */
export class Listing<T> implements AsyncGenerator<T, void, undefined> {
  readonly #open: () => Promise<Engine>;
  readonly #range: Range;
  readonly #options: ListingOptions;
  readonly #make: (found: Found) => T;
  #beginning: Promise<void> | undefined;
  #engine: Engine | undefined;
  #scan: AsyncGenerator<Found, void, undefined> | undefined;
  /** What memory had when the first one was asked for. */
  #found: readonly Found[] = [];
  #at = 0;
  #left: number;

  /** Opens nothing before the first one is asked for. */
  constructor(open: () => Promise<Engine>, range: Range, options: ListingOptions, make: (found: Found) => T) {
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
        done ? { value: undefined, done } : { value: this.#make(value as Found), done: false }
      );
    }
    try {
      while (this.#left > 0 && this.#at < this.#found.length) {
        const found = this.#found[this.#options.reverse ? this.#found.length - 1 - this.#at++ : this.#at++]!;
        if (found.stored.expiresAt > 0 && isExpired(found.stored)) continue;
        this.#engine.checkOpen();
        this.#left--;
        return Promise.resolve({ value: this.#make(found), done: false });
      }
      return this.return();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    this.#left = 0;
    this.#found = [];
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
    const found = engine.snapshot(this.#range);
    if (found === undefined) this.#scan = engine.scan(this.#range, this.#options);
    else this.#found = found;
    this.#engine = engine;
  }
}
