/**
 * A handler at work: what goes in, what comes out, and what happens when it fails.
 *
 * @module
 */

import type { Bound, ErrorPolicy } from "./binding.ts";
import { deadLetter } from "./dead_letter.ts";
import { type Emit, emitAll } from "./handler.ts";
import { HandlerError } from "./handler_error.ts";
import { BrokenPipeError, Pipe } from "./pipe.ts";
import { comparable, KeyedPool, type Tasks } from "./pool.ts";
import type { Batch, RawMessage, Sender, SinkWriter, Unreadable } from "./protocol.ts";
import { retried } from "./retry.ts";
import { isThenable } from "./sinks.ts";

/** Where a message comes from, and what waits for it. */
export interface Context {
  /** The batch; `undefined` for what a pipe emits at its end. */
  readonly batch: Batch<unknown> | undefined;
  /** What is still going on for the batch, where handlers run side by side. */
  readonly tasks: Tasks | undefined;
  /** Whether nothing more is to be begun for it. */
  readonly failed: () => boolean;
  /** Told of an error that nobody awaits yet. */
  readonly onError: (error: unknown) => void;
}

/** A message on its way, for errors to show. */
interface Origin {
  readonly message: unknown;
  readonly context: Context;
  readonly sender: Sender;
}

/** The sender of what comes of a batch. */
class BatchSender implements Sender {
  readonly context: Context;
  readonly #step: Step;

  constructor(step: Step, context: Context) {
    this.#step = step;
    this.context = context;
  }

  undelivered(error: unknown, message: unknown): Promise<void> {
    return this.#step.undelivered(error, { message, context: this.context, sender: this });
  }
}

/** One binding in one run. */
export class Step {
  readonly bound: Bound;
  /** Where emitted values go. */
  readonly writers: readonly SinkWriter<unknown>[];
  /** Where messages go that can't be handled. */
  readonly letters: SinkWriter<RawMessage> | undefined;
  readonly pool: KeyedPool | undefined;
  /** Takes nothing more. */
  removed = false;
  readonly #pipe: Pipe | undefined;
  readonly #args: unknown;
  readonly #emit: Emit<Origin>;
  #sender: BatchSender | undefined;
  /** Whether a message is just handled. */
  readonly #plain: boolean;

  constructor(
    bound: Bound,
    writers: readonly SinkWriter<unknown>[],
    letters: SinkWriter<RawMessage> | undefined,
    args: unknown,
  ) {
    this.bound = bound;
    this.writers = writers;
    this.letters = letters;
    this.#args = args;
    this.#emit = (value, origin) => emitTo(writers, value, origin);
    this.pool = bound.concurrency > 1 ? new KeyedPool(bound.concurrency) : undefined;
    this.#pipe = bound.pipe.length > 0 ? new Pipe(bound.pipe) : undefined;
    this.#plain = this.pool === undefined && this.#pipe === undefined;
  }

