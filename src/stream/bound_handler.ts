/**
 * A handler in a run: messages go in, and what it emits goes to its sinks.
 *
 * A message passes, in this order: its codec's failure (`#handleUnreadable`), the pipe (`handler_pipe.ts`), the wait for its
 * key (`#handleConcurrently`), the handler (`#callHandler`), and the sinks (`#emitTo`). `retry` and the error policy
 * (`failure_policy.ts`) apply to each of these steps; a stop ends their waits (`handler_stop.ts`).
 *
 * @module
 */

import type { ResolvedBinding } from "./binding.ts";
import { comparableKey } from "./comparable_key.ts";
import type { BatchDelivery, BatchOwner, HandlerDelivery } from "./delivery.ts";
import { FailurePolicy } from "./failure_policy.ts";
import type { ErrorPolicy } from "./handle_options.ts";
import { type Emit, emitAll } from "./handler.ts";
import { HandlerPipe, type PipedHandler } from "./handler_pipe.ts";
import { HandlerStop } from "./handler_stop.ts";
import { INTERRUPTED, isInterrupted } from "./interrupted.ts";
import { KeyedPool } from "./keyed_pool.ts";
import { comesAgain, type Origin } from "./origin.ts";
import type { RawMessage, SinkWriter, Unreadable } from "../protocol/protocol.ts";
import { retried } from "./retry.ts";
import type { OpenSink } from "./sinks.ts";

/** The options of a `BoundHandler`. */
export interface BoundHandlerOptions {
  /** The sinks of the handler. */
  readonly sinks: readonly OpenSink[];
  /** The writer of dead letters, if the error policy is a sink for them. */
  readonly deadLetters: SinkWriter<RawMessage> | undefined;
  /** The second parameter of each call of the handler. */
  readonly args: unknown;
  /** How many sources the handler has. */
  readonly sources: number;
  /** Called when the pipe has ended by itself: the handler takes no more messages. */
  readonly onEnd: () => void;
}

/** One binding in one run. */
export class BoundHandler implements PipedHandler {
  readonly binding: ResolvedBinding;
  readonly writers: readonly SinkWriter<unknown>[];
  readonly deadLetters: SinkWriter<RawMessage> | undefined;
  readonly retried: PipedHandler["retried"];
  readonly pipeEnded: () => void;
  isRemoved = false;
  readonly #sinks: readonly OpenSink[];
  readonly #args: unknown;
  readonly #emit: Emit<Origin>;
  readonly #pool: KeyedPool | undefined;
  readonly #pipe: HandlerPipe | undefined;
  /** Whether there is no pipe, and one message is handled at a time. */
  readonly #isPlain: boolean;
  readonly #policy: FailurePolicy;
  readonly #stop: HandlerStop;

