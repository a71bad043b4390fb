/**
 * What comes of a batch, and how its positions are stored.
 *
 * @module
 */

import { HandlerError } from "./handler_error.ts";
import type { Batch, Delivery, RawMessage, SinkWriter } from "./protocol.ts";

/** Who reads the batches: `SourceLoop`. */
export interface BatchOwner {
  /** Whether the source was stopped: no message is begun any more. */
  readonly stopped: boolean;
  /** Whether something of it failed. */
  readonly failed: boolean;
  /** How many messages were taken so far. */
  readonly taken: number;
  /** The highest number of a message, counted over all batches, whose handling was begun. */
  begun: number;
  /** Ends the run with an error, without waiting for anything. */
  fail(error: unknown): void;
  /** A delivery for what a pipe emits by itself. It settles before the next batch is done. */
  ownDelivery(): BatchDelivery;
  /**
   * Has a delivery settled, and its batch done after those before it.
   *
   * @param taken how many messages were taken, when it is not all
   */
  finish(delivery: BatchDelivery, taken?: number): void;
}

/** Who handles the messages, and what becomes of those that fail: `BoundHandler`. */
export interface BatchHandler {
  readonly bound: { readonly name: string };
  /** Where emitted values go. */
  readonly writers: readonly SinkWriter<never>[];
  /** Where messages go that can't be handled. */
  readonly letters: SinkWriter<RawMessage> | undefined;
  /** A sink can't deliver what it had accepted for a message. */
  undelivered(error: unknown, message: unknown, delivery: HandlerDelivery): void | Promise<void>;
  /** The letter about a message can't be delivered either. */
  letterUndelivered(error: unknown, message: unknown, delivery: HandlerDelivery): never;
}

/** What one handler makes of one batch: what sinks accept values on behalf of. */
export class HandlerDelivery implements Delivery {
  readonly handler: BatchHandler;
  readonly batch: BatchDelivery;
  #letters: Delivery | undefined;

  constructor(handler: BatchHandler, batch: BatchDelivery) {
    this.handler = handler;
    this.batch = batch;
  }

  undelivered(error: unknown, message: unknown): void | Promise<void> {
    return this.handler.undelivered(error, message, this);
  }

  /** On whose behalf the batch's dead letters are accepted. A letter that can't be delivered fails the batch. */
  get letters(): Delivery {
    return this.#letters ??= { undelivered: (error, message) => this.handler.letterUndelivered(error, message, this) };
  }

  /** Asks every sink that the handler writes to; adds the promises of those that have not settled yet. */
  settle(pending: Promise<void>[]): void {
    const { handler } = this;
    for (const writer of handler.writers) this.#settle(writer, this, pending);
    if (this.#letters !== undefined) this.#settle(handler.letters!, this.#letters, pending);
  }

  #settle(writer: SinkWriter<never>, delivery: Delivery, pending: Promise<void>[]): void {
    // An error that names its message already is passed on as it is.
    const failed = (cause: unknown) => {
      const { bound } = this.handler;
      const error = cause instanceof HandlerError
        ? cause
        : new HandlerError({ handler: bound.name, value: undefined, cause });
      // Told at once: the batch waits for its other sinks, and for the batches in front of it.
      this.batch.owner.fail(error);
      return error;
    };
    try {
      const settled = writer.settle(delivery);
      if (settled !== undefined) pending.push(settled.then(undefined, (cause) => Promise.reject(failed(cause))));
    } catch (error) {
      pending.push(Promise.reject(failed(error)));
    }
  }
}

/** Everything that comes of one batch; or of what a pipe emits by itself, which belongs to no batch. */
export class BatchDelivery {
  /** The batch; `undefined` for what a pipe emits between messages, or at its end. */
  readonly batch: Batch<unknown> | undefined;
  readonly owner: BatchOwner;
  /** The number of its first message, counted over all batches. */
  readonly first: number;
  readonly #handlers: HandlerDelivery[] = [];
  #handled = Infinity;
  #running = 0;
  #failure: { readonly error: unknown } | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(batch: Batch<unknown> | undefined, owner: BatchOwner) {
    this.batch = batch;
    this.owner = owner;
    this.first = owner.taken;
  }

  /** The part of a handler. */
  of(handler: BatchHandler): HandlerDelivery {
    // A source has few handlers: a look at each costs less than a map for each batch.
    for (const delivery of this.#handlers) if (delivery.handler === handler) return delivery;
    const delivery = new HandlerDelivery(handler, this);
    this.#handlers.push(delivery);
    return delivery;
  }

  /** How many messages, from the first on, every handler has finished; `Infinity` for all of them. */
  get handled(): number {
    return this.#handled;
  }

  /** Notes that a message was not finished: it and those after it are not done. */
  leave(index: number): void {
    this.#handled = Math.min(this.#handled, index);
  }

  /** A message is handled side by side with others, from now on. */
  begin(): void {
    this.#running++;
  }

  /** Such a message is finished or left. */
  end(failure?: { readonly error: unknown }): void {
    this.#failure ??= failure;
    if (--this.#running === 0) this.#idle?.resolve();
  }

  /**
   * Resolves when everything that came of the messages is delivered or disposed of, and rejects when something can't be.
   * To be called when no more messages are begun. A promise only when one is needed; a rejection that nobody awaits
   * yet is no unhandled one.
   */
  settle(): void | Promise<void> {
    if (this.#running === 0 && this.#failure === undefined) return this.#settleSinks();
    const settled = this.#settleRunning();
    settled.catch(() => {});
    return settled;
  }

  async #settleRunning(): Promise<void> {
    if (this.#running > 0) await (this.#idle = Promise.withResolvers()).promise;
    if (this.#failure === undefined) return await this.#settleSinks();
    // What the other messages came to still needs its sinks, and its letters.
    try {
      await this.#settleSinks();
    } catch {
      // The first failure is the one that is told.
    }
    throw this.#failure.error;
  }

  #settleSinks(): void | Promise<void> {
    const pending: Promise<void>[] = [];
    for (const delivery of this.#handlers) delivery.settle(pending);
    if (pending.length === 0) return;
    const settled = pending.length === 1 ? pending[0]! : allSettled(pending);
    settled.catch(() => {});
    return settled;
  }
}

/** Rejects as the first that has failed, but when all have settled: what still settles needs its sinks, and its letters. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) if (outcome.status === "rejected") throw outcome.reason;
}

/** When and where positions are stored. */
export interface DeliveryStrategy {
  /**
   * Stores how far a source is handled. The run calls it in the order of the batches, after everything that came of the
   * messages is settled, and never after a batch that failed or was left.
   *
   * @param handled only so many messages, from the first on, are handled; all of them when left out
   */
  store(batch: Batch<unknown>, handled?: number): void | Promise<void>;
}

/**
 * At least once: the source stores its positions behind everything that came of its messages. A crash in between
 * handles these messages again; nothing is lost, since no position is stored before what is in front of it is settled.
 */
export const AT_LEAST_ONCE: DeliveryStrategy = {
  store: (batch, handled) => handled === undefined ? batch.done() : batch.done(handled),
};
