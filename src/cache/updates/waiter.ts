/**
 * A wait that another part of the program ends.
 *
 * @module
 */

/** One who waits, and is woken or closed. A wake that comes before the wait ends it at once. */
export class Waiter {
  /** Whether nothing is to be waited for any more. */
  closed = false;
  #woken = false;
  #resolve: (() => void) | undefined;

  /** Ends the wait, or the next one. */
  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  /** Ends the wait, for good. */
  close(): void {
    this.closed = true;
    this.wake();
  }

  /** Waits until it is woken or closed, at most for `ms` milliseconds. */
  async wait(ms?: number): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
        this.#resolve = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#woken = this.closed;
    this.#resolve = undefined;
  }
}
