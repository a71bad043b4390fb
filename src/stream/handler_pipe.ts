/**
 * The pipe of a handler in a run: messages go through its stages, and what they emit goes to the handler.
 *
 * @module
 */

import type { BatchDelivery, BatchHandler, BatchOwner } from "./delivery.ts";
import type { ErrorPolicy } from "./handle_options.ts";
import { INTERRUPTED } from "./interrupted.ts";
import type { Origin } from "./origin.ts";
import type { PipeStage } from "./pipe.ts";
import { BrokenPipeError, RunningPipe } from "./running_pipe.ts";

/** The handler behind a pipe, as the pipe sees it: a `BoundHandler`. */
export interface PipedHandler extends BatchHandler {
  /** Whether the handler takes no more messages. */
  readonly isRemoved: boolean;
  /** Handles a value. Returns a promise only if the next value has to wait. */
  handleValue(value: unknown, origin: Origin): void | Promise<void>;
  /** Makes an attempt, and more of them as `retry` says; `undefined` without the option. */
  readonly retried: ((attempt: () => Promise<void>, origin: Origin) => void | Promise<void>) | undefined;
  /** Applies the error policy, or one in its place, to a message that has failed. */
  applyPolicy(cause: unknown, origin: Origin, policy?: ErrorPolicy): void | Promise<void>;
  /** The stages have ended by themselves: the handler takes no more messages. */
  pipeEnded(): void;
}

/**
 * Pushes messages through the stages of a handler.
 *
 * What the stages emit while a message is in them belongs to that message: it succeeds, fails and is retried with it. What
 * they emit between messages or at their end belongs to no message. It gets a delivery of its own, which settles before the
 * next batch of the source is done.
 */
export class HandlerPipe {
  readonly #handler: PipedHandler;
  readonly #stages: RunningPipe;
  /** The source of the last message in the stages: values that they emit by themselves belong to it. */
  #owner: BatchOwner | undefined;

  /** @throws {TypeError} If a TransformStream among the stages is in use. */
  constructor(stages: readonly PipeStage<unknown, unknown>[], handler: PipedHandler) {
    this.#handler = handler;
    this.#stages = new RunningPipe(stages, {
      handle: (value) => this.#handleByItself(value),
      fail: (error) => this.#failedByItself(error),
    });
  }

  /** Pushes a message through the stages. Resolves when everything that they made of it is handled. */
  async push(origin: Origin): Promise<void> {
    const stages = this.#stages, handler = this.#handler;
    const { owner } = origin.delivery.batch;
    this.#owner = owner;
    const isRetrying = handler.retried !== undefined && stages.isRenewable;
    let held: unknown[] = [];
    /** The failure of the handler behind the stages: `retry` and the policy were applied to it already. */
    let handled: { readonly error: unknown } | undefined;
    let isPushed = false;
    const release = async () => {
      try {
        for (const value of held) await handler.handleValue(value, origin);
      } catch (error) {
        handled = { error };
      }
    };
    const attempt = async () => {
      // An attempt that fails must not emit anything: values are held until one succeeds.
      held = [];
      isPushed = await stages.push(origin.message, (value) => void held.push(value), release);
    };
    const pushOnce = async () => {
      isPushed = await stages.push(origin.message, (value) => {
        const pass = (error: unknown) => {
          handled = { error };
          throw error;
        };
        try {
          return handler.handleValue(value, origin)?.then(undefined, pass);
        } catch (error) {
          pass(error);
        }
      });
    };
    try {
      await (isRetrying ? handler.retried!(attempt, origin) : pushOnce());
    } catch (error) {
      if (handled !== undefined) throw handled.error;
      // Behind a broken pipe no further message can be handled. A policy must not skip them all.
      return await handler.applyPolicy(error, origin, error instanceof BrokenPipeError ? "fail" : undefined);
    }
    if (handled !== undefined) throw handled.error;
    if (stages.hasEnded && !handler.isRemoved) handler.pipeEnded();
    // A message of another source has ended the stages: this one is not handled.
    if (!isPushed && owner.isStopped) throw INTERRUPTED;
  }

  /** Ends the stages, and handles what they still emit. Never rejects. */
  async end(owner: BatchOwner): Promise<void> {
    this.#owner = owner;
    await this.#stages.end();
  }

  /** Handles a value that the stages emit between messages or at their end. Never rejects: its failure goes to the run. */
  #handleByItself(value: unknown): void | Promise<void> {
    const owner = this.#owner!;
    if (owner.hasFailed) return;
    const batch = owner.openDelivery();
    try {
      const origin = { message: value, index: 0, delivery: batch.of(this.#handler) };
      const handling = this.#handler.handleValue(value, origin);
      if (handling !== undefined) return this.#finishLater(handling, batch);
    } catch (error) {
      batch.markUnhandled(0); // No later batch is done.
      owner.fail(error);
    }
    owner.finish(batch);
  }

  /** Finishes a delivery when its value is handled. It is queued now: batches that are read later are not done before it. */
  #finishLater(handling: Promise<void>, batch: BatchDelivery): Promise<void> {
    batch.begin();
    batch.owner.finish(batch);
    return handling.then(() => batch.end(), (error) => {
      batch.owner.fail(error);
      batch.end({ error });
    });
  }

  /** Applies the policy when a stage has failed between messages or at its end: no message is to blame. */
  #failedByItself(error: unknown): Promise<void> {
    const batch = this.#owner!.openDelivery();
    const origin = { message: undefined, index: 0, delivery: batch.of(this.#handler) };
    const failing = async () => await this.#handler.applyPolicy(error, origin);
    return this.#finishLater(failing(), batch);
  }
}
