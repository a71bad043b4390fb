/**
 * Calls many callbacks of the program one after the other, without blocking its event loop.
 *
 * @module
 */

import { callAndReport } from "./call_and_report.ts";

/**
 * How many callbacks are fetched at a time. A run that may not fetch makes at most as many calls, as the native addon
 * does.
 */
export const CALLBACKS_PER_FETCH = 100;
/** How long a run lasts before timers and I/O get their turn; `CALLBACKS_PER_FETCH` calls are made even if they last longer. */
const RUN_MS = 5;
/**
 * How many microtasks run between two callbacks. Node runs all microtasks after each callback of a native addon. Three
 * are enough for KafkaJS' `send()` to reach its `await`.
 */
const MICROTASKS_BETWEEN_CALLS = 3;

/** Callbacks of the program, which are called in the order in which they were added. */
export class CallbackQueue {
  readonly #calls: (() => unknown)[] = [];
  /** The index of the next call; those before it are made. */
  #next = 0;
  #isScheduled = false;
  readonly #fetch: () => boolean;
  readonly #mayFetch: () => boolean;

  /**
   * @param fetch Adds about `CALLBACKS_PER_FETCH` callbacks to this queue; returns `false` when there was nothing to
   * fetch.
   * @param mayFetch Whether a run fetches when the queue is empty; otherwise it only makes the calls that were added. By
   * default it fetches.
   */
  constructor(fetch: () => boolean, mayFetch: () => boolean = () => true) {
    this.#fetch = fetch;
    this.#mayFetch = mayFetch;
  }

  /** Adds a callback. It is called in the next run. */
  readonly add = (call: () => unknown): void => void this.#calls.push(call);

  /** Starts a run at once, unless one is scheduled or under way. */
  runNow(): void {
    if (!this.#isScheduled) this.#run();
  }

  /** Schedules a run behind timers and I/O, unless one is scheduled or under way. */
  runSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  /** Fetches everything and resolves when every callback has been called. */
  async runAll(): Promise<void> {
    while (this.#fetch() || this.#waiting > 0) {
      this.runSoon();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get #waiting(): number {
    return this.#calls.length - this.#next;
  }

  /** Fetches a few callbacks and calls them, again and again: fetching all of them first would take much memory. */
  async #run(): Promise<void> {
    this.#isScheduled = true;
    const end = performance.now() + RUN_MS;
    do {
      for (let n = 0; n < CALLBACKS_PER_FETCH && this.#waiting > 0; n++) {
        this.#callNext();
        for (let step = 0; step < MICROTASKS_BETWEEN_CALLS; step++) await undefined;
      }
      // A fetch may add a callback and return false: throttling is reported without an event.
    } while (this.#mayFetch() && performance.now() < end && (this.#fetch() || this.#waiting > 0));
    this.#isScheduled = false;
    if (this.#waiting > 0 || performance.now() >= end) this.runSoon();
  }

  #callNext(): void {
    const call = this.#calls[this.#next++]!;
    // The array is emptied when every call is made: shift() on a long array would move the rest each time.
    if (this.#waiting === 0) this.#calls.length = this.#next = 0;
    callAndReport(call);
  }
}
