/**
 * A handler in a run: messages go in, values go to its sinks, and `retry` and `onError` apply when it fails.
 *
 * @module
 */

import type { Bound } from "./binding.ts";
import { deadLetter } from "./dead_letter.ts";
import type { BatchDelivery, BatchOwner, HandlerDelivery } from "./delivery.ts";
import { type Emit, emitAll } from "./handler.ts";
import type { ErrorPolicy } from "./handle_options.ts";
import { HandlerError, isFatal } from "./handler_error.ts";
import { INTERRUPTED, isInterrupted } from "./interrupted.ts";
import { ResettableSignal } from "../async/resettable_signal.ts";
import { BrokenPipeError, RunningPipe } from "./pipe.ts";
import { comparable, KeyedPool } from "./pool.ts";
import type { RawMessage, SinkWriter, Unreadable } from "./protocol.ts";
import { retried, RetryAbortedError } from "./retry.ts";
import { isThenable } from "../async/is_thenable.ts";
import type { OpenSink } from "./sinks.ts";

/** After a stop, how long a sink has to make room for a value, in milliseconds; then the message is left. */
const ROOM_MS = 1000;

/**
 * After a stop, how long messages that are handled side by side may go on with their retries, in milliseconds. A message
 * that is cut short is delivered again in the next run, and so are the messages behind it that are finished already.
 */
const RETRIES_MS = 300;

/** A message in the handler, and the delivery that waits for it. */
interface Origin {
  /** The message; or a value that a pipe has emitted by itself. */
  readonly message: unknown;
  /** The index of the message in its batch. */
  readonly index: number;
  readonly delivery: HandlerDelivery;
}

/** The options of a `BoundHandler`. */
export interface BoundHandlerOptions {
  /** The sinks of the handler. */
  readonly sinks: readonly OpenSink[];
  /** The writer of dead letters, if the policy is a Topic. */
  readonly letters: SinkWriter<RawMessage> | undefined;
  /** The second parameter of each call of the handler. */
  readonly args: unknown;
  /** How many sources the handler has. */
  readonly sources: number;
  /** Called when the pipe has ended by itself: the handler takes no more messages. */
  readonly onEnd: (handler: BoundHandler) => void;
}

/** One binding in one run. */
export class BoundHandler {
  readonly bound: Bound;
  readonly writers: readonly SinkWriter<unknown>[];
  readonly letters: SinkWriter<RawMessage> | undefined;
  readonly pool: KeyedPool | undefined;
  /** Whether the handler takes no more messages. */
  removed = false;
  readonly #sinks: readonly OpenSink[];
  readonly #pipe: RunningPipe | undefined;
  readonly #args: unknown;
  readonly #emit: Emit<Origin>;
  readonly #onEnd: (handler: BoundHandler) => void;
  /** Whether there is no pipe, and one message is handled at a time. */
  readonly #isPlain: boolean;
  /** Happens when every source is stopped: nothing is tried again. */
  readonly #stop = new ResettableSignal();
  /** Happens when the sinks have had their time to make room. */
  readonly #roomOver = new ResettableSignal();
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #runningSources: number;
  #isStopped = false;
  /** Whether other handlers write its messages, which can't be read again: what a stop cuts short fails, and is not left. */
  #isFed = false;
  /** The source of the last message in the pipe: values that the pipe emits by itself belong to it. */
  #owner: BatchOwner | undefined;

