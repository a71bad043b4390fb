/**
 * An event that happens once, and ends waits.
 *
 * @module
 */

/**
 * An event that happens once, such as a stop.
 *
 * `Promise.race()` with a promise that stays pending keeps the result of every race alive as long as that promise lives.
 * A race with a `Once` leaves nothing behind.
 */
export class Once {
  readonly #listeners = new Set<() => void>();
  #happened = false;

  /** Whether it has happened. */
  get happened(): boolean {
    return this.#happened;
  }

  /** Makes it happen: calls the listeners and ends the races. Does nothing the second time. */
  happen(): void {
    if (this.#happened) return;
    this.#happened = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  /**
   * Calls a function when it happens; at once if it has happened.
   *
   * @returns a function that removes the listener
   */
  listen(listener: () => void): () => void {
    if (this.#happened) listener();
    else this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Settles as the promise does, or resolves with `cut` if the event comes first. A later rejection is ignored. */
  race<T, C>(promise: PromiseLike<T>, cut: C): Promise<T | C> {
    return new Promise((resolve, reject) => {
      const forget = this.listen(() => resolve(cut));
      promise.then((value) => {
        forget();
        resolve(value);
      }, (error) => {
        forget();
        reject(error);
      });
    });
  }
}
