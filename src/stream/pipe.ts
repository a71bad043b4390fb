/**
 * Pipes: stages between a source and a handler.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { yieldToEventLoop } from "../async/yield_to_event_loop.ts";

/** A TransformStream, or another object with a readable and a writable stream. */
export interface StreamStage<I, O> {
  /** The stream of what the stage emits. */
  readonly readable: ReadableStream<O>;
  /** The stream that takes what goes in. */
  readonly writable: WritableStream<I>;
}

/**
 * A stage of a pipe: a function from an async iterable to another, such as an async generator function; a TransformStream; or
 * a function that makes a TransformStream.
 *
 * A function is called anew for each run, and after an error. A TransformStream itself serves one run, and ends with its
 * first error.
 *
 * @typeParam I what the stage takes
 * @typeParam O what the stage emits
 */
export type PipeStage<I, O> =
  | ((messages: AsyncIterable<I>) => AsyncIterable<O> | StreamStage<I, O>)
  | StreamStage<I, O>;

/**
 * One to ten stages, in order. Each takes what the one before it emits. For more stages, combine some in a function:
 * `(messages) => third(second(first(messages)))`.
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
    `returns one: got ${describeValue(stage)}`;
}

function isStream(stage: unknown): stage is StreamStage<unknown, unknown> {
  const { readable, writable } = (stage ?? {}) as Record<string, unknown>;
  return readable instanceof ReadableStream && writable instanceof WritableStream;
}

const IN_USE = "a TransformStream of a pipe is in use, or was in an earlier run: give a function that makes one";

function isFree({ readable, writable }: StreamStage<unknown, unknown>): boolean {
  return !readable.locked && !writable.locked;
}

/** The error of a message that a pipe can't take, because one of its TransformStreams has ended with an error. */
export class BrokenPipeError extends Error {
  /** The class's name. */
  override readonly name = "BrokenPipeError";
}

/** Receives what a pipe emits between messages or at its end, when no message is in it. The functions never throw or reject. */
export interface PipeEvents {
  /** Called with a value that a stage emits. The pipe goes on when the promise resolves. */
  handle(value: unknown): void | Promise<void>;
  /** Called when a stage fails. */
  fail(error: unknown): void | Promise<void>;
}

/** Answers the first stage, which has asked for a message. */
type Ask = (result: IteratorResult<unknown, undefined>) => void;
/** Handles a value that a pipe made of a message. */
type Handle = (value: unknown) => void | Promise<void>;

/**
 * A pipe in a run: messages are pushed into its first stage, and what the last stage emits is handled.
 *
 * Stages pull. A push is over when the first stage asks for the next message; by then, everything that the stages made of
 * this one is handled. Values that a stage emits after that, or because it has asked ahead, are passed to `PipeEvents`.
 */
export class RunningPipe {
  readonly #stages: readonly AnyStage[];
  readonly #events: PipeEvents;
  /** Handles what the stages make of the message that is being pushed. */
  #handle: Handle | undefined;
  /** The first stage's requests for messages, in order: more than one if it asks ahead. */
  #asks: Ask[] = [];
  #state: "new" | "going" | "ended" | "failed" = "new";
  #failure: { readonly error: unknown } | undefined;
  /** A message waits until new stages ask for it. If they fail before, it is the failure of the message. */
  #isStarting = false;
  #wake: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #releasing: Promise<void> | undefined;
  /** A value made of the message that is being pushed is at its handler: the push is not over. */
  #busy = false;
  #ending = false;

  /** Whether new stages can be made after an error: whether all of them are functions. */
  readonly isRenewable: boolean;
  #broken: unknown;

  /** @throws {TypeError} If a stream is in use. */
  constructor(stages: readonly AnyStage[], events: PipeEvents) {
    if (!stages.every((stage) => typeof stage === "function" || isFree(stage))) throw new TypeError(IN_USE);
    this.#stages = stages;
    this.#events = events;
    this.isRenewable = stages.every((stage) => typeof stage === "function");
  }

  /** Whether the stages have ended by themselves: they take no more messages. */
  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /**
   * Pushes a message through the stages. Resolves with `true` when everything that they made of it is handled, or with
   * `false` if they ended before they got it. After an error, the next push makes new stages.
   *
   * @param release called when the stages are done with the message, before values that they emit by themselves are
   * handled; never rejects
   * @throws {BrokenPipeError} If a stage failed before, and can't be made anew.
   * @throws The error of a stage, or of `handle`.
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

  /** Ends the input of the stages. Resolves when what they still emit is handled. */
  async end(): Promise<void> {
    await this.#turn;
    this.#ending = true;
    for (const ask of this.#asks.splice(0)) ask({ done: true, value: undefined });
    await this.#asked();
  }

  /** Resolves when the first stage asks for a message and everything emitted is handled, or when the stages have ended. */
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
 * Runs a TransformStream as a stage. It asks for the next message when it has read what the stream made of this one: when
 * the write has ended and no further read is answered.
 */
async function* through(
  messages: AsyncIterable<unknown>,
  { readable, writable }: StreamStage<unknown, unknown>,
): AsyncGenerator<unknown> {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  writer.closed.catch(() => {}); // each write rejects with it
  // A flag and a wake-up, no Promise.race(): a read that waits long would keep alive what every race has left.
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

  /** Yields what can be read until a write has ended. */
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
    // A read of what was enqueued before the end of the write is answered within two turns of the microtask queue.
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
