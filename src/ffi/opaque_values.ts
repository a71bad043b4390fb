/**
 * JavaScript values that travel through C with a produced message. C carries a number, librdkafka's "opaque".
 *
 * @module
 */

/**
 * The largest number of messages that can be told apart by `messageNumber` while they share a value. It is small, so that
 * what goes to C stays a small integer for 500 million messages.
 */
export const MESSAGES_PER_VALUE = 2 ** 12;

/** Values by number. Consecutive messages with the same value share an entry, so that a batch costs one. */
export class OpaqueValues {
  // Two arrays whose indices are reused: a Map, with an object for each message, would burden the collector.
  // Index 0 stays empty, since the number 0 means "no value".
  readonly #values: unknown[] = [undefined];
  /** How many messages carry the value at the same index. */
  readonly #messages: number[] = [0];
  readonly #freeIndices: number[] = [];
  /** The index of the value that was put last; 0 for none. */
  #last = 0;

  /**
   * Keeps a value for one more message.
   *
   * @param messageNumber tells the messages of one value apart; from 0, below `MESSAGES_PER_VALUE`
   * @returns the number for C to carry
   */
  put(value: unknown, messageNumber: number = 0): number {
    if (this.#last === 0 || this.#values[this.#last] !== value) {
      this.#last = this.#freeIndices.pop() ?? this.#values.length;
      this.#values[this.#last] = value;
      this.#messages[this.#last] = 0;
    }
    this.#messages[this.#last]!++;
    return this.#last * MESSAGES_PER_VALUE + messageNumber;
  }

  /** Returns the value for a number, for the last time for this message; `undefined` if there is none. */
  take(id: number): unknown {
    const index = Math.floor(id / MESSAGES_PER_VALUE), messages = this.#messages[index] ?? 0;
    if (messages === 0) return undefined;
    const value = this.#values[index];
    this.#messages[index] = messages - 1;
    if (messages === 1) {
      this.#values[index] = undefined;
      this.#freeIndices.push(index);
      if (index === this.#last) this.#last = 0;
    }
    return value;
  }

  /** Removes all values. */
  clear(): void {
    this.#values.length = this.#messages.length = 1;
    this.#freeIndices.length = this.#last = 0;
  }
}
