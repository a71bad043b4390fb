/**
 * An event in the program that ends waits, such as a stop.
 *
 * @module
 */

/**
 * An event that fires and stays fired until it is reset.
 *
 * Its `race()` takes the place of `Promise.race()`, which keeps the result of every race alive as long as one of its promises
 * is pending: a reader that races each read against one promise for a stop would hold every message that it ever read. A race
 * against a signal leaves nothing behind.
 */
export class ResettableSignal {
  readonly #listeners = new Set<() => void>();
  #fired = false;

  /** Whether the signal has fired since it was made or reset. */
  get fired(): boolean {
    return this.#fired;
  }

  /** Calls the listeners and ends the waits. Does nothing if the signal has fired. */
  fire(): void {
    if (this.#fired) return;
    this.#fired = true;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }

  /** Resets the signal, so that it can fire again. Listeners that were called stay removed. */
  reset(): void {
    this.#fired = false;
  }

  /**
   * Adds a listener, which the signal calls once when it fires; at once if it has fired.
   *
   * @returns a function that removes the listener
   */
  listen(listener: () => void): () => void {
    if (this.#fired) listener();
    else this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Settles as the promise does, or resolves with `onFire` if the signal fires first. A later rejection is ignored. */
  race<T, C = undefined>(promise: PromiseLike<T>, onFire?: C): Promise<T | C> {
    return this.#race(promise, (resolve) => resolve(onFire as C));
  }

  /** Settles as the promise does, or rejects with `error()` if the signal fires first. A later rejection is ignored. */
  raceOrReject<T>(promise: PromiseLike<T>, error: () => Error): Promise<T> {
    return this.#race(promise, (_, reject) => reject(error()));
  }

  /** Resolves after a time in milliseconds, or when the signal fires. */
  async delay(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await this.race(new Promise<void>((resolve) => timer = setTimeout(resolve, ms)));
    clearTimeout(timer);
  }

  #race<T, C>(
    promise: PromiseLike<T>,
    onFire: (resolve: (value: T | C) => void, reject: (error: Error) => void) => void,
  ): Promise<T | C> {
    return new Promise((resolve, reject) => {
      const removeListener = this.listen(() => onFire(resolve, reject));
      promise.then((value) => {
        removeListener();
        resolve(value);
      }, (error) => {
        removeListener();
        reject(error);
      });
    });
  }
}