  /** Takes a message; a promise only when there is something to wait for before the next. */
  take(message: unknown, context: Context, unreadable?: Unreadable<unknown>): void | Promise<void> {
    if (this.removed) return;
    const origin = this.#originOf(message, context);
    if (this.#plain && unreadable === undefined) return this.#handle(message, origin);
    if (unreadable !== undefined) return this.#takeUnreadable(origin, unreadable);
    return this.#pipe === undefined ? this.#handleSoon(message, origin) : this.#push(origin);
  }

  #originOf(message: unknown, context: Context): Origin {
    if (this.#sender?.context !== context) this.#sender = new BatchSender(this, context);
    return { message, context, sender: this.#sender };
  }

  /** Handles what the pipe holds back. */
  async end(context: Context): Promise<void> {
    const origin = this.#originOf(undefined, context);
    try {
      await this.#pipe?.end((value) => context.failed() ? undefined : this.#handleSoon(value, origin));
    } catch (error) {
      await this.#fail(error, origin);
    }
  }

  /** The codec's turn on the ladder: it is tried again, and the message goes its way if it can be read then. */
  #takeUnreadable(origin: Origin, { error, again }: Unreadable<unknown>): void | Promise<void> {
    const { retry } = this.bound;
    if (retry === undefined) return this.#fail(error, origin);
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
    return Promise.resolve(retried(attempt, retry)).then(
      () => this.take(read!.message, origin.context),
      (last) => this.#fail(last, origin),
    );
  }

  async #push(origin: Origin): Promise<void> {
    const pipe = this.#pipe!, retry = pipe.renewable ? this.bound.retry : undefined;
    const push = () =>
      pipe.push(origin.message, (value) => this.#handleSoon(value, origin)).catch((error) => {
        // What the handler's own ladder let through is not the pipe's error.
        if (!(error instanceof HandlerError)) throw error;
        fatal = error;
      });
    let fatal: HandlerError | undefined;
    try {
      await (retry === undefined ? push() : retried(push, retry));
    } catch (error) {
      // No message can be handled any more: to skip all of them is not what a policy is for.
      return await this.#fail(error, origin, error instanceof BrokenPipeError ? "fail" : undefined);
    }
    if (fatal !== undefined) throw fatal;
  }

  /** Now, or side by side with others. */
  #handleSoon(value: unknown, origin: Origin): void | Promise<void> {
    const { pool } = this;
    if (pool === undefined) return this.#handle(value, origin);
    const { context } = origin;
    let key: unknown;
    try {
      const { by } = this.bound;
      key = comparable(by === undefined ? (value as { key?: unknown } | null)?.key : by(value));
    } catch (error) {
      return this.#fail(error, origin);
    }
    context.tasks!.begin();
    const failed = (error: unknown) => {
      context.onError(error);
      context.tasks!.end({ error });
    };
    return pool.run(key, () => {
      // It will never be done: what has not begun is left.
      if (context.failed()) return context.tasks!.end({ error: new Error("Left, since something before it failed") });
      if (context.batch?.stale?.(origin.message)) return context.tasks!.end();
      try {
        const later = this.#handle(value, origin);
        if (later === undefined) context.tasks!.end();
        else return later.then(() => context.tasks!.end(), failed);
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
    const retry = this.bound.retry!;
    let held: unknown[] = [];
    const attempt = () => {
      held = [];
      return emitAll(handler(value, this.#args), (value) => void held.push(value), origin);
    };
    /** Each value to each sink; from the one after that which had to wait. */
    const release = (from: number): void | Promise<void> => {
      for (let index = from; index < held.length * this.writers.length; index++) {
        const value = held[Math.floor(index / this.writers.length)];
        const writer = this.writers[index % this.writers.length]!;
        const later = retried(() => writer.accept(value, origin.sender, origin.message), retry);
        if (later !== undefined) return later.then(() => release(index + 1));
      }
    };
    // What fails at once is tried again later: neither throws.
    const later = retried(attempt, retry);
    const released = later === undefined ? release(0) : later.then(() => release(0));
    return released?.then(undefined, (error) => this.#fail(error, origin));
  }

  /** What a sink had accepted can't be delivered: the ladder without `retry`, since the sink has tried. */
  async undelivered(cause: unknown, origin: Origin): Promise<void> {
    await this.#fail(cause, origin);
    // The batch is settling already, and is not done before the letter is.
    await this.letters?.settle();
  }

  /** The end of the ladder. */
  #fail(
    cause: unknown,
    { message, context }: Origin,
    onError: ErrorPolicy = this.bound.onError,
  ): void | Promise<void> {
    const source = message === undefined ? undefined : context.batch?.describe?.(message);
    const error = new HandlerError({
      handler: this.bound.name,
      value: message,
      cause,
      ...(source === undefined ? {} : { source }),
    });
    if (onError === "fail") throw error;
    if (onError === "skip") return;
    const wrapped = (failure: unknown) =>
      failure instanceof HandlerError ? failure : new HandlerError({
        handler: this.bound.name,
        value: message,
        cause: failure,
        ...(source === undefined ? {} : { source }),
      });
    try {
      const later = this.letters === undefined
        ? (onError as (error: HandlerError) => unknown)(error)
        : this.letters.accept(deadLetter(error, context.batch, message), {
          undelivered: (failure) => {
            throw wrapped(failure);
          },
        });
      if (isThenable(later)) {
        return Promise.resolve(later).then(() => {}, (failure) => Promise.reject(wrapped(failure)));
      }
    } catch (failure) {
      throw wrapped(failure);
    }
  }
}

function emitTo(
  writers: readonly SinkWriter<unknown>[],
  value: unknown,
  origin: Origin,
): void | Promise<void> {
  for (let index = 0; index < writers.length; index++) {
    const later = writers[index]!.accept(value, origin.sender, origin.message);
    if (later !== undefined) return later.then(() => emitTo(writers.slice(index + 1), value, origin));
  }
}
