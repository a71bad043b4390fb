/**
 * JavaScript values that travel with messages through C, as numbers.
 *
 * @module
 */

/** Numbers of messages that share an opaque value are below this: so few that what goes to C stays a small integer for 500 million messages. */
export const NUMBERS = 2 ** 12;

/** Values by number. Consecutive messages with the same value share one, so that a batch costs one entry. */
export class Opaques {
  // Two arrays with places that are used again: a Map with an object for each is memory of the collector's with each
  // message. Place 0 stays empty, as 0 stands for no value.
  readonly #values: unknown[] = [undefined];
  readonly #messages: number[] = [0];
  readonly #free: number[] = [];
  #last = 0;

  /**
   * The number for a value, which one message more carries.
   *
   * @param recordNumber tells the messages of one value apart; from 0, below `NUMBERS`
   */
  put(value: unknown, recordNumber: number = 0): number {
    if (this.#last === 0 || this.#values[this.#last] !== value) {
      this.#last = this.#free.pop() ?? this.#values.length;
      this.#values[this.#last] = value;
      this.#messages[this.#last] = 0;
    }
    this.#messages[this.#last]!++;
    return this.#last * NUMBERS + recordNumber;
  }

  /** The value for a number that one message less carries. */
  take(id: number): unknown {
    const place = Math.floor(id / NUMBERS), messages = this.#messages[place] ?? 0;
    if (messages === 0) return undefined;
    const value = this.#values[place];
    this.#messages[place] = messages - 1;
    if (messages === 1) {
      this.#values[place] = undefined;
      this.#free.push(place);
      if (place === this.#last) this.#last = 0;
    }
    return value;
  }

  clear(): void {
    this.#values.length = this.#messages.length = 1;
    this.#free.length = this.#last = 0;
  }
}
