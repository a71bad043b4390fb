/**
 * Turns for calls that take a thread.
 *
 * @module
 */

/** At most so many calls at once, first come, first served. */
export class Lanes {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param count how many calls run at once */
  constructor(count: number) {
    this.#free = count;
  }

  /** Makes a call when a lane is free. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await call();
    } finally {
      // The lane is handed on, so that nobody slips in between.
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else this.#free++;
    }
  }
}
