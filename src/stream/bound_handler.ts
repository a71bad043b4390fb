/**
 * A handler at work: what goes in, what comes out, and what happens when it fails.
 *
 * @module
 */

import type { Bound } from "./binding.ts";
import { deadLetter } from "./dead_letter.ts";
import type { BatchDelivery, BatchOwner, HandlerDelivery } from "./delivery.ts";
import { type Emit, emitAll } from "./handler.ts";
import type { ErrorPolicy } from "./handle_options.ts";
import { HandlerError, isFatal } from "./handler_error.ts";
import { isLeft, LEFT } from "./left.ts";
import { Once } from "./once.ts";
import { BrokenPipeError, RunningPipe } from "./pipe.ts";
import { comparable, KeyedPool } from "./pool.ts";
import type { RawMessage, SinkWriter, Unreadable } from "./protocol.ts";
import { retried, RetryAbortedError } from "./retry.ts";
import { isThenable, type OpenSink } from "./sinks.ts";

/** How long a stop lets a sink make room, in milliseconds, before the message is left. */
const ROOM_MS = 1000;

/**
 * How long a stop lets handlers that run side by side go on with their retries, in milliseconds. One that is cut short is
 * read again, and with it the messages behind it, which others have finished.
 */
const RETRIES_MS = 300;

/** A message on its way, and what waits for it. */
interface Origin {
  /** The message; of what a pipe emits by itself, the value that it emitted. */
  readonly message: unknown;
  /** Its index in the batch. */
  readonly index: number;
  readonly delivery: HandlerDelivery;
}

/** How a `BoundHandler` works. */
export interface BoundHandlerOptions {
  /** Where emitted values go. */
  readonly sinks: readonly OpenSink[];
  /** Where messages go that can't be handled. */
  readonly letters: SinkWriter<RawMessage> | undefined;
  /** The second parameter of each call. */
  readonly args: unknown;
  /** How many sources it has. */
  readonly sources: number;
  /** Called when its pipe has ended by itself: the handler takes nothing more. */
  readonly onEnd: (handler: BoundHandler) => void;
}

/** One binding in one run. */
export class BoundHandler {
  readonly bound: Bound;
  readonly writers: readonly SinkWriter<unknown>[];
  readonly letters: SinkWriter<RawMessage> | undefined;
  readonly pool: KeyedPool | undefined;
  /** It takes nothing more. */
  removed = false;
  readonly #sinks: readonly OpenSink[];
  readonly #pipe: RunningPipe | undefined;
  readonly #args: unknown;
  readonly #emit: Emit<Origin>;
  readonly #onEnd: (handler: BoundHandler) => void;
  /** Whether a message is just handled: no pipe, and one at a time. */
  readonly #isPlain: boolean;
  /** Every source is stopped: nothing is tried again. */
  readonly #stop = new Once();
  /** The sinks had their time to make room. */
  readonly #roomOver = new Once();
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #runningSources: number;
  #isStopped = false;
  /** Its messages are read once: what a stop cuts short fails, and is not left. */
  #isFed = false;
  /** The source of the message that the pipe got last: what the pipe emits by itself belongs to it. */
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

  /** Whether it has a pipe, which may emit something at its end. */
  get hasPipe(): boolean {
    return this.#pipe !== undefined;
  }

  /** One of its sources is stopped. When none runs any more, waits are cut short: those for room after a while. */
  sourceStopped(): void {
    this.#isStopped = true;
    this.sourceEnded();
  }

