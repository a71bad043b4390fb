/**
 * A limit on concurrent calls.
 *
 * @module
 */

/** Runs at most a fixed number of calls at once; the others wait, first come, first served. */
export class Semaphore {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param limit the number of calls that may run at once */
  constructor(limit: number) {
    this.#free = limit;
  }

  /** Makes a call as soon as the limit allows it. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await call();
    } finally {
      // The permit passes to the next waiting call directly, so that no later call can take it.
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else this.#free++;
    }
  }
}
