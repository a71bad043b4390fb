/**
 * Things that happen once, and cut waits short.
 *
 * @module
 */

/**
 * Something that happens once, such as a stop.
 *
 * `Promise.race()` against one lasting promise would keep what every race came to alive as long as that promise lives.
 * A race against a `Once` is forgotten when it is over.
 */
export class Once {
  readonly #listeners = new Set<() => void>();
  #happened = false;

  /** Whether it has happened. */
  get happened(): boolean {
    return this.#happened;
  }

  /** Lets it happen: calls the listeners and ends the races. Does nothing the second time. */
  happen(): void {
    if (this.#happened) return;
    this.#happened = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  /**
   * Calls a function when it happens; at once if it has happened.
   *
   * @returns takes the function away again
   */
  listen(listener: () => void): () => void {
    if (this.#happened) listener();
    else this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Settles as the promise does, or resolves with `cut` if this happens first. A later rejection goes unheard. */
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
