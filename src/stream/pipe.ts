/**
 * What stands between a source and a handler: Web Streams and generators, one after the other.
 *
 * @module
 */

import { describe } from "../options/describe.ts";
import { yieldToEventLoop } from "./yield_to_event_loop.ts";

/** A TransformStream, or what else has its two ends. */
export interface StreamStage<I, O> {
  /** Where what comes out is read. */
  readonly readable: ReadableStream<O>;
  /** Where what goes in is written. */
  readonly writable: WritableStream<I>;
}

/**
 * A stage: a function from the messages to what is made of them, such as an async generator function; a TransformStream;
 * or a function that makes one. A TransformStream serves one run, and ends with its first error: what functions make
 * is made anew.
 *
 * @typeParam I what goes in
 * @typeParam O what comes out
 */
export type PipeStage<I, O> =
  | ((messages: AsyncIterable<I>) => AsyncIterable<O> | StreamStage<I, O>)
  | StreamStage<I, O>;

/**
 * From one stage to ten, in order, each of which takes what the one before it emits. For more, write a stage that is made
 * of others: `(messages) => third(second(first(messages)))`.
 *
 * @typeParam I what the first stage takes
 */
export type Pipe<I, O1, O2, O3, O4, O5, O6, O7, O8, O9, O10> = readonly [
  PipeStage<I, O1>,
  PipeStage<O1, O2>?,
  PipeStage<O2, O3>?,
  PipeStage<O3, O4>?,
  PipeStage<O4, O5>?,
  PipeStage<O5, O6>?,
  PipeStage<O6, O7>?,
  PipeStage<O7, O8>?,
  PipeStage<O8, O9>?,
  PipeStage<O9, O10>?,
];

type AnyStage = PipeStage<unknown, unknown>;

/** Why something is no stage; `undefined` if it is one. */
export function stageProblem(stage: unknown): string | undefined {
  if (typeof stage === "function") return;
  if (isStream(stage)) return isFree(stage) ? undefined : IN_USE;
  return "a stage of a pipe must be a TransformStream, a function that makes one, or a function of an async iterable that " +
    `returns one: got ${describe(stage)}`;
}

function isStream(stage: unknown): stage is StreamStage<unknown, unknown> {
  const { readable, writable } = (stage ?? {}) as Record<string, unknown>;
  return readable instanceof ReadableStream && writable instanceof WritableStream;
}

const IN_USE = "a TransformStream of a pipe is in use, or was in an earlier run: give a function that makes one";

function isFree({ readable, writable }: StreamStage<unknown, unknown>): boolean {
  return !readable.locked && !writable.locked;
}

/** Nothing can go through a pipe any more. */
export class BrokenPipeError extends Error {
  /** The class's name. */
  override readonly name = "BrokenPipeError";
}

/** Receives what a pipe does by itself: between messages, or at its end. Neither function throws or rejects. */
export interface PipeEvents {
  /** A value was emitted; the pipe goes on when the promise resolves. */
  handle(value: unknown): void | Promise<void>;
  /** A stage failed. */
  fail(error: unknown): void | Promise<void>;
}

/** Answers the first stage, which has asked for a message. */
type Ask = (result: IteratorResult<unknown, undefined>) => void;
/** Handles a value that a pipe made of a message. */
type Handle = (value: unknown) => void | Promise<void>;

/**
 * Messages are pushed in and what comes out is handled.
 *
 * Stages are pulled: a push is over when the first stage asks for the next message, and by then everything that they
 * made of this one has been handled. What a stage emits later than that, it emits by itself; so does one that asks ahead.
 */
export class RunningPipe {
  readonly #stages: readonly AnyStage[];
  readonly #events: PipeEvents;
  /** Of the message that is being pushed. */
  #handle: Handle | undefined;
  /** In order; more than one when the first stage asks ahead. */
  #asks: Ask[] = [];
  #state: "new" | "going" | "ended" | "failed" = "new";
  #failure: { readonly error: unknown } | undefined;
  /** A message waits for new stages, which have not asked for it yet: their failure is its failure. */
  #isStarting = false;
  #wake: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #releasing: Promise<void> | undefined;
  /** A value of the message that is being pushed is handled, or has failed: the push is not over. */
  #busy = false;
  #ending = false;

  /** Whether it can go on with new stages after an error. */
  readonly isRenewable: boolean;
  #broken: unknown;

  /** @throws {TypeError} If a stream is in use. */
  constructor(stages: readonly AnyStage[], events: PipeEvents) {
    if (!stages.every((stage) => typeof stage === "function" || isFree(stage))) throw new TypeError(IN_USE);
    this.#stages = stages;
    this.#events = events;
    this.isRenewable = stages.every((stage) => typeof stage === "function");
  }

  /** Whether the stages have ended, though there may be more messages: they take none. */
  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /**
   * Resolves when the message is through: with `false` if the stages have ended before they got it. After an error the
   * next push begins with new stages.
   *
   * @param release called when the stages are through with the message, and before what they emit by themselves is handled;
   * never rejects
   * @throws {BrokenPipeError} If there was an error, and a stage can't be made anew.
   * @throws what a stage or `handle` throws
   */
  push(message: unknown, handle: Handle, release?: () => Promise<void>): Promise<boolean> {
    const pushed = this.#turn.then(() => this.#push(message, handle, release));
    this.#turn = pushed.catch(() => {});
    return pushed;
  }

