/**
 * The account of what came of a batch: what its handlers emitted, whether the sinks have settled it, and how many messages
 * are handled.
 *
 * `BatchDelivery` is the account of a batch, and has a `HandlerDelivery` for each of its handlers. The latter is the
 * `Delivery` on whose behalf the sinks accept values. What happens when a batch has settled is in `undone_batches.ts` (the
 * order) and `delivery_strategy.ts` (where positions are stored).
 *
 * @module
 */

import { HandlerError } from "./handler_error.ts";
import type { Batch, Delivery, RawMessage, SinkWriter } from "../protocol/protocol.ts";

/** The loop that reads the batches, as a delivery sees it: a `SourceLoop`. */
export interface BatchOwner {
  /** Whether the source is stopped: no further message is handed to the handlers. */
  readonly isStopped: boolean;
  /** Whether a batch of the source has failed. */
  readonly hasFailed: boolean;
  /** How many messages the loop has handed to the handlers so far, over all batches. */
  readonly handedOver: number;
  /** The highest number (counted over all batches, from 0) of a message that a handler has begun to handle. */
  lastBegun: number;
  /** Fails the run with an error at once: it does not wait until the batch has settled. */
  fail(error: unknown): void;
  /** Opens an account for values that a pipe emits by itself. It settles before the next batch is done. */
  openDelivery(): BatchDelivery;
  /**
   * Settles a delivery, and marks its batch as done after the batches before it.
   *
   * @param handedOver how many of its messages the handlers got; all of them when absent
   */
  finish(delivery: BatchDelivery, handedOver?: number): void;
}

/** The handler of the messages, as a delivery sees it: a `BoundHandler`. */
export interface BatchHandler {
  readonly binding: { readonly name: string };
  /** The writers of the handler's sinks. */
  readonly writers: readonly SinkWriter<never>[];
  /** The writer of dead letters, if the error policy is a sink for them. */
  readonly deadLetters: SinkWriter<RawMessage> | undefined;
  /** Applies the error policy to a message with a value that a sink has accepted and can't deliver. */
  undelivered(error: unknown, message: unknown, delivery: HandlerDelivery): void | Promise<void>;
  /** Fails the run, because the dead letter of a message can't be delivered. */
  deadLetterUndelivered(error: unknown, message: unknown, delivery: HandlerDelivery): never;
}

/** The account of one handler for one batch. Sinks accept the handler's values on behalf of it. */
export class HandlerDelivery implements Delivery {
  readonly handler: BatchHandler;
  readonly batch: BatchDelivery;
  #deadLetters: Delivery | undefined;

  constructor(handler: BatchHandler, batch: BatchDelivery) {
    this.handler = handler;
    this.batch = batch;
  }

  undelivered(error: unknown, message: unknown): void | Promise<void> {
    return this.handler.undelivered(error, message, this);
  }

  /** The delivery on whose behalf dead letters are accepted. A dead letter that can't be delivered fails the batch. */
  get deadLetters(): Delivery {
    return this.#deadLetters ??= {
      undelivered: (error, message) => this.handler.deadLetterUndelivered(error, message, this),
    };
  }

  /** Asks every sink of the handler whether this delivery has settled; adds the promises of those that have not. */
  settle(pending: Promise<void>[]): void {
    const { handler } = this;
    for (const writer of handler.writers) this.#settle(writer, this, pending);
    if (this.#deadLetters !== undefined) this.#settle(handler.deadLetters!, this.#deadLetters, pending);
  }

  #settle(writer: SinkWriter<never>, delivery: Delivery, pending: Promise<void>[]): void {
    const failed = (cause: unknown) => {
      const { name } = this.handler.binding;
      // A HandlerError names its handler and message already.
      const error = cause instanceof HandlerError
        ? cause
        : new HandlerError({ handler: name, value: undefined, cause });
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

/** The account of a batch for all of its handlers; or of values that a pipe emits by itself, which belong to no batch. */
export class BatchDelivery {
  /** The batch; `undefined` for values that a pipe emits between messages or at its end. */
  readonly batch: Batch<unknown> | undefined;
  readonly owner: BatchOwner;
  /** The number of the first message, counted over all batches of the source. */
  readonly firstNumber: number;
  readonly #handlers: HandlerDelivery[] = [];
  #handled = Infinity;
  /** How many messages are handled side by side at the moment. */
  #running = 0;
  #failure: { readonly error: unknown } | undefined;
  #noneRunning: PromiseWithResolvers<void> | undefined;

  constructor(batch: Batch<unknown> | undefined, owner: BatchOwner) {
    this.batch = batch;
    this.owner = owner;
    this.firstNumber = owner.handedOver;
  }

  /** The account of one handler; opened when there is none. */
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

  /** Marks a message as unhandled: it and the messages behind it are not done. */
  markUnhandled(index: number): void {
    this.#handled = Math.min(this.#handled, index);
  }

  /** Counts a message whose handling begins, side by side with others. */
  begin(): void {
    this.#running++;
  }

  /** Counts a message that `begin()` counted as finished, failed, or unhandled because of a stop. */
  end(failure?: { readonly error: unknown }): void {
    this.#failure ??= failure;
    if (--this.#running === 0) this.#noneRunning?.resolve();
  }

  /**
   * Resolves when everything that the handlers emitted for the messages is delivered, or disposed of by the error policy;
   * rejects if a value can't be. Called when the handling of no more messages begins. Returns a promise only when there is
   * something to wait for; a rejection of it never counts as unhandled.
   */
  settle(): void | Promise<void> {
    if (this.#running === 0 && this.#failure === undefined) return this.#settleSinks();
    const settled = this.#settleRunning();
    settled.catch(() => {});
    return settled;
  }

  async #settleRunning(): Promise<void> {
    if (this.#running > 0) await (this.#noneRunning = Promise.withResolvers()).promise;
    if (this.#failure === undefined) return await this.#settleSinks();
    // Values and dead letters of the other messages still need the sinks: they settle first.
    try {
      await this.#settleSinks();
    } catch {
      // The failure of the handler came first and is reported.
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

/** Waits until all promises have settled, since they need the sinks until then; rejects with the first failure. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) if (outcome.status === "rejected") throw outcome.reason;
}
