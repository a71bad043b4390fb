/**
 * The loop that reads one source and hands its messages to its handlers.
 *
 * @module
 */

import type { BoundHandler } from "./bound_handler.ts";
import { BatchDelivery, type BatchOwner, type DeliveryStrategy } from "./delivery.ts";
import { isInterrupted } from "./interrupted.ts";
import { ResettableSignal } from "../async/resettable_signal.ts";
import type { Batch, SourceReader } from "./protocol.ts";
import { yieldToEventLoop } from "../async/yield_to_event_loop.ts";

/** How many batches of a source may be accepted by the sinks and not done yet. */
export const UNDONE_BATCHES = 32;
/** How many bytes the messages of these batches may take, if the source tells sizes. One batch is always allowed. */
const UNDONE_BYTES = 64 * 1024 * 1024;
/** How long a stopped source may take to end its stream of batches, in milliseconds. */
const END_MS = 1000;
/** After how many messages the loop looks at the clock, to let other tasks run. A power of two. */
const MESSAGES_BETWEEN_YIELDS = 32;

/** A batch whose messages are handled, and that is not done yet. */
interface Undone {
  readonly delivery: BatchDelivery;
  readonly settled: void | Promise<void>;
  /** How many messages the handlers have taken; all of them when absent. */
  readonly taken: number | undefined;
}

/** The options of a `SourceLoop`. */
export interface SourceLoopOptions {
  readonly reader: SourceReader<unknown>;
  readonly handlers: readonly BoundHandler[];
  readonly strategy: DeliveryStrategy;
  /** Receives each failure of the loop. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Reads the batches of a source, hands their messages to its handlers one by one, and marks the batches as done in order.
 *
 * Three things go on side by side: the loop reads and handles one batch, the batches before it settle, and the oldest
 * batch that has settled is done. A failure stops the reading; the batches in front of the failed one are still done.
 */
export class SourceLoop implements BatchOwner {
  readonly handlers: readonly BoundHandler[];
  readonly reader: SourceReader<unknown>;
  readonly #strategy: DeliveryStrategy;
  readonly #onFailure: (error: unknown) => void;
  readonly #mostBatches: number;
  /** Whether the loop is stopped: no further message is begun. */
  readonly #stop = new ResettableSignal();
  /** Happens when a stopped source has had its time to end. */
  readonly #late = new ResettableSignal();
  #lateTimer: ReturnType<typeof setTimeout> | undefined;
  #gate: PromiseWithResolvers<void> | undefined;
  /** The batches that are not done, in the order in which they were read. */
  readonly #undone: Undone[] = [];
  #undoneBytes = 0;
  #doing: Promise<void> | undefined;
  #room: (() => void) | undefined;
  /** Whether a batch has failed, or a stop has left it: no later batch is done. */
  #broken = false;
  failed = false;
  taken = 0;
  begun = -1;
  /** Whether some handlers handle messages one by one, and others side by side. */
  readonly #isMixed: boolean;
  /** Whether the run is given up: no batch is done any more. */
  #abandoned = false;

  constructor({ reader, handlers, strategy, onFailure }: SourceLoopOptions) {
    this.reader = reader;
    this.handlers = handlers;
    this.#strategy = strategy;
    this.#onFailure = onFailure;
    const pooled = handlers.filter(({ pool }) => pool !== undefined).length;
    this.#isMixed = pooled > 0 && pooled < handlers.length;
    // A batch may be one message: as many batches are allowed then as messages may be handled side by side.
    this.#mostBatches = Math.max(UNDONE_BATCHES, ...handlers.map(({ bound }) => bound.concurrency));
  }

  get stopped(): boolean {
    return this.#stop.fired;
  }

  /** Hands no messages to the handlers until `resume()`, or the end. */
  pause(): void {
    this.#gate ??= Promise.withResolvers();
    this.reader.pause?.();
  }

