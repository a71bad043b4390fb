/**
 * The wait of a reader for the next update.
 *
 * @module
 */

import { ResettableSignal } from "../../async/resettable_signal.ts";

/** Ends a wait when an update comes. If one comes before the wait, the wait ends at once. */
export class WakeUp {
  readonly #signal = new ResettableSignal();
  #closed = false;

  /** Whether `close()` has been called: then no wait lasts. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Ends the wait, or the next one. */
  wake(): void {
    this.#signal.fire();
  }

  /** Ends the wait and all later ones. */
  close(): void {
    this.#closed = true;
    this.#signal.fire();
  }

  /** Waits for `wake()` or `close()`, at most for `maxMs` milliseconds. */
  async wait(maxMs?: number): Promise<void> {
    if (maxMs !== undefined) await this.#signal.delay(maxMs);
    else await new Promise<void>((resolve) => void this.#signal.listen(resolve));
    if (!this.#closed) this.#signal.reset();
  }
}