  /** One of its sources has ended by itself: nothing of it waits any more. */
  sourceEnded(): void {
    if (--this.#runningSources > 0 || !this.#isStopped || this.#roomOver.happened) return;
    this.#timers.push(setTimeout(() => this.#roomOver.happen(), ROOM_MS));
    if (this.pool === undefined) this.#stop.happen();
    else this.#timers.push(setTimeout(() => this.#stop.happen(), RETRIES_MS));
  }

  /**
   * The run is stopped, but what it reads is fed by other handlers, and goes on until these have ended: nothing is tried
   * again meanwhile. A message that fails goes to the policy, since whoever wrote it counts it as delivered.
   */
  runStopped(): void {
    if (this.#isFed) return;
    this.#isFed = true;
    this.#timers.push(setTimeout(() => this.#roomOver.happen(), ROOM_MS));
    this.#stop.happen();
  }

  /** The run is over, or given up: cuts what still waits. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#stop.happen();
    this.#roomOver.happen();
  }

  /**
   * Takes a message; a promise only when there is something to wait for before the next.
   *
   * @throws {HandlerError} If the message failed, and the policy is to fail.
   * @throws `LEFT` If a stop cut it short.
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

  /** Handles what the pipe holds back. Never rejects. */
  async endPipe(owner: BatchOwner): Promise<void> {
    this.#owner = owner;
    await this.#pipe?.end();
  }

  /** The codec's turn on the ladder: it is tried again, and the message goes its way if it can be read then. */
  #takeUnreadable(origin: Origin, { error, again }: Unreadable<unknown>): void | Promise<void> {
    if (this.bound.retry === undefined) return this.#fail(error, origin);
    let first = true;
    let read: { readonly message: unknown } | undefined;
    const attempt = async () => {
      // Reading it was the first attempt.
      if (first) {
        first = false;
        throw error;
      }
      read = { message: await again() };
    };
    return Promise.resolve(this.#retried(attempt, origin)).then(
      () => {
        // Its handler was taken out meanwhile, and nobody else handles the source.
        if (this.removed && origin.delivery.batch.owner.stopped) throw LEFT;
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
      // An attempt that fails must not have emitted anything.
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
      // What the handler's own ladder let through is not the pipe's error.
      if (passed !== undefined) throw passed.error;
      // No message can be handled any more: to skip all of them is not what a policy is for.
      return await this.#fail(error, origin, error instanceof BrokenPipeError ? "fail" : undefined);
    }
    if (passed !== undefined) throw passed.error;
    if (pipe.hasEnded && !this.removed) this.#onEnd(this);
    // A message of another source had ended the pipe: this one was not handled.
    if (!isPushed && owner.stopped) throw LEFT;
  }

  /** A value that the pipe emits between messages or at its end. Never rejects: its failure has an owner all the same. */
  #handleByItself(value: unknown): void | Promise<void> {
    const owner = this.#owner!;
    if (owner.failed) return;
    const batch = owner.ownDelivery();
    try {
      const later = this.#handleSoon(value, { message: value, index: 0, delivery: batch.of(this) });
      if (later !== undefined) return this.#finishLater(later, batch);
    } catch (error) {
      batch.leave(0); // nothing behind it is done
      owner.fail(error);
    }
    owner.finish(batch);
  }

  /** In line from now on: what is read later is not done before it. */
  #finishLater(handled: Promise<void>, batch: BatchDelivery): Promise<void> {
    batch.begin();
    batch.owner.finish(batch);
    return handled.then(() => batch.end(), (error) => {
      batch.owner.fail(error);
      batch.end({ error });
    });
  }

