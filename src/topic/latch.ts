/**
 * An event that waits can be cut short by.
 *
 * @module
 */

/**
 * Something that happens once, until it is reset.
 *
 * `Promise.race()` against one lasting promise would keep the result of every race alive as long as that promise: a
 * reader would hold all the messages it ever read. A latch forgets a race when it is over.
 */
export class Latch {
  readonly #waiting = new Set<() => void>();
  #fired = false;

  /** Lets all races against the latch end, and later ones at once. */
  fire(): void {
    this.#fired = true;
    for (const cut of this.#waiting) cut();
    this.#waiting.clear();
  }

  /** Whether it has fired. */
  get fired(): boolean {
    return this.#fired;
  }

  /** Takes the latch back to where it has not fired. */
  reset(): void {
    this.#fired = false;
  }

  /** What the promise gives, or `undefined` if the latch fires first. A rejection after that goes unheard. */
  race<T>(promise: Promise<T>): Promise<T | undefined> {
    return this.#raced(promise, (resolve) => resolve(undefined));
  }

  /** What the promise gives; rejects with the error if the latch fires first. */
  cut<T>(promise: Promise<T>, error: () => Error): Promise<T> {
    return this.#raced(promise, (_, reject) => reject(error()));
  }

  /** Resolves after a time, or when the latch fires. */
  async pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await this.race(new Promise<void>((resolve) => timer = setTimeout(resolve, ms)));
    clearTimeout(timer);
  }

  #raced<T, R>(
    promise: Promise<T>,
    onCut: (resolve: (value: T | R) => void, reject: (error: Error) => void) => void,
  ): Promise<T | R> {
    return new Promise((resolve, reject) => {
      const cut = () => onCut(resolve, reject);
      if (this.#fired) cut();
      else this.#waiting.add(cut);
      promise.then(resolve, reject).finally(() => this.#waiting.delete(cut));
    });
  }
}
