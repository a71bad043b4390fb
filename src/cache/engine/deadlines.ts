/**
 * Deadlines of many tasks with one timer. Most tasks end before their deadline, and a timer for each would cost more
 * than the task.
 *
 * @module
 */

/** A task that has a deadline. */
export interface Deadline {
  /** The deadline, in milliseconds since the epoch. */
  readonly at: number;
  /** Called once, when the deadline has passed. */
  onExpired(): void;
}

/** A timer takes at most 24 days; this one is set again after a day. */
const MAX_TIMER_MS = 86_400_000;

/** The deadlines that have not passed. */
export class Deadlines {
  readonly #pending = new Set<Deadline>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires. */
  #next = Infinity;

  /** Begins to watch a deadline. */
  add(deadline: Deadline): void {
    this.#pending.add(deadline);
    if (deadline.at < this.#next) this.#setTimer(deadline.at);
  }

  /** Stops watching a deadline: its task has ended. */
  delete(deadline: Deadline): void {
    this.#pending.delete(deadline);
    if (this.#pending.size === 0) this.#setTimer(Infinity);
  }

  #setTimer(at: number): void {
    clearTimeout(this.#timer);
    this.#next = at;
    if (at < Infinity) this.#timer = setTimeout(() => this.#expire(), Math.min(at - Date.now(), MAX_TIMER_MS));
  }

  #expire(): void {
    const now = Date.now();
    let next = Infinity;
    for (const deadline of this.#pending) {
      if (deadline.at <= now) {
        this.#pending.delete(deadline);
        deadline.onExpired();
      } else next = Math.min(next, deadline.at);
    }
    this.#setTimer(next);
  }
}