  /** A stage failed between messages or at its end: no message is to blame. */
  #pipeFailedByItself(error: unknown): Promise<void> {
    const batch = this.#owner!.ownDelivery();
    const origin = { message: undefined, index: 0, delivery: batch.of(this) };
    const failing = async () => await this.#fail(error, origin);
    return this.#finishLater(failing(), batch);
  }

  // Handling

  /** Now, or side by side with others. */
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
      batch.leave(origin.index);
      batch.end();
    };
    const failed = (error: unknown) => {
      if (isLeft(error)) return left();
      owner.fail(error);
      batch.end({ error });
    };
    return pool.run(key, () => {
      // After a stop nothing is begun but what would not come again, and what is in front of messages that were begun:
      // these would be repeated, since no position is stored behind a message that is left.
      if (owner.stopped && batch.batch !== undefined && (owner.failed || number > owner.begun)) return left();
      // Taken out while the message waited: those that go on have it.
      if (this.removed && !owner.stopped) return batch.end();
      // What a pipe emits by itself stands in front of no message.
      if (batch.batch !== undefined) owner.begun = Math.max(owner.begun, number);
      if (batch.batch?.stale?.(origin.message)) return batch.end();
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

  /** What the handler emits is held until it has succeeded: another attempt must not emit it twice. */
  #handleRetrying(value: unknown, origin: Origin): void | Promise<void> {
    const { handler } = this.bound;
    let held: unknown[] = [];
    const attempt = () => {
      held = [];
      return emitAll(handler(value, this.#args), (value) => void held.push(value), origin);
    };
    /** Each value to each sink; from the one after that which had to wait. */
    const release = (from: number): void | Promise<void> => {
      for (let index = from; index < held.length * this.#sinks.length; index++) {
        const value = held[Math.floor(index / this.#sinks.length)];
        const sink = this.#sinks[index % this.#sinks.length]!;
        const later = this.#retried(() => this.#accept(sink, value, origin), origin);
        if (later !== undefined) return later.then(() => release(index + 1));
      }
    };
    // What fails at once is tried again later: neither throws.
    const later = this.#retried(attempt, origin);
    const released = later === undefined ? release(0) : later.then(() => release(0));
    return released?.then(undefined, (error) => this.#fail(error, origin));
  }

  #retried(attempt: () => void | Promise<void>, { delivery }: Origin): void | Promise<void> {
    // What a pipe emits by itself is not read again: when a stop cuts its retries, the policy decides.
    const isLeftAtStop = () => !this.#isFed && delivery.batch.batch !== undefined;
    return retried(attempt, this.bound.retry!, this.#stop, isLeftAtStop);
  }

  #emitTo(value: unknown, origin: Origin, from: number): void | Promise<void> {
    for (let index = from; index < this.#sinks.length; index++) {
      const later = this.#accept(this.#sinks[index]!, value, origin);
      if (later !== undefined) return later.then(() => this.#emitTo(value, origin, index + 1));
    }
  }

  /** Offers a value; a stop cuts the wait for room short. */
  #accept({ writer, waitsForRoom }: OpenSink, value: unknown, origin: Origin): void | Promise<void> {
    const later = writer.accept(value, origin.delivery, origin.message);
    if (later === undefined || !waitsForRoom) return later;
    return this.#inTime(later, origin);
  }

  async #inTime(accepted: Promise<void>, { delivery }: Origin): Promise<void> {
    if (await this.#roomOver.race(accepted, LEFT) !== LEFT) return;
    if (!this.#isFed && delivery.batch.batch !== undefined) throw LEFT;
    throw new Error("the sink had no room when the run was stopped");
  }

  // The end of the ladder

  /** A sink can't deliver what it had accepted: the ladder without `retry`, since the sink has tried. */
  undelivered(cause: unknown, message: unknown, delivery: HandlerDelivery): void | Promise<void> {
    const origin = { message, index: 0, delivery };
    const failed = (reason: unknown): never => {
      // A stop that leaves no time for the letter leaves the failure itself.
      const error = isLeft(reason) ? this.#errorOf(cause, origin) : reason;
      // Told at once: to settle, the batch may have to wait for others.
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

  /** The letter about a message can't be delivered either. */
  letterUndelivered(cause: unknown, message: unknown, delivery: HandlerDelivery): never {
    const error = this.#errorOf(cause, { message, index: 0, delivery });
    delivery.batch.owner.fail(error);
    throw error;
  }

  /**
   * Does what the policy says.
   *
   * @param mustSettle whether a dead letter must be delivered before this resolves
   */
  #fail(cause: unknown, origin: Origin, policy?: ErrorPolicy, mustSettle = false): void | Promise<void> {
    if (isLeft(cause)) throw cause;
    const { letters } = this;
    // A sink that can't take anything any more, and an aborted retry, are no message's fault.
    const onError = isFatal(cause) || cause instanceof RetryAbortedError ? "fail" : policy ?? this.bound.onError;
    const error = this.#errorOf(cause instanceof RetryAbortedError ? cause.cause : cause, origin);
    if (onError === "fail") throw error;
    if (onError === "skip") return;
    const wrapped = (failure: unknown): unknown =>
      failure instanceof HandlerError || isLeft(failure) ? failure : this.#errorOf(failure, origin);
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
