/**
 * Telling the program of many things that come together, without keeping anybody else waiting.
 *
 * @module
 */

import { guarded } from "./guarded.ts";

/** How many calls are taken at once; also, as in the addon, how many a turn makes that takes no more. */
export const CALLS_AT_ONCE = 100;
/** How long a turn takes at most, but for what the program does in `CALLS_AT_ONCE` calls. */
const TURN_MS = 5;
/**
 * How many steps of promises that a call sets going are made before the next call. On Node all are, after each callback
 * of an addon; these get as far as an `await` of KafkaJS' `send`.
 */
const SETTLING_STEPS = 3;

/** Calls of the program's callbacks, made one by one in the order in which they were pushed. */
export class Turns {
  readonly #calls: (() => unknown)[] = [];
  #next = 0;
  #isSet = false;
  readonly #take: () => boolean;
  readonly #goesOn: () => boolean;

  /**
   * @param take Pushes `CALLS_AT_ONCE` calls or so; says whether there was anything to take.
   * @param goesOn Whether a turn takes more, and is not just for what was pushed; by default it is.
   */
  constructor(take: () => boolean, goesOn: () => boolean = () => true) {
    this.#take = take;
    this.#goesOn = goesOn;
  }

  readonly push = (call: () => unknown): void => void this.#calls.push(call);

  /** Has a turn now, unless one is set. */
  now(): void {
    if (!this.#isSet) this.#turn();
  }

  /** Has a turn later, if there is anything to tell by then. */
  later(): void {
    if (this.#isSet) return;
    this.#isSet = true;
    setImmediate(() => this.#turn());
  }

  /** Takes and tells all that is there. */
  async drain(): Promise<void> {
    while (this.#take() || this.#waiting > 0) {
      this.later();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get #waiting(): number {
    return this.#calls.length - this.#next;
  }

  /** Takes a little and tells of it, again and again: what is not told yet takes memory. */
  async #turn(): Promise<void> {
    this.#isSet = true;
    const end = performance.now() + TURN_MS;
    do {
      for (let n = 0; n < CALLS_AT_ONCE && this.#waiting > 0; n++) {
        this.#callNext();
        for (let step = 0; step < SETTLING_STEPS; step++) await undefined;
      }
      // Taking may push a call and say that there was nothing, as of throttling, which comes without an event.
    } while (this.#goesOn() && performance.now() < end && (this.#take() || this.#waiting > 0));
    this.#isSet = false;
    if (this.#waiting > 0 || performance.now() >= end) this.later();
  }

  #callNext(): void {
    const call = this.#calls[this.#next++]!;
    // What was called is let go when all was: taking the first of a long array would move the others each time.
    if (this.#waiting === 0) this.#calls.length = this.#next = 0;
    guarded(call);
  }
}