  constructor(binding: ResolvedBinding, { sinks, deadLetters, args, sources, onEnd }: BoundHandlerOptions) {
    this.binding = binding;
    this.writers = sinks.map(({ writer }) => writer);
    this.deadLetters = deadLetters;
    this.retried = binding.retry && ((attempt, origin) => this.#retried(attempt, origin));
    this.pipeEnded = onEnd;
    this.#sinks = sinks;
    this.#args = args;
    this.#emit = (value, origin) => this.#emitTo(value, origin, 0);
    this.#pool = binding.concurrency > 1 ? new KeyedPool(binding.concurrency) : undefined;
    this.#pipe = binding.pipe.length === 0 ? undefined : new HandlerPipe(binding.pipe, this);
    this.#isPlain = this.#pool === undefined && this.#pipe === undefined;
    this.#policy = new FailurePolicy(binding, deadLetters, (accepted, origin) => this.#waitForRoom(accepted, origin));
    this.#stop = new HandlerStop(sources, this.isConcurrent);
  }

  /** Whether there is a pipe, which may emit values at its end. */
  get hasPipe(): boolean {
    return this.#pipe !== undefined;
  }

  /** Whether several messages are handled side by side. */
  get isConcurrent(): boolean {
    return this.#pool !== undefined;
  }

  /** See `HandlerStop.sourceStopped`. */
  sourceStopped(): void {
    this.#stop.sourceStopped();
  }

  /** See `HandlerStop.sourceEnded`. */
  sourceEnded(): void {
    this.#stop.sourceEnded();
  }

  /** See `HandlerStop.runStopped`. */
  runStopped(): void {
    this.#stop.runStopped();
  }

  /** Ends all waits: the run is over, or given up. */
  close(): void {
    this.#stop.close();
  }

  /**
   * Handles a message. Returns a promise only if the next message has to wait.
   *
   * @throws {HandlerError} If the message fails, and the policy does not dispose of it.
   * @throws `INTERRUPTED` If a stop interrupts the handling.
   */
  handle(
    message: unknown,
    index: number,
    batch: BatchDelivery,
    unreadable?: Unreadable<unknown>,
  ): void | Promise<void> {
    if (this.isRemoved) return;
    const origin: Origin = { message, index, delivery: batch.of(this) };
    if (unreadable !== undefined) return this.#handleUnreadable(origin, unreadable);
    if (this.#isPlain) return this.#callHandler(message, origin);
    return this.#pipe === undefined ? this.handleValue(message, origin) : this.#pipe.push(origin);
  }

  /** Ends the pipe, and handles what it still emits. Never rejects. */
  async endPipe(owner: BatchOwner): Promise<void> {
    await this.#pipe?.end(owner);
  }

  handleValue(value: unknown, origin: Origin): void | Promise<void> {
    const pool = this.#pool;
    return pool === undefined ? this.#callHandler(value, origin) : this.#handleConcurrently(pool, value, origin);
  }

  applyPolicy(cause: unknown, origin: Origin, policy?: ErrorPolicy): void | Promise<void> {
    return this.#policy.apply(cause, origin, policy);
  }

  undelivered(cause: unknown, message: unknown, delivery: HandlerDelivery): void | Promise<void> {
    return this.#policy.undelivered(cause, message, delivery);
  }

  deadLetterUndelivered(cause: unknown, message: unknown, delivery: HandlerDelivery): never {
    return this.#policy.deadLetterUndelivered(cause, message, delivery);
  }

  /** Applies `retry` and the policy to a message that its codec can't read; handles it if another attempt reads it. */
  #handleUnreadable(origin: Origin, { error, again }: Unreadable<unknown>): void | Promise<void> {
    if (this.binding.retry === undefined) return this.applyPolicy(error, origin);
    let isFirst = true;
    let read: { readonly message: unknown } | undefined;
    const attempt = async () => {
      // The source's own read was the first attempt.
      if (isFirst) {
        isFirst = false;
        throw error;
      }
      read = { message: await again() };
    };
    return Promise.resolve(this.#retried(attempt, origin)).then(
      () => {
        // The handler was removed meanwhile, and no other handler reads the source.
        if (this.isRemoved && origin.delivery.batch.owner.isStopped) throw INTERRUPTED;
        return this.handle(read!.message, origin.index, origin.delivery.batch);
      },
      (last) => this.applyPolicy(last, origin),
    );
  }

  /** Handles a value side by side with those of other keys. Its batch waits for it; its failure goes to the run. */
  #handleConcurrently(pool: KeyedPool, value: unknown, origin: Origin): void | Promise<void> {
    const { batch } = origin.delivery;
    let key: unknown;
    try {
      const { by } = this.binding;
      key = comparableKey(by === undefined ? (value as { key?: unknown } | null)?.key : by(value));
    } catch (error) {
      return this.applyPolicy(error, origin);
    }
    batch.begin();
    const { owner } = batch, number = batch.firstNumber + origin.index;
    const interrupted = () => {
      // The source repeats the messages behind this one together with it, so they need not begin.
      owner.lastBegun = Math.min(owner.lastBegun, number);
      batch.markUnhandled(origin.index);
      batch.end();
    };
    const failed = (error: unknown) => {
      if (isInterrupted(error)) return interrupted();
      owner.fail(error);
      batch.end({ error });
    };
    return pool.run(key, () => {
      // After a stop, two kinds of values are still handled: those that don't come again, and those in front of a message
      // whose handling has begun. No position is stored behind an unhandled message, so that message would be repeated.
      if (owner.isStopped && comesAgain(origin) && (owner.hasFailed || number > owner.lastBegun)) return interrupted();
      // The handler was removed while the message waited: the other handlers of the source get it.
      if (this.isRemoved && !owner.isStopped) return batch.end();
      // A value that a pipe emits by itself stands in front of no message.
      if (comesAgain(origin)) owner.lastBegun = Math.max(owner.lastBegun, number);
      if (batch.batch?.stale?.(origin.message, true)) return batch.end();
      try {
        const handling = this.#callHandler(value, origin);
        if (handling === undefined) batch.end();
        else return handling.then(() => batch.end(), failed);
      } catch (error) {
        failed(error);
      }
    });
  }

