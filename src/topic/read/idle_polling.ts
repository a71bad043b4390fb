/**
 * Keeping a reader in its group while nobody pulls.
 *
 * @module
 */

/** A reader that nobody pulls is polled every so many milliseconds. */
const POLL_INTERVAL_MS = 1000;

/** What `IdlePolling` does to a reader that nobody pulls. */
export interface IdleActions {
  /** Polls the consumer for events. */
  poll(): Promise<void>;
  /** Pauses the partitions, so that what nobody pulls does not fill the memory. */
  pause(): void;
}

/** Polls for a reader that nobody pulls, as while a slow handler works: else its group would take it for dead. */
export class IdlePolling {
  readonly #pauseAfterMs: number;
  readonly #actions: IdleActions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #idleSince = 0;
  #isPulling = false;
  #isStopped = false;
  #polling: Promise<void> | undefined;

  /** @param pauseAfterMs how long after the last pull the partitions are paused, in milliseconds */
  constructor(pauseAfterMs: number, actions: IdleActions) {
    this.#pauseAfterMs = pauseAfterMs;
    this.#actions = actions;
  }

  /** Whether somebody pulls at the moment, which polls too. */
  get isPulling(): boolean {
    return this.#isPulling;
  }

  /** Suspends polling, since a pull begins. Resolves when the poll that is under way has ended. */
  async onPull(): Promise<void> {
    this.#isPulling = true;
    clearTimeout(this.#timer);
    await this.#polling;
  }

  /** Starts polling again, since a pull has ended. */
  onPulled(): void {
    this.#isPulling = false;
    this.#idleSince = performance.now();
    this.#schedule();
  }

  /** Polls now; joins a poll that is under way. */
  poll(): Promise<void> {
    return this.#polling ??= this.#actions.poll().finally(() => this.#polling = undefined);
  }

  /** Stops polling for good. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped || this.#isPulling) return;
    this.#timer = setTimeout(async () => {
      if (performance.now() - this.#idleSince >= this.#pauseAfterMs) this.#actions.pause();
      await this.poll();
      this.#schedule();
    }, POLL_INTERVAL_MS);
  }
}
