/**
 * Time limits of many at once, with one timer: most are kept, and making a timer for each takes longer than they do.
 *
 * @module
 */

/** Has until a moment to be done. */
export interface Deadline {
  /** When its time is over, in milliseconds since the epoch. */
  readonly until: number;
  /** Called once, when it is. */
  over(): void;
}

/** Those whose time runs. */
export class Deadlines {
  readonly #running = new Set<Deadline>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #next = Infinity;

  /** Begins to watch the time. */
  add(limited: Deadline): void {
    this.#running.add(limited);
    if (limited.until < this.#next) this.#wait(limited.until);
  }

  /** It is done. */
  delete(limited: Deadline): void {
    this.#running.delete(limited);
    if (this.#running.size === 0) this.#wait(Infinity);
  }

  #wait(until: number): void {
    clearTimeout(this.#timer);
    this.#next = until;
    // A day at most, and then again: a timer takes no more than 24 of them.
    if (until < Infinity) this.#timer = setTimeout(() => this.#look(), Math.min(until - Date.now(), 86_400_000));
  }

  #look(): void {
    const now = Date.now();
    let next = Infinity;
    for (const limited of this.#running) {
      if (limited.until <= now) {
        this.#running.delete(limited);
        limited.over();
      } else next = Math.min(next, limited.until);
    }
    this.#wait(next);
  }
}
