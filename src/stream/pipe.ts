/**
 * What stands between a source and a handler: Web Streams and generators, one after the other.
 *
 * @module
 */

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

type AnyStage = PipeStage<unknown, unknown>;

/**
 * Checks a stage.
 *
 * @throws {TypeError} If it is none.
 */
export function checkStage(stage: unknown): void {
  if (typeof stage === "function") return;
  if (!isStream(stage)) {
    throw new TypeError(
      "A stage of a pipe must be a TransformStream, a function that makes one, or a function of an async iterable that returns one",
    );
  }
  checkFree(stage);
}

function isStream(stage: unknown): stage is StreamStage<unknown, unknown> {
  const { readable, writable } = (stage ?? {}) as Record<string, unknown>;
  return readable instanceof ReadableStream && writable instanceof WritableStream;
}

function checkFree({ readable, writable }: StreamStage<unknown, unknown>): void {
  if (!readable.locked && !writable.locked) return;
  throw new TypeError(
    "A TransformStream of a pipe is in use, or was in an earlier run: give a function that makes one",
  );
}

/** Nothing can go through a pipe any more. */
export class BrokenPipeError extends Error {
  /** The class's name. */
  override readonly name = "BrokenPipeError";
}

/**
 * Messages are pushed in and what comes out is handled.
 *
 * Stages are pulled: a push is over when the first stage asks for the next message, and by then everything that they
 * made of this one has been handled. What a stage holds back, to emit it with a later message, is the exception.
 */
export class Pipe {
  readonly #stages: readonly AnyStage[];
  #handle: (value: unknown) => void | Promise<void> = () => {};
  #ask: ((result: IteratorResult<unknown, undefined>) => void) | undefined;
  #state: "new" | "going" | "over" = "new";
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #turn: Promise<void> = Promise.resolve();
  #ending = false;

  /** Whether it can go on with new stages after an error. */
  readonly renewable: boolean;
  #broken: unknown;

  /** @throws {TypeError} If a stream is in use. */
  constructor(stages: readonly AnyStage[]) {
    for (const stage of stages) if (typeof stage !== "function") checkFree(stage);
    this.#stages = stages;
    this.renewable = stages.every((stage) => typeof stage === "function");
  }

  /**
   * Resolves when the message is through. After an error the next push begins with new stages.
   *
   * @throws {BrokenPipeError} If there was an error, and a stage can't be made anew.
   */
  push(message: unknown, handle: (value: unknown) => void | Promise<void>): Promise<void> {
    const pushed = this.#turn.then(() => this.#push(message, handle));
    this.#turn = pushed.catch(() => {});
    return pushed;
  }

  async #push(message: unknown, handle: (value: unknown) => void | Promise<void>): Promise<void> {
    if (this.#broken !== undefined) {
      throw new BrokenPipeError(
        "the pipe can't go on, since its TransformStream ended with the error before: give a function that makes one",
        { cause: this.#broken },
      );
    }
    this.#handle = handle;
    if (this.#state === "new") this.#start();
    await this.#asked();
    const ask = this.#ask;
    // Stages that have ended take no more.
    if (ask === undefined) return;
    this.#ask = undefined;
    ask({ done: false, value: message });
    await this.#asked();
  }

  /** Lets the stages end, and handles what they still emit. */
  async end(handle: (value: unknown) => void | Promise<void>): Promise<void> {
    await this.#turn;
    if (this.#state !== "going") return;
    this.#handle = handle;
    this.#ending = true;
    this.#ask?.({ done: true, value: undefined });
    this.#ask = undefined;
    await this.#asked();
  }

  /** Resolves when the first stage asks, or all have ended. */
  async #asked(): Promise<void> {
    while (this.#ask === undefined && this.#state === "going") {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const failure = this.#failure;
    if (failure === undefined) return;
    this.#failure = undefined;
    this.#state = "new";
    if (!this.renewable) this.#broken = failure.error ?? new Error("It failed without a reason");
    throw failure.error;
  }

  #start(): void {
    this.#state = "going";
    const input: AsyncIterableIterator<unknown, undefined> = {
      [Symbol.asyncIterator]: () => input,
      next: () =>
        new Promise((resolve) => {
          if (this.#ending) return resolve({ done: true, value: undefined });
          this.#ask = resolve;
          this.#wake?.();
        }),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
    this.#run(input).catch((error) => this.#failure = { error }).finally(() => {
      this.#state = "over";
      this.#ask = undefined;
      this.#wake?.();
    });
  }

  async #run(input: AsyncIterable<unknown>): Promise<void> {
    const output = this.#stages.reduce<AsyncIterable<unknown>>((messages, stage) => {
      const made = typeof stage === "function" ? stage(messages) : stage;
      return isStream(made) ? through(messages, made) : made;
    }, input);
    for await (const value of output) {
      const later = value === undefined ? undefined : this.#handle(value);
      if (later !== undefined) await later;
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
