/**
 * One source on its way through its handlers.
 *
 * @module
 */

import { breath } from "./breath.ts";
import { HandlerError } from "./handler_error.ts";
import { Tasks } from "./pool.ts";
import type { Batch, SinkWriter } from "./protocol.ts";
import type { Context, Step } from "./step.ts";

/** After so many messages the clock is looked at, whether others want a turn. A power of two. */
const BREATH_MESSAGES = 32;

/** Takes the batches of a source, message by message, handler by handler. */
export class Lane {
  /** Nothing of the lane is done any more. */
  failed = false;
  /** A batch was left before its end: what comes after it must not be done. */
  left = false;
  readonly steps: readonly Step[];
  /** The writers behind the steps, each once, and the handler that is named when one can't settle. */
  readonly #writers = new Map<Pick<SinkWriter<unknown>, "settle">, string>();
  readonly #sideBySide: boolean;
  readonly #onError: (error: unknown) => void;
  #stopped = false;
  #gate: PromiseWithResolvers<void> | undefined;

  /** @param onError told of errors that nobody awaits yet */
  constructor(steps: readonly Step[], onError: (lane: Lane, error: unknown) => void) {
    this.steps = steps;
    for (const { bound, writers, letters } of steps) {
      for (const writer of letters === undefined ? writers : [...writers, letters]) {
        if (!this.#writers.has(writer)) this.#writers.set(writer, bound.name);
      }
    }
    this.#sideBySide = steps.some(({ pool }) => pool !== undefined);
    this.#onError = (error) => onError(this, error);
  }

  /** Takes no further message until {@linkcode Lane.resume}, or the end. */
  pause(): void {
    this.#gate ??= Promise.withResolvers();
  }

  /** Goes on. */
  resume(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  /** The source ends. What is paused is left where it is, and so is what of a batch was not begun. */
  stop(): void {
    this.#stopped = true;
    this.#gate?.resolve();
  }

  /** What a batch's messages need to know; new for each. */
  context(batch: Batch<unknown> | undefined): Context {
    return {
      batch,
      tasks: this.#sideBySide ? new Tasks() : undefined,
      failed: () => this.failed,
      onError: this.#onError,
    };
  }

  /**
   * Hands the messages to the steps. Synchronous as long as handlers and sinks are: a promise a message would cost more
   * than the message.
   *
   * @returns how many were taken, when it is not all
   */
  accept(context: Context): number | undefined | Promise<number | undefined> {
    const batch = context.batch!;
    const messages = batch.messages[Symbol.iterator]();
    let taken = 0;
    try {
      while (this.#gate === undefined) {
        const { done, value } = messages.next();
        if (done) return;
        const later = this.#acceptOne(value, taken++, context, 0) ?? breathAfter(taken);
        if (later !== undefined) return this.#acceptLater(messages, taken, later, context);
      }
    } catch (error) {
      messages.return?.();
      throw error;
    }
    return this.#acceptLater(messages, taken, undefined, context);
  }

  /** A loop, not promises that wait for the next one: the chain would be as long as the batch. */
  async #acceptLater(
    messages: Iterator<unknown>,
    taken: number,
    later: Promise<void> | undefined,
    context: Context,
  ): Promise<number | undefined> {
    let partly = false;
    try {
      if (later !== undefined) await later;
      // An earlier batch may fail to settle meanwhile: this one will never be done.
      while (!this.failed) {
        while (this.#gate !== undefined && !this.#stopped) await this.#gate.promise;
        // What was begun is ended. A batch of one message may be all that is left of it: it counts as begun.
        if (this.#gate !== undefined || (this.#stopped && taken > 0)) {
          partly = true;
          break;
        }
        if (this.failed) break;
        const { done, value } = messages.next();
        if (done) return;
        const later = this.#acceptOne(value, taken++, context, 0);
        if (later !== undefined) await later;
        const turn = breathAfter(taken);
        if (turn !== undefined) await turn;
      }
    } catch (error) {
      messages.return?.();
      throw error;
    }
    messages.return?.();
    this.left = partly;
    return partly ? taken : undefined;
  }

  #acceptOne(message: unknown, index: number, context: Context, from: number): void | Promise<void> {
    const batch = context.batch!;
    if (from === 0 && batch.stale?.(message)) return;
    const unreadable = batch.unreadable?.get(index);
    for (let step = from; step < this.steps.length; step++) {
      const later = this.steps[step]!.take(message, context, unreadable);
      if (later === undefined) continue;
      return step + 1 === this.steps.length
        ? later
        : later.then(() => this.#acceptOne(message, index, context, step + 1));
    }
  }

  /** When everything is delivered that came of what was taken. A promise only when something needs one. */
  settle({ tasks }: Context): void | Promise<unknown> {
    const over = tasks?.wait();
    if (over === undefined) return settleAll(this.#writers);
    const settled = over.then(() => settleAll(this.#writers));
    settled.catch(() => {});
    return settled;
  }
}

function breathAfter(taken: number): void | Promise<void> {
  if ((taken & (BREATH_MESSAGES - 1)) === 0) return breath();
}

/** A promise only when a sink needs one. It is awaited later; a rejection until then is not an unhandled one. */
function settleAll(writers: ReadonlyMap<Pick<SinkWriter<unknown>, "settle">, string>): void | Promise<unknown> {
  const pending: Promise<void>[] = [];
  for (const [writer, handler] of writers) {
    // What a sender was told of says already which message it was.
    const failed = (cause: unknown) =>
      Promise.reject(cause instanceof HandlerError ? cause : new HandlerError({ handler, value: undefined, cause }));
    try {
      const settled = writer.settle();
      if (settled !== undefined) pending.push(settled.then(undefined, failed));
    } catch (error) {
      pending.push(failed(error));
    }
  }
  if (pending.length === 0) return;
  const all = Promise.all(pending);
  all.catch(() => {});
  return all;
}
