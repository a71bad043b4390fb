/**
 * Staying in a group while nobody pulls.
 *
 * @module
 */

/** After so long without a pull, polling begins. */
const IDLE_MS = 1000;

/** What polling does to a reader. */
export interface IdleActions {
  /** Serves events. */
  poll(): Promise<void>;
  /** Holds up the partitions, so that what nobody pulls does not fill the memory. */
  pause(): void;
}

/** Polls for a reader that nobody pulls, as slow handlers do: its group would take it for dead. */
export class IdlePolling {
  readonly #pauseMs: number;
  readonly #actions: IdleActions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #since = 0;
  #pulled = false;
  #stopped = false;
  #polling: Promise<void> | undefined;

  /** @param pauseMs how long after the last pull the partitions are paused */
  constructor(pauseMs: number, actions: IdleActions) {
    this.#pauseMs = pauseMs;
    this.#actions = actions;
  }

  /** Whether somebody is pulling. */
  get pulled(): boolean {
    return this.#pulled;
  }

  /** Somebody pulls; resolves when nothing polls here any more. */
  async interrupt(): Promise<void> {
    this.#pulled = true;
    clearTimeout(this.#timer);
    await this.#polling;
  }

  /** The pull is over. */
  resume(): void {
    this.#pulled = false;
    this.#since = performance.now();
    this.#schedule();
  }

  /** Serves events now; two at a time become one. */
  poll(): Promise<void> {
    return this.#polling ??= this.#actions.poll().finally(() => this.#polling = undefined);
  }

  /** Polls no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || this.#pulled) return;
    this.#timer = setTimeout(async () => {
      if (performance.now() - this.#since >= this.#pauseMs) this.#actions.pause();
      await this.poll();
      this.#schedule();
    }, IDLE_MS);
  }
}