  async #push(message: unknown, handle: Handle, release?: () => Promise<void>): Promise<boolean> {
    let ask: Ask | undefined;
    while ((ask = this.#asks.shift()) === undefined) {
      if (this.#state === "ended") return false;
      if (this.#broken !== undefined) {
        throw new BrokenPipeError(
          "the pipe can't go on, since its TransformStream ended with the error before: give a function that makes one",
          { cause: this.#broken },
        );
      }
      if (this.#state !== "going") {
        this.#isStarting = true;
        this.#start();
      }
      await this.#asked();
      this.#throwFailure();
    }
    this.#isStarting = false;
    this.#handle = handle;
    ask({ done: false, value: message });
    await this.#asked();
    this.#handle = undefined;
    this.#throwFailure();
    if (release !== undefined) {
      await (this.#releasing = release());
      this.#releasing = undefined;
    }
    return true;
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    this.#isStarting = false;
    if (failure !== undefined) throw failure.error;
  }

  /** Lets the stages end. Resolves when what they still emit is handled. */
  async end(): Promise<void> {
    await this.#turn;
    this.#ending = true;
    for (const ask of this.#asks.splice(0)) ask({ done: true, value: undefined });
    await this.#asked();
  }

  /** Resolves when the first stage asks, and what came out is handled; or the stages are over. */
  async #asked(): Promise<void> {
    while ((this.#asks.length === 0 || this.#busy) && this.#state === "going") {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #start(): void {
    this.#state = "going";
    this.#busy = false;
    const input: AsyncIterableIterator<unknown, undefined> = {
      [Symbol.asyncIterator]: () => input,
      next: () =>
        new Promise((resolve) => {
          if (this.#ending) return resolve({ done: true, value: undefined });
          this.#asks.push(resolve);
          this.#wake?.();
        }),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
    this.#run(input).then(() => this.#over("ended"), async (error) => {
      if (!this.isRenewable) this.#broken = error ?? new Error("It failed without a reason");
      if (this.#handle === undefined && !this.#isStarting) await this.#events.fail(error);
      else this.#failure = { error };
      this.#over("failed");
    });
  }

  #over(state: "ended" | "failed"): void {
    this.#state = state;
    this.#asks = [];
    this.#wake?.();
  }

  async #run(input: AsyncIterable<unknown>): Promise<void> {
    const output = this.#stages.reduce<AsyncIterable<unknown>>((messages, stage) => {
      const made = typeof stage === "function" ? stage(messages) : stage;
      return isStream(made) ? through(messages, made) : made;
    }, input);
    for await (const value of output) {
      if (value === undefined) continue;
      if (this.#releasing !== undefined) await this.#releasing;
      const handle = this.#handle ?? this.#events.handle;
      // A stage may ask for the next message while this one is handled.
      this.#busy = this.#handle !== undefined;
      const later = handle(value);
      if (later !== undefined) await later;
      const turn = yieldToEventLoop();
      if (turn !== undefined) await turn;
      if (!this.#busy) continue;
      this.#busy = false;
      this.#wake?.();
    }
  }
}

/**
 * A stream as a stage. The next message is asked for when what the stream made of this one was read: its write is
 * over, and no read is answered.
 */
async function* through(
  messages: AsyncIterable<unknown>,
  { readable, writable }: StreamStage<unknown, unknown>,
): AsyncGenerator<unknown> {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  writer.closed.catch(() => {}); // its writes tell
  // Not a race of promises: a read that waits long would keep what every write left behind.
  let wake: (() => void) | undefined;
  interface Read {
    result?: ReadableStreamReadResult<unknown>;
    readonly promise: Promise<void>;
  }
  const read = () => {
    const one: Read = { promise: reader.read().then((result) => void (one.result = result)) };
    one.promise.catch(() => {}).finally(() => wake?.());
    return one;
  };
  let reading = read();
  let ended = false;
  try {
    for await (const message of messages) {
      yield* between(writer.write(message));
      if (ended) return;
    }
    yield* between(writer.close());
    while (!ended) yield* one();
    ended = true;
  } finally {
    if (!ended) {
      writer.abort().catch(() => {});
      reader.cancel().catch(() => {});
    }
  }

  /** What can be read until a write is over. */
  async function* between(writing: Promise<void>): AsyncGenerator<unknown> {
    let written = false;
    const writes = writing.finally(() => {
      written = true;
      wake?.();
    });
    writes.catch(() => {});
    while (!written && !ended) {
      if (reading.result !== undefined) yield* one();
      else await new Promise<void>((resolve) => wake = resolve);
    }
    if (!ended) await writes;
    // What was enqueued before the write was over answers within two turns of the queue.
    for (let turn = 0; turn < 3 && !ended; turn++) {
      if (reading.result === undefined) await undefined;
      else {
        yield* one();
        turn = 0;
      }
    }
  }

  async function* one(): AsyncGenerator<unknown> {
    await reading.promise;
    const { done, value } = reading.result!;
    if (done) {
      ended = true;
      return;
    }
    reading = read();
    yield value;
  }
}
