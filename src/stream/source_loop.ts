/**
 * The loop that reads one source and hands its messages to its handlers.
 *
 * @module
 */

import { ResettableSignal } from "../async/resettable_signal.ts";
import { yieldToEventLoop } from "../async/yield_to_event_loop.ts";
import type { BoundHandler } from "./bound_handler.ts";
import { BatchDelivery, type BatchOwner } from "./delivery.ts";
import type { DeliveryStrategy } from "./delivery_strategy.ts";
import { isInterrupted } from "./interrupted.ts";
import { MESSAGES_BETWEEN_YIELDS, SOURCE_END_MS } from "./limits.ts";
import type { Batch, SourceReader } from "../protocol/protocol.ts";
import { UndoneBatches } from "./undone_batches.ts";

/** The options of a `SourceLoop`. */
export interface SourceLoopOptions {
  readonly reader: SourceReader<unknown>;
  /** The handlers of the source, in the order of binding. */
  readonly handlers: readonly BoundHandler[];
  readonly strategy: DeliveryStrategy;
  /** Receives each failure of the loop. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Reads the batches of a source, and hands their messages to its handlers one by one.
 *
 * Three things go on side by side: the loop hands over one batch, the batches before it settle, and the oldest batch that
 * has settled is marked as done (`UndoneBatches`). A failure stops the reading; the batches in front of the failed one are
 * still done.
 */
export class SourceLoop implements BatchOwner {
  readonly handlers: readonly BoundHandler[];
  readonly reader: SourceReader<unknown>;
  readonly #onFailure: (error: unknown) => void;
  readonly #undone: UndoneBatches;
  /** Fires when the source is stopped: no further message is handed over. */
  readonly #stopped = new ResettableSignal();
  /** Fires when a stopped source has had its time to end, and when the loop is over. */
  readonly #endDeadline = new ResettableSignal();
  #endTimer: ReturnType<typeof setTimeout> | undefined;
  /** Resolves when the source is resumed or stopped; `undefined` when it is not paused. */
  #resumed: PromiseWithResolvers<void> | undefined;
  /** Whether some handlers handle messages one by one, and others side by side. */
  readonly #isMixed: boolean;
  hasFailed = false;
  handedOver = 0;
  lastBegun = -1;

  constructor({ reader, handlers, strategy, onFailure }: SourceLoopOptions) {
    this.reader = reader;
    this.handlers = handlers;
    this.#onFailure = onFailure;
    const concurrent = handlers.filter(({ isConcurrent }) => isConcurrent).length;
    this.#isMixed = concurrent > 0 && concurrent < handlers.length;
    const concurrency = Math.max(...handlers.map(({ binding }) => binding.concurrency));
    this.#undone = new UndoneBatches(strategy, (error) => this.fail(error), concurrency);
  }

  get isStopped(): boolean {
    return this.#stopped.fired;
  }

  /** Hands no messages to the handlers until `resume()`, or the end. */
  pause(): void {
    this.#resumed ??= Promise.withResolvers();
    this.reader.pause?.();
  }

  /** Goes on after `pause()`. */
  resume(): void {
    this.reader.resume?.();
    this.#resumed?.resolve();
    this.#resumed = undefined;
  }

