/**
 * Deliveries: what the handlers make of a batch, when all of it has settled, and how positions are stored then.
 *
 * @module
 */

import { HandlerError } from "./handler_error.ts";
import type { Batch, Delivery, RawMessage, SinkWriter } from "./protocol.ts";

/** The reader of the batches, as a delivery sees it: a `SourceLoop`. */
export interface BatchOwner {
  /** Whether the source is stopped: no further message is begun. */
  readonly stopped: boolean;
  /** Whether a batch of the source has failed. */
  readonly failed: boolean;
  /** How many messages the handlers have taken so far, over all batches. */
  readonly taken: number;
  /** The highest number of a message, counted over all batches, that a handler has begun. */
  begun: number;
  /** Ends the run with an error, without waiting for anything. */
  fail(error: unknown): void;
  /** Makes a delivery for values that a pipe emits by itself. It settles before the next batch is done. */
  ownDelivery(): BatchDelivery;
  /**
   * Settles a delivery, and marks its batch as done after the batches before it.
   *
   * @param taken how many messages the handlers have taken; all of them when left out
   */
  finish(delivery: BatchDelivery, taken?: number): void;
}

/** The handler of the messages, as a delivery sees it: a `BoundHandler`. */
export interface BatchHandler {
  readonly bound: { readonly name: string };
  /** The sinks of the handler. */
  readonly writers: readonly SinkWriter<never>[];
  /** The writer of dead letters, if the policy is a Topic. */
  readonly letters: SinkWriter<RawMessage> | undefined;
  /** Applies the policy to a message for which a sink has accepted a value that it can't deliver. */
  undelivered(error: unknown, message: unknown, delivery: HandlerDelivery): void | Promise<void>;
  /** Fails the run, since the dead letter about a message can't be delivered. */
  letterUndelivered(error: unknown, message: unknown, delivery: HandlerDelivery): never;
}

/** What one handler makes of one batch. Sinks accept its values on behalf of this delivery. */
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

  /** The delivery on whose behalf dead letters are accepted. A letter that can't be delivered fails the batch. */
  get letters(): Delivery {
    return this.#letters ??= { undelivered: (error, message) => this.handler.letterUndelivered(error, message, this) };
  }

  /** Asks every sink of the handler whether this delivery has settled; adds the promises of those that have not. */
  settle(pending: Promise<void>[]): void {
    const { handler } = this;
    for (const writer of handler.writers) this.#settle(writer, this, pending);
    if (this.#letters !== undefined) this.#settle(handler.letters!, this.#letters, pending);
  }

  #settle(writer: SinkWriter<never>, delivery: Delivery, pending: Promise<void>[]): void {
    // A HandlerError names its message already, and is passed on as it is.
    const failed = (cause: unknown) => {
      const { bound } = this.handler;
      const error = cause instanceof HandlerError
        ? cause
        : new HandlerError({ handler: bound.name, value: undefined, cause });
      // The run fails at once. The batch itself waits for its other sinks, and for the batches in front of it.
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

/** Everything that the handlers make of one batch; or of values that a pipe emits by itself, which belong to no batch. */
export class BatchDelivery {
  /** The batch; `undefined` for values that a pipe emits between messages, or at its end. */
  readonly batch: Batch<unknown> | undefined;
  readonly owner: BatchOwner;
  /** The number of the first message, counted over all batches of the source. */
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

  /** The delivery of one handler; made when there is none. */
  of(handler: BatchHandler): HandlerDelivery {
    // A source has few handlers: a search through them costs less than a map for each batch.
    for (const delivery of this.#handlers) if (delivery.handler === handler) return delivery;
    const delivery = new HandlerDelivery(handler, this);
    this.#handlers.push(delivery);
    return delivery;
  }

  /** How many messages, from the first on, every handler has finished; `Infinity` for all of them. */
  get handled(): number {
    return this.#handled;
  }

  /** Marks a message as not finished: it and the messages after it are not done. */
  leave(index: number): void {
    this.#handled = Math.min(this.#handled, index);
  }

  /** A message begins to be handled side by side with others. */
  begin(): void {
    this.#running++;
  }

  /** A message that was handled side by side is finished, or a stop has left it. */
  end(failure?: { readonly error: unknown }): void {
    this.#failure ??= failure;
    if (--this.#running === 0) this.#idle?.resolve();
  }

  /**
   * Resolves when everything that the handlers made of the messages is delivered, or disposed of by the policy; rejects if
   * something can't be. Called when no more messages are begun. Returns a promise only when there is something to wait for;
   * its rejection never counts as unhandled.
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
    // Values and letters of the other messages still need the sinks: they settle first.
    try {
      await this.#settleSinks();
    } catch {
      // The first failure is the one to report.
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

/** Waits until all have settled, since they need the sinks until then; rejects then with the first failure. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) if (outcome.status === "rejected") throw outcome.reason;
}

/** A strategy: when and where the positions of a source are stored. */
export interface DeliveryStrategy {
  /**
   * Stores how far a source is handled. The run calls it in the order of the batches, after everything that was made of
   * their messages has settled, and never after a batch that failed or that a stop has left.
   *
   * @param handled only so many messages, from the first on, are handled; all of them when left out
   */
  store(batch: Batch<unknown>, handled?: number): void | Promise<void>;
}

/**
 * At least once: the source stores a position when everything that was made of the messages before it has settled. After a
 * crash in between, these messages are handled again; none is lost.
 */
export const AT_LEAST_ONCE: DeliveryStrategy = {
  store: (batch, handled) => handled === undefined ? batch.done() : batch.done(handled),
};