  constructor(bound: Bound, { sinks, letters, args, sources, onEnd }: BoundHandlerOptions) {
    this.bound = bound;
    this.#sinks = sinks;
    this.writers = sinks.map(({ writer }) => writer);
    this.letters = letters;
    this.#args = args;
    this.#onEnd = onEnd;
    this.#runningSources = sources;
    this.#emit = (value, origin) => this.#emitTo(value, origin, 0);
    this.pool = bound.concurrency > 1 ? new KeyedPool(bound.concurrency) : undefined;
    this.#pipe = bound.pipe.length === 0 ? undefined : new RunningPipe(bound.pipe, {
      handle: (value) => this.#handleByItself(value),
      fail: (error) => this.#pipeFailedByItself(error),
    });
    this.#isPlain = this.pool === undefined && this.#pipe === undefined;
  }

  /** Whether there is a pipe, which may emit values at its end. */
  get hasPipe(): boolean {
    return this.#pipe !== undefined;
  }

  /** One of the sources is stopped. When none runs any more, waits are cut short; those for room after `ROOM_MS`. */
  sourceStopped(): void {
    this.#isStopped = true;
    this.sourceEnded();
  }

  /** One of the sources has ended by itself: none of its messages waits any more. */
  sourceEnded(): void {
    if (--this.#runningSources > 0 || !this.#isStopped || this.#roomOver.fired) return;
    this.#timers.push(setTimeout(() => this.#roomOver.fire(), ROOM_MS));
    if (this.pool === undefined) this.#stop.fire();
    else this.#timers.push(setTimeout(() => this.#stop.fire(), RETRIES_MS));
  }

  /**
   * The run is stopped, but other handlers write the messages of this one, which goes on until they have ended. Nothing is
   * tried again meanwhile. The policy applies to a message that fails, since its writer counts it as delivered.
   */
  runStopped(): void {
    if (this.#isFed) return;
    this.#isFed = true;
    this.#timers.push(setTimeout(() => this.#roomOver.fire(), ROOM_MS));
    this.#stop.fire();
  }

  /** Ends all waits: the run is over, or given up. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#stop.fire();
    this.#roomOver.fire();
  }

  /**
   * Handles a message. Returns a promise only if the next message has to wait.
   *
   * @throws {HandlerError} If the message fails, and the policy is `"fail"`.
   * @throws `INTERRUPTED` If a stop cuts it short.
   */
  take(
    message: unknown,
    index: number,
    batch: BatchDelivery,
    unreadable?: Unreadable<unknown>,
  ): void | Promise<void> {
    if (this.removed) return;
    const origin: Origin = { message, index, delivery: batch.of(this) };
    if (unreadable !== undefined) return this.#takeUnreadable(origin, unreadable);
    if (this.#isPlain) return this.#handle(message, origin);
    return this.#pipe === undefined ? this.#handleSoon(message, origin) : this.#push(origin);
  }

  /** Ends the pipe, and handles what it still emits. Never rejects. */
  async endPipe(owner: BatchOwner): Promise<void> {
    this.#owner = owner;
    await this.#pipe?.end();
  }

  /** Applies `retry` and the policy to a message that its codec can't read; handles it if another attempt reads it. */
  #takeUnreadable(origin: Origin, { error, again }: Unreadable<unknown>): void | Promise<void> {
    if (this.bound.retry === undefined) return this.#fail(error, origin);
    let first = true;
    let read: { readonly message: unknown } | undefined;
    const attempt = async () => {
      // The read was the first attempt.
      if (first) {
        first = false;
        throw error;
      }
      read = { message: await again() };
    };
    return Promise.resolve(this.#retried(attempt, origin)).then(
      () => {
        // The handler was taken out meanwhile, and no other handler reads the source.
        if (this.removed && origin.delivery.batch.owner.stopped) throw INTERRUPTED;
        return this.take(read!.message, origin.index, origin.delivery.batch);
      },
      (last) => this.#fail(last, origin),
    );
  }

  // The pipe

  async #push(origin: Origin): Promise<void> {
    const pipe = this.#pipe!;
    const { owner } = origin.delivery.batch;
    this.#owner = owner;
    const retrying = this.bound.retry !== undefined && pipe.isRenewable;
    let held: unknown[] = [];
    let passed: { readonly error: unknown } | undefined, isPushed = false;
    const release = async () => {
      try {
        for (const value of held) await this.#handleSoon(value, origin);
      } catch (error) {
        passed = { error };
      }
    };
    const push = async () => {
      // An attempt that fails must not emit anything.
      held = [];
      if (retrying) return void (isPushed = await pipe.push(origin.message, (value) => void held.push(value), release));
      isPushed = await pipe.push(origin.message, (value) => {
        const pass = (error: unknown) => {
          passed = { error };
          throw error;
        };
        try {
          const later = this.#handleSoon(value, origin);
          return later === undefined ? undefined : later.then(undefined, pass);
        } catch (error) {
          pass(error);
        }
      });
    };
    try {
      await (retrying ? this.#retried(push, origin) : push());
    } catch (error) {
      // A HandlerError comes from the handler behind the pipe: `retry` and the policy were applied to it already.
      if (passed !== undefined) throw passed.error;
      // No further message can be handled. A policy must not skip them all.
      return await this.#fail(error, origin, error instanceof BrokenPipeError ? "fail" : undefined);
    }
    if (passed !== undefined) throw passed.error;
    if (pipe.hasEnded && !this.removed) this.#onEnd(this);
    // A message of another source has ended the pipe: this one is not handled.
    if (!isPushed && owner.stopped) throw INTERRUPTED;
  }

  /** Handles a value that the pipe emits between messages or at its end. Never rejects: its failure goes to the run. */
  #handleByItself(value: unknown): void | Promise<void> {
    const owner = this.#owner!;
    if (owner.failed) return;
    const batch = owner.ownDelivery();
    try {
      const later = this.#handleSoon(value, { message: value, index: 0, delivery: batch.of(this) });
      if (later !== undefined) return this.#finishLater(later, batch);
    } catch (error) {
      batch.leave(0); // no later batch is done
      owner.fail(error);
    }
    owner.finish(batch);
  }

  /** Queues the delivery now: batches that are read later are not done before it. */
  #finishLater(handled: Promise<void>, batch: BatchDelivery): Promise<void> {
    batch.begin();
    batch.owner.finish(batch);
    return handled.then(() => batch.end(), (error) => {
      batch.owner.fail(error);
      batch.end({ error });
    });
  }

  /** Fails the run, since a stage has failed between messages or at its end: no message is to blame. */
  #pipeFailedByItself(error: unknown): Promise<void> {
    const batch = this.#owner!.ownDelivery();
    const origin = { message: undefined, index: 0, delivery: batch.of(this) };
    const failing = async () => await this.#fail(error, origin);
    return this.#finishLater(failing(), batch);
  }

  // Handling

  /** Handles a message at once, or side by side with others. */
  #handleSoon(value: unknown, origin: Origin): void | Promise<void> {
    const { pool } = this;
    if (pool === undefined) return this.#handle(value, origin);
    const { batch } = origin.delivery;
    let key: unknown;
    try {
      const { by } = this.bound;
      key = comparable(by === undefined ? (value as { key?: unknown } | null)?.key : by(value));
    } catch (error) {
      return this.#fail(error, origin);
    }
    batch.begin();
    const { owner } = batch, number = batch.first + origin.index;
    const left = () => {
      // What is behind it is repeated with it.
      owner.begun = Math.min(owner.begun, number);
      batch.leave(origin.index);
      batch.end();
    };
    const failed = (error: unknown) => {
      if (isInterrupted(error)) return left();
      owner.fail(error);
      batch.end({ error });
    };
    return pool.run(key, () => {
      // After a stop, two kinds of messages are still begun: those that can't be read again, and those in front of
      // messages that were begun. No position is stored behind a message that is left, so the latter would be repeated.
      if (owner.stopped && batch.batch !== undefined && (owner.failed || number > owner.begun)) return left();
      // The handler was taken out while the message waited: the other handlers of the source get it.
      if (this.removed && !owner.stopped) return batch.end();
      // A value that a pipe emits by itself is in front of no message.
      if (batch.batch !== undefined) owner.begun = Math.max(owner.begun, number);
      if (batch.batch?.stale?.(origin.message, true)) return batch.end();
      try {
        const later = this.#handle(value, origin);
        if (later === undefined) batch.end();
        else return later.then(() => batch.end(), failed);
      } catch (error) {
        failed(error);
      }
    });
  }

  #handle(value: unknown, origin: Origin): void | Promise<void> {
    const { handler, retry } = this.bound;
    if (retry !== undefined) return this.#handleRetrying(value, origin);
    try {
      const later = emitAll(handler(value, this.#args), this.#emit, origin);
      if (later !== undefined) return later.then(undefined, (error) => this.#fail(error, origin));
    } catch (error) {
      return this.#fail(error, origin);
    }
  }

  /** Holds what the handler emits until an attempt succeeds, so that no value is emitted twice. */
  #handleRetrying(value: unknown, origin: Origin): void | Promise<void> {
    const { handler } = this.bound;
    let held: unknown[] = [];
    const attempt = () => {
      held = [];
      return emitAll(handler(value, this.#args), (value) => void held.push(value), origin);
    };
    /** Sends each value to each sink, beginning behind the pair that had to wait. */
    const release = (from: number): void | Promise<void> => {
      for (let index = from; index < held.length * this.#sinks.length; index++) {
        const value = held[Math.floor(index / this.#sinks.length)];
        const sink = this.#sinks[index % this.#sinks.length]!;
        const later = this.#retried(() => this.#accept(sink, value, origin), origin);
        if (later !== undefined) return later.then(() => release(index + 1));
      }
    };
    // A synchronous failure is tried again later, so neither call throws.
    const later = this.#retried(attempt, origin);
    const released = later === undefined ? release(0) : later.then(() => release(0));
    return released?.then(undefined, (error) => this.#fail(error, origin));
  }

  #retried(attempt: () => void | Promise<void>, { delivery }: Origin): void | Promise<void> {
    // A value that a pipe emits by itself can't be read again: when a stop cuts its retries short, the policy applies.
    const isInterruptedAtStop = () => !this.#isFed && delivery.batch.batch !== undefined;
    return retried(attempt, this.bound.retry!, this.#stop, isInterruptedAtStop);
  }

  #emitTo(value: unknown, origin: Origin, from: number): void | Promise<void> {
    for (let index = from; index < this.#sinks.length; index++) {
      const later = this.#accept(this.#sinks[index]!, value, origin);
      if (later !== undefined) return later.then(() => this.#emitTo(value, origin, index + 1));
    }
  }

  /** Sends a value to the sinks, from one of them on. A stop cuts the wait for room short. */
  #accept({ writer, waitsForRoom }: OpenSink, value: unknown, origin: Origin): void | Promise<void> {
    const later = writer.accept(value, origin.delivery, origin.message);
    if (later === undefined || !waitsForRoom) return later;
    return this.#inTime(later, origin);
  }

  async #inTime(accepted: Promise<void>, { delivery }: Origin): Promise<void> {
    if (await this.#roomOver.race(accepted, INTERRUPTED) !== INTERRUPTED) return;
    if (!this.#isFed && delivery.batch.batch !== undefined) throw INTERRUPTED;
    throw new Error("the sink had no room when the run was stopped");
  }

  // Failures

  /** Applies the policy to a message for which a sink has accepted a value that it can't deliver. The sink has retried. */
  undelivered(cause: unknown, message: unknown, delivery: HandlerDelivery): void | Promise<void> {
    const origin = { message, index: 0, delivery };
    const failed = (reason: unknown): never => {
      // If a stop leaves no time for the letter, the failure itself counts.
      const error = isInterrupted(reason) ? this.#errorOf(cause, origin) : reason;
      // The run fails at once. The batch may have to wait for others to settle.
      delivery.batch.owner.fail(error);
      throw error;
    };
    try {
      const later = this.#fail(cause, origin, undefined, true);
      return later === undefined ? undefined : later.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Fails the run, since the dead letter about a message can't be delivered. */
  letterUndelivered(cause: unknown, message: unknown, delivery: HandlerDelivery): never {
    const error = this.#errorOf(cause, { message, index: 0, delivery });
    delivery.batch.owner.fail(error);
    throw error;
  }

  /**
   * Applies the policy to a message that has failed.
   *
   * @param mustSettle whether a dead letter must be delivered before this resolves
   */
  #fail(cause: unknown, origin: Origin, policy?: ErrorPolicy, mustSettle = false): void | Promise<void> {
    if (isInterrupted(cause)) throw cause;
    const { letters } = this;
    // No message is to blame for a sink that can accept nothing more, or for an aborted retry.
    const onError = isFatal(cause) || cause instanceof RetryAbortedError ? "fail" : policy ?? this.bound.onError;
    const error = this.#errorOf(cause instanceof RetryAbortedError ? cause.cause : cause, origin);
    if (onError === "fail") throw error;
    if (onError === "skip") return;
    const wrapped = (failure: unknown): unknown =>
      failure instanceof HandlerError || isInterrupted(failure) ? failure : this.#errorOf(failure, origin);
    try {
      if (letters === undefined || typeof onError === "function") {
        const later = (onError as (error: HandlerError) => unknown)(error);
        if (!isThenable(later)) return;
        return Promise.resolve(later).then(() => {}, (failure) => Promise.reject(wrapped(failure)));
      }
      const { message, delivery } = origin;
      const account = mustSettle
        ? { undelivered: (failure: unknown) => this.letterUndelivered(failure, message, delivery) }
        : delivery.letters;
      const accepted = letters.accept(deadLetter(error, delivery.batch.batch, message), account, message);
      if (accepted === undefined && !mustSettle) return;
      return this.#letterTaken(accepted, origin, mustSettle ? () => letters.settle(account) : undefined)
        .catch((failure) => Promise.reject(wrapped(failure)));
    } catch (failure) {
      throw wrapped(failure);
    }
  }

  async #letterTaken(
    accepted: void | Promise<void>,
    origin: Origin,
    settle?: () => void | Promise<void>,
  ): Promise<void> {
    if (accepted !== undefined) await this.#inTime(accepted, origin);
    await settle?.();
  }

  #errorOf(cause: unknown, { message, delivery }: Origin): HandlerError {
    const source = message === undefined ? undefined : delivery.batch.batch?.describe?.(message);
    return new HandlerError({
      handler: this.bound.name,
      value: message,
      cause,
      ...(source === undefined ? {} : { source }),
    });
  }
}