  /** Hands no further message over, and stops the source. Messages whose handling has begun are finished. */
  stop(): void {
    if (this.isStopped) return;
    if (!this.#endDeadline.fired) this.#endTimer = setTimeout(() => this.#endDeadline.fire(), SOURCE_END_MS);
    this.#stopped.fire();
    this.#resumed?.resolve();
    this.#undone.wakeReader();
    for (const handler of this.handlers) handler.sourceStopped();
    try {
      this.reader.stop();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Gives up: no batch is done any more, whatever still settles. */
  abandon(): void {
    this.#undone.abandon();
    this.#endDeadline.fire();
    this.stop();
    clearTimeout(this.#endTimer);
  }

  fail(error: unknown): void {
    this.hasFailed = true;
    this.#onFailure(error);
    this.stop();
  }

  /**
   * Resolves when the source has ended and every batch is done or given up. Never rejects: each failure reaches
   * `onFailure`.
   */
  async run(): Promise<void> {
    try {
      await this.#readAll();
    } catch (error) {
      // The source itself has failed. The batches that were read before still settle and are done.
      this.fail(error);
    }
    await this.idle();
    this.#endDeadline.fire();
    clearTimeout(this.#endTimer);
    if (!this.isStopped) { for (const handler of this.handlers) handler.sourceEnded(); }
  }

  /** Resolves when every batch so far is done or given up. */
  idle(): Promise<void> {
    return this.#undone.idle();
  }

  openDelivery(): BatchDelivery {
    return new BatchDelivery(undefined, this);
  }

  finish(delivery: BatchDelivery, handedOver?: number): void {
    this.#undone.add(delivery, handedOver);
  }

  async #readAll(): Promise<void> {
    const batches = this.reader.batches.getReader();
    while (!this.isStopped) {
      if (!this.#undone.hasRoom) await this.#undone.room();
      // Batches of one message end before `#handOver` looks at the clock.
      const yielding = yieldToEventLoop();
      if (yielding !== undefined) await yielding;
      const read = await this.#endDeadline.race(batches.read(), undefined);
      if (read === undefined || read.done) return;
      if (this.isStopped) return;
      const delivery = new BatchDelivery(read.value, this);
      try {
        const handingOver = this.#handOver(read.value, delivery);
        const handedOver = typeof handingOver === "object" ? await handingOver : handingOver;
        this.finish(delivery, handedOver);
        if (handedOver !== undefined) return;
      } catch (error) {
        // The batch comes to an end before the run fails: neither it nor a later one is done.
        this.#finishFailed(delivery);
        this.fail(error);
        return;
      }
    }
  }

  /** Lets the values that a failed batch has emitted settle; the batch is not done. */
  #finishFailed(delivery: BatchDelivery): void {
    delivery.markUnhandled(0);
    this.finish(delivery, 0);
  }

  /**
   * Hands the messages of a batch to the handlers. Synchronous as long as handlers and sinks are: a promise for each message
   * would cost more than its handling.
   *
   * @returns how many messages the handlers got before a stop; `undefined` for all of them
   */
  #handOver(batch: Batch<unknown>, delivery: BatchDelivery): number | undefined | Promise<number | undefined> {
    const messages = batch.messages[Symbol.iterator]();
    let count = 0;
    try {
      while (this.#resumed === undefined) {
        if (this.#stopped.fired) {
          messages.return?.();
          return count;
        }
        const { done, value } = messages.next();
        if (done) return;
        const pending = this.#handOverOne(value, count++, delivery, 0) ?? yieldAfter(count);
        if (pending !== undefined) return this.#handOverRest(messages, count, pending, delivery);
      }
    } catch (error) {
      messages.return?.();
      throw error;
    }
    return this.#handOverRest(messages, count, undefined, delivery);
  }

  /** Hands the rest of a batch over in a loop. (Promises that each wait for the next would make a chain as long as it.) */
  async #handOverRest(
    messages: Iterator<unknown>,
    count: number,
    pending: Promise<void> | undefined,
    delivery: BatchDelivery,
  ): Promise<number | undefined> {
    try {
      if (pending !== undefined) await pending;
      for (;;) {
        while (this.#resumed !== undefined && !this.isStopped) await this.#resumed.promise;
        if (this.#stopped.fired) break;
        const { done, value } = messages.next();
        if (done) return;
        const pending = this.#handOverOne(value, count++, delivery, 0);
        if (pending !== undefined) await pending;
        const yielding = yieldAfter(count);
        if (yielding !== undefined) await yielding;
      }
    } catch (error) {
      messages.return?.();
      // A stop has interrupted the last message.
      if (!isInterrupted(error)) throw error;
      return count - 1;
    }
    messages.return?.();
    return count;
  }

  /** Hands one message to the handlers, beginning with one of them. Returns a promise only if the next message has to wait. */
  #handOverOne(message: unknown, index: number, delivery: BatchDelivery, from: number): void | Promise<void> {
    const batch = delivery.batch!;
    this.handedOver = delivery.firstNumber + index + 1;
    if (from === 0 && batch.stale?.(message)) return;
    if (this.#isMixed) this.lastBegun = delivery.firstNumber + index;
    const unreadable = batch.unreadable?.get(index);
    for (let next = from; next < this.handlers.length; next++) {
      const pending = this.handlers[next]!.handle(message, index, delivery, unreadable);
      if (pending === undefined) continue;
      return next + 1 === this.handlers.length
        ? pending
        : pending.then(() => this.#handOverOne(message, index, delivery, next + 1));
    }
  }
}

function yieldAfter(count: number): void | Promise<void> {
  if ((count & (MESSAGES_BETWEEN_YIELDS - 1)) === 0) return yieldToEventLoop();
}
