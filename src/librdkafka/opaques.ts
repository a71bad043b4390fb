/**
 * JavaScript values that travel with messages through C, as numbers.
 *
 * @module
 */

/**
 * What an opaque value may have that many messages share: the number of the message that is produced next, from 0 to
 * {@linkcode NUMBERS}, which comes back with its report.
 */
export const messageNumber: unique symbol = Symbol("slipstream.messageNumber") as never;

/** Numbers of messages are below this: so few that what goes to C stays a small integer for 500 million messages. */
export const NUMBERS = 2 ** 12;

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
    const number = (value as { [messageNumber]?: number } | null)?.[messageNumber] ?? 0;
    if (this.#last !== undefined && this.#last.value === value) this.#last.messages++;
    else {
      this.#last = { value, messages: 1 };
      this.#entries.set(++this.#lastId, this.#last);
    }
    return this.#lastId * NUMBERS + number;
  }

  /** The value for a number that one message less carries. */
  take(id: number): unknown {
    const entryId = Math.floor(id / NUMBERS);
    const entry = this.#entries.get(entryId);
    if (entry === undefined) return undefined;
    if (--entry.messages === 0) {
      this.#entries.delete(entryId);
      if (entry === this.#last) this.#last = undefined;
    }
    return entry.value;
  }

  clear(): void {
    this.#entries.clear();
    this.#last = undefined;
  }
}
