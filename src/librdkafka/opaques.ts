/**
 * JavaScript values that travel with messages through C, as numbers.
 *
 * @module
 */

interface Entry {
  readonly value: unknown;
  messages: number;
}

/** Values by number. Consecutive messages with the same value share one, so that a batch costs one entry. */
export class Opaques {
  readonly #entries = new Map<number, Entry>();
  #lastId = 0;
  #last: Entry | undefined;

  /** The number for a value, which one message more carries. */
  put(value: unknown): number {
    if (this.#last !== undefined && this.#last.value === value) {
      this.#last.messages++;
      return this.#lastId;
    }
    this.#last = { value, messages: 1 };
    this.#entries.set(++this.#lastId, this.#last);
    return this.#lastId;
  }

  /** The value for a number that one message less carries. */
  take(id: number): unknown {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (--entry.messages === 0) {
      this.#entries.delete(id);
      if (entry === this.#last) this.#last = undefined;
    }
    return entry.value;
  }

  clear(): void {
    this.#entries.clear();
    this.#last = undefined;
  }
}
