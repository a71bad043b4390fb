/**
 * One source on its way through its handlers.
 *
 * @module
 */

import type { BoundHandler } from "./bound_handler.ts";
import { BatchDelivery, type BatchOwner, type DeliveryStrategy } from "./delivery.ts";
import { isLeft } from "./left.ts";
import { Once } from "./once.ts";
import type { Batch, SourceReader } from "./protocol.ts";
import { yieldToEventLoop } from "./yield_to_event_loop.ts";

/** How many batches of a source may be accepted by the sinks and not done yet. */
export const UNDONE_BATCHES = 32;
/** How many bytes their messages may take, as far as the source says. One batch is always allowed. */
const UNDONE_BYTES = 64 * 1024 * 1024;
/** How long a stopped source may take to end its stream of batches, in milliseconds. */
const END_MS = 1000;
/** After so many messages the clock is looked at, whether others want a turn. A power of two. */
const MESSAGES_BETWEEN_YIELDS = 32;

/** A batch whose messages are handled, on its way to be done. */
interface Undone {
  readonly delivery: BatchDelivery;
  readonly settled: void | Promise<void>;
  /** How many messages were taken, when it is not all. */
  readonly taken: number | undefined;
}

/** How a `SourceLoop` works. */
export interface SourceLoopOptions {
  readonly reader: SourceReader<unknown>;
  readonly handlers: readonly BoundHandler[];
  readonly strategy: DeliveryStrategy;
  /** Receives each failure of the loop. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Reads the batches of a source, hands them to its handlers message by message, and has them done in order.
 *
 * Three things go on side by side: a batch is read and handled, batches before it settle, and the first of these that
 * has settled is done. What fails stops the reading; batches in front of the failed one are still done.
 */
export class SourceLoop implements BatchOwner {
  readonly handlers: readonly BoundHandler[];
  readonly reader: SourceReader<unknown>;
  readonly #strategy: DeliveryStrategy;
  readonly #onFailure: (error: unknown) => void;
  readonly #mostBatches: number;
  /** No message is begun any more. */
  readonly #stop = new Once();
  /** The source had its time to end. */
  readonly #late = new Once();
  #lateTimer: ReturnType<typeof setTimeout> | undefined;
  #gate: PromiseWithResolvers<void> | undefined;
  /** In the order they were read. */
  readonly #undone: Undone[] = [];
  #undoneBytes = 0;
  #doing: Promise<void> | undefined;
  #room: (() => void) | undefined;
  /** A batch failed or was left: none after it is done. */
  #broken = false;
  failed = false;
  taken = 0;
  begun = -1;
  /** Whether some handlers take messages as they come, and others side by side. */
  readonly #isMixed: boolean;
  /** The whole run was given up: nothing is done any more. */
  #abandoned = false;

  constructor({ reader, handlers, strategy, onFailure }: SourceLoopOptions) {
    this.reader = reader;
    this.handlers = handlers;
    this.#strategy = strategy;
    this.#onFailure = onFailure;
    const pooled = handlers.filter(({ pool }) => pool !== undefined).length;
    this.#isMixed = pooled > 0 && pooled < handlers.length;
    // A batch may be one message: then there are as many as are handled side by side.
    this.#mostBatches = Math.max(UNDONE_BATCHES, ...handlers.map(({ bound }) => bound.concurrency));
  }

  get stopped(): boolean {
    return this.#stop.happened;
  }

  /** Hands on nothing more until `SourceLoop.resume`, or the end. */
  pause(): void {
    this.#gate ??= Promise.withResolvers();
    this.reader.pause?.();
  }

  /** Goes on. */
  resume(): void {
    this.reader.resume?.();
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  /** Begins no further message, and lets the source end. What was begun goes on to its end. */
  stop(): void {
    if (this.stopped) return;
    if (!this.#late.happened) this.#lateTimer = setTimeout(() => this.#late.happen(), END_MS);
    this.#stop.happen();
    this.#gate?.resolve();
    this.#room?.();
    for (const handler of this.handlers) handler.sourceStopped();
    try {
      this.reader.stop();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Gives up: nothing more is done, whatever still settles. */
  abandon(): void {
    this.#abandoned = true;
    this.#late.happen();
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
      // The source's own error. What was read before it is settled and done.
      this.fail(error);
    }
    await this.idle();
    this.#late.happen();
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
      // A batch of one message is over before the loop below looks at the clock.
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
        // First: the batch is not done, and neither is one after it.
        this.#leaveFailed(delivery);
        this.fail(error);
        return;
      }
    }
  }

  /** What a failed batch did emit gets its chance to be delivered; the batch is not done. */
  #leaveFailed(delivery: BatchDelivery): void {
    delivery.leave(0);
    this.finish(delivery, 0);
  }

  #hasRoom(): boolean {
    if (this.stopped || this.#undone.length === 0) return true;
    return this.#undone.length < this.#mostBatches && this.#undoneBytes < UNDONE_BYTES;
  }

  /**
   * Hands the messages to the handlers. Synchronous as long as handlers and sinks are: a promise for each message would
   * cost more than the message.
   *
   * @returns how many were taken, when it is not all
   */
  #accept(batch: Batch<unknown>, delivery: BatchDelivery): number | undefined | Promise<number | undefined> {
    const messages = batch.messages[Symbol.iterator]();
    let taken = 0;
    try {
      while (this.#gate === undefined) {
        if (this.#stop.happened) {
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

  /** A loop, not promises that wait for the next one: the chain would be as long as the batch. */
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
        if (this.#stop.happened) break;
        const { done, value } = messages.next();
        if (done) return;
        const later = this.#acceptOne(value, taken++, delivery, 0);
        if (later !== undefined) await later;
        const turn = yieldAfter(taken);
        if (turn !== undefined) await turn;
      }
    } catch (error) {
      messages.return?.();
      // A stop cut the wait for the last one short.
      if (!isLeft(error)) throw error;
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
      // Nothing to wait for, as with functions as sinks: no promise is made for the batch.
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
        // A failure of a batch that is behind a failed one has its owner as well: the run, which has failed already.
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