  #callHandler(value: unknown, origin: Origin): void | Promise<void> {
    const { handler, retry } = this.binding;
    if (retry !== undefined) return this.#callHandlerRetrying(value, origin);
    try {
      const emitting = emitAll(handler(value, this.#args), this.#emit, origin);
      if (emitting !== undefined) return emitting.then(undefined, (error) => this.applyPolicy(error, origin));
    } catch (error) {
      return this.applyPolicy(error, origin);
    }
  }

  /** Holds what the handler emits until an attempt succeeds, so that no value is emitted twice. */
  #callHandlerRetrying(value: unknown, origin: Origin): void | Promise<void> {
    const { handler } = this.binding;
    let held: unknown[] = [];
    const attempt = () => {
      held = [];
      return emitAll(handler(value, this.#args), (value) => void held.push(value), origin);
    };
    /** Sends each value to each sink, beginning with the pair of that index. Each pair is retried by itself. */
    const release = (from: number): void | Promise<void> => {
      for (let index = from; index < held.length * this.#sinks.length; index++) {
        const value = held[Math.floor(index / this.#sinks.length)];
        const sink = this.#sinks[index % this.#sinks.length]!;
        const accepting = this.#retried(() => this.#accept(sink, value, origin), origin);
        if (accepting !== undefined) return accepting.then(() => release(index + 1));
      }
    };
    // A synchronous failure is tried again later, so neither call throws.
    const handling = this.#retried(attempt, origin);
    const released = handling === undefined ? release(0) : handling.then(() => release(0));
    return released?.then(undefined, (error) => this.applyPolicy(error, origin));
  }

  #retried(attempt: () => void | Promise<void>, origin: Origin): void | Promise<void> {
    return retried(attempt, this.binding.retry!, this.#stop.retriesOver, () => this.#isInterruptible(origin));
  }

  /** Whether a stop interrupts the message. If it would not come again, it fails instead, and the policy applies. */
  #isInterruptible(origin: Origin): boolean {
    return !this.#stop.isLinked && comesAgain(origin);
  }

  /** Sends a value to the sinks, beginning with one of them. */
  #emitTo(value: unknown, origin: Origin, from: number): void | Promise<void> {
    for (let index = from; index < this.#sinks.length; index++) {
      const accepting = this.#accept(this.#sinks[index]!, value, origin);
      if (accepting !== undefined) return accepting.then(() => this.#emitTo(value, origin, index + 1));
    }
  }

  #accept({ writer, waitsForRoom }: OpenSink, value: unknown, origin: Origin): void | Promise<void> {
    const accepting = writer.accept(value, origin.delivery, origin.message);
    if (accepting === undefined || !waitsForRoom) return accepting;
    return this.#waitForRoom(accepting, origin);
  }

  /** Waits until a sink has accepted a value. A stop ends the wait. */
  async #waitForRoom(accepted: Promise<void>, origin: Origin): Promise<void> {
    if (await this.#stop.roomOver.race(accepted, INTERRUPTED) !== INTERRUPTED) return;
    if (this.#isInterruptible(origin)) throw INTERRUPTED;
    throw new Error("the sink had no room when the run was stopped");
  }
}
