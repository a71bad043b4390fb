/**
 * What stands between a source and a handler: Web Streams and generators, one after the other.
 *
 * @module
 */

/**
 * A stage: a function from the messages to what is made of them, such as an async generator function, or a
 * TransformStream.
 *
 * @typeParam I what goes in
 * @typeParam O what comes out
 */
export type PipeStage<I, O> =
  | ((messages: AsyncIterable<I>) => AsyncIterable<O>)
  | { readonly readable: ReadableStream<O>; readonly writable: WritableStream<I> };

type AnyStage = PipeStage<unknown, unknown>;

/**
 * Checks a stage.
 *
 * @throws {TypeError} If it is none.
 */
export function checkStage(stage: unknown): void {
  if (typeof stage === "function") return;
  const { readable, writable } = (stage ?? {}) as Record<string, unknown>;
  if (readable instanceof ReadableStream && writable instanceof WritableStream) return;
  throw new TypeError(
    "A stage of a pipe must be a TransformStream, or a function of an async iterable that returns one",
  );
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

  constructor(stages: readonly AnyStage[]) {
    this.#stages = stages;
  }

  /**
   * Resolves when the message is through. After an error the next push begins with new stages, as far as they are
   * functions.
   */
  push(message: unknown, handle: (value: unknown) => void | Promise<void>): Promise<void> {
    const pushed = this.#turn.then(() => this.#push(message, handle));
    this.#turn = pushed.catch(() => {});
    return pushed;
  }

  async #push(message: unknown, handle: (value: unknown) => void | Promise<void>): Promise<void> {
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
    const output = this.#stages.reduce<AsyncIterable<unknown>>(
      (messages, stage) => typeof stage === "function" ? stage(messages) : through(messages, stage),
      input,
    );
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
  { readable, writable }: { readonly readable: ReadableStream<unknown>; readonly writable: WritableStream<unknown> },
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