  /** Goes on after `pause()`. */
  resume(): void {
    this.reader.resume?.();
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  /** Begins no further message, and ends the source. What is in hand is finished. */
  stop(): void {
    if (this.stopped) return;
    if (!this.#late.fired) this.#lateTimer = setTimeout(() => this.#late.fire(), END_MS);
    this.#stop.fire();
    this.#gate?.resolve();
    this.#room?.();
    for (const handler of this.handlers) handler.sourceStopped();
    try {
      this.reader.stop();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Gives up: no batch is done any more, whatever still settles. */
  abandon(): void {
    this.#abandoned = true;
    this.#late.fire();
    this.stop();
    clearTimeout(this.#lateTimer);
  }

  fail(error: unknown): void {
    this.failed = true;
    this.#onFailure(error);
    this.stop();
  }

  /**
   * Resolves when the source has ended and every batch is done or given up. Never rejects: each failure reaches
   * `onFailure`.
   */
  async run(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      // The source itself has failed. The batches that were read before are settled and done.
      this.fail(error);
    }
    await this.idle();
    this.#late.fire();
    clearTimeout(this.#lateTimer);
    if (!this.stopped) { for (const handler of this.handlers) handler.sourceEnded(); }
  }

  /** Resolves when every batch so far is done or given up. */
  async idle(): Promise<void> {
    while (this.#doing !== undefined) await this.#doing;
  }

  async #read(): Promise<void> {
    const batches = this.reader.batches.getReader();
    while (!this.stopped) {
      if (!this.#hasRoom()) await new Promise<void>((resolve) => this.#room = resolve);
      // A batch of one message ends before the loop below looks at the clock.
      const turn = yieldToEventLoop();
      if (turn !== undefined) await turn;
      const read = await this.#late.race(batches.read(), undefined);
      if (read === undefined || read.done) return;
      if (this.stopped) return;
      const delivery = new BatchDelivery(read.value, this);
      try {
        const accepted = this.#accept(read.value, delivery);
        const taken = typeof accepted === "object" ? await accepted : accepted;
        this.finish(delivery, taken);
        if (taken !== undefined) return;
      } catch (error) {
        // This comes first: neither this batch nor a later one is done.
        this.#leaveFailed(delivery);
        this.fail(error);
        return;
      }
    }
  }

  /** Lets the values that a failed batch has emitted settle; the batch is not done. */
  #leaveFailed(delivery: BatchDelivery): void {
    delivery.leave(0);
    this.finish(delivery, 0);
  }

  #hasRoom(): boolean {
    if (this.stopped || this.#undone.length === 0) return true;
    return this.#undone.length < this.#mostBatches && this.#undoneBytes < UNDONE_BYTES;
  }

  /**
   * Hands the messages of a batch to the handlers. Synchronous as long as handlers and sinks are: a promise for each message
   * would cost more than its handling.
   *
   * @returns how many messages the handlers have taken; `undefined` for all of them
   */
  #accept(batch: Batch<unknown>, delivery: BatchDelivery): number | undefined | Promise<number | undefined> {
    const messages = batch.messages[Symbol.iterator]();
    let taken = 0;
    try {
      while (this.#gate === undefined) {
        if (this.#stop.fired) {
          messages.return?.();
          return taken;
        }
        const { done, value } = messages.next();
        if (done) return;
        const later = this.#acceptOne(value, taken++, delivery, 0) ?? yieldAfter(taken);
        if (later !== undefined) return this.#acceptLater(messages, taken, later, delivery);
      }
    } catch (error) {
      messages.return?.();
      throw error;
    }
    return this.#acceptLater(messages, taken, undefined, delivery);
  }

  /** Takes the rest of a batch in a loop. (Promises that each wait for the next would make a chain as long as the batch.) */
  async #acceptLater(
    messages: Iterator<unknown>,
    taken: number,
    later: Promise<void> | undefined,
    delivery: BatchDelivery,
  ): Promise<number | undefined> {
    try {
      if (later !== undefined) await later;
      for (;;) {
        while (this.#gate !== undefined && !this.stopped) await this.#gate.promise;
        if (this.#stop.fired) break;
        const { done, value } = messages.next();
        if (done) return;
        const later = this.#acceptOne(value, taken++, delivery, 0);
        if (later !== undefined) await later;
        const turn = yieldAfter(taken);
        if (turn !== undefined) await turn;
      }
    } catch (error) {
      messages.return?.();
      // A stop has cut the wait of the last message short.
      if (!isInterrupted(error)) throw error;
      return taken - 1;
    }
    messages.return?.();
    return taken;
  }

  #acceptOne(message: unknown, index: number, delivery: BatchDelivery, from: number): void | Promise<void> {
    const batch = delivery.batch!;
    this.taken = delivery.first + index + 1;
    if (from === 0 && batch.stale?.(message)) return;
    if (this.#isMixed) this.begun = delivery.first + index;
    const unreadable = batch.unreadable?.get(index);
    for (let next = from; next < this.handlers.length; next++) {
      const later = this.handlers[next]!.take(message, index, delivery, unreadable);
      if (later === undefined) continue;
      return next + 1 === this.handlers.length
        ? later
        : later.then(() => this.#acceptOne(message, index, delivery, next + 1));
    }
  }

  ownDelivery(): BatchDelivery {
    return new BatchDelivery(undefined, this);
  }

  finish(delivery: BatchDelivery, taken?: number): void {
    const settled = delivery.settle();
    if (this.#doing === undefined && settled === undefined) {
      // If there is nothing to wait for, as with functions as sinks, no promise is made for the batch.
      try {
        const stored = this.#store(delivery, taken);
        if (stored === undefined) return;
        this.#undone.push({ delivery, taken: undefined, settled: stored });
        this.#undoneBytes += delivery.batch?.bytes ?? 0;
        this.#doing = this.#finishAll(true);
      } catch (error) {
        this.#broken = true;
        this.fail(error);
      }
      return;
    }
    this.#undone.push({ delivery, taken, settled });
    this.#undoneBytes += delivery.batch?.bytes ?? 0;
    this.#doing ??= this.#finishAll(false);
  }

  /** Never rejects. */
  async #finishAll(isFirstStored: boolean): Promise<void> {
    for (let first; (first = this.#undone[0]) !== undefined;) {
      const { delivery, taken, settled } = first;
      try {
        if (settled !== undefined) await settled;
        if (!isFirstStored) {
          const stored = this.#store(delivery, taken);
          if (stored !== undefined) await stored;
        }
      } catch (error) {
        // The failure of a batch behind a failed one is reported to the run as well, which has failed already.
        this.#broken = true;
        this.fail(error);
      }
      isFirstStored = false;
      this.#undone.shift();
      this.#undoneBytes -= delivery.batch?.bytes ?? 0;
      if (this.#hasRoom()) {
        this.#room?.();
        this.#room = undefined;
      }
    }
    this.#doing = undefined;
  }

  #store(delivery: BatchDelivery, taken: number | undefined): void | Promise<void> {
    const { batch } = delivery;
    if (this.#broken || this.#abandoned) return;
    const handled = Math.min(taken ?? Infinity, delivery.handled);
    if (handled < Infinity) this.#broken = true;
    if (batch === undefined || handled === 0) return;
    return handled === Infinity ? this.#strategy.store(batch) : this.#strategy.store(batch, handled);
  }
}

function yieldAfter(taken: number): void | Promise<void> {
  if ((taken & (MESSAGES_BETWEEN_YIELDS - 1)) === 0) return yieldToEventLoop();
}
