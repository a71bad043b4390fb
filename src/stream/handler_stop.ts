/**
 * What a stop means for a handler: which of its waits end, and when.
 *
 * @module
 */

import { ResettableSignal } from "../async/resettable_signal.ts";
import { RETRIES_AFTER_STOP_MS, ROOM_AFTER_STOP_MS } from "./limits.ts";

/**
 * The two waits of a handler that a stop ends: the wait for the next attempt (`retriesOver`), and the wait for a sink to have
 * room (`roomOver`).
 *
 * Their deadlines begin when the last source of the handler has ended or was stopped, if one of them was stopped:
 * `retriesOver` fires at once, with `concurrency` after 300 ms; `roomOver` fires after 1 s. If all sources ended by
 * themselves, neither fires before `close()`.
 */
export class HandlerStop {
  /** Fires when nothing is tried again. */
  readonly retriesOver = new ResettableSignal();
  /** Fires when the sinks have had their time to make room. */
  readonly roomOver = new ResettableSignal();
  readonly #isConcurrent: boolean;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #runningSources: number;
  #isAnySourceStopped = false;
  #isLinked = false;

  /**
   * @param sources how many sources the handler has
   * @param isConcurrent whether it handles messages side by side. Their retries have some more time: a message that is
   * interrupted is repeated together with those behind it that are finished.
   */
  constructor(sources: number, isConcurrent: boolean) {
    this.#runningSources = sources;
    this.#isConcurrent = isConcurrent;
  }

  /**
   * Whether the run was stopped, and every source of this handler is a stream that another handler of the run writes to. No
   * source reads such a message again. So a message whose wait ends has failed, and `onError` applies. Without a link, the
   * message is interrupted: it is not done, and its source delivers it again in the next run.
   */
  get isLinked(): boolean {
    return this.#isLinked;
  }

  /** A source is stopped. */
  sourceStopped(): void {
    this.#isAnySourceStopped = true;
    this.sourceEnded();
  }

  /** A source has ended by itself: none of its messages waits any more. */
  sourceEnded(): void {
    if (--this.#runningSources > 0 || !this.#isAnySourceStopped || this.roomOver.fired) return;
    this.#fireAfter(ROOM_AFTER_STOP_MS, this.roomOver);
    if (this.#isConcurrent) this.#fireAfter(RETRIES_AFTER_STOP_MS, this.retriesOver);
    else this.retriesOver.fire();
  }

  /** The run is stopped, but other handlers write the messages of this one, which goes on until they have ended. */
  runStopped(): void {
    if (this.#isLinked) return;
    this.#isLinked = true;
    this.#fireAfter(ROOM_AFTER_STOP_MS, this.roomOver);
    this.retriesOver.fire();
  }

  /** Ends all waits: the run is over, or given up. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.retriesOver.fire();
    this.roomOver.fire();
  }

  #fireAfter(ms: number, signal: ResettableSignal): void {
    this.#timers.push(setTimeout(() => signal.fire(), ms));
  }
}
