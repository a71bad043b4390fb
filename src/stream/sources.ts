/**
 * Sources: everything that can be read, adapted to a reader of batches.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { type Batch, type BatchSource, openSource, type SourceReader } from "./protocol.ts";

/**
 * What `handle()` reads from: an iterable, an async iterable, a ReadableStream, an object with one as `.readable`, a Topic
 * or a Cache.
 *
 * @typeParam T a message
 */
export type Source<T> =
  | BatchSource<T>
  | { readonly readable: ReadableStream<T> }
  | ReadableStream<T>
  | AsyncIterable<T>
  | Iterable<T>;

/** The messages of a source. */
export type MessageOf<S> = S extends BatchSource<infer T> ? T
  : S extends { readonly readable: ReadableStream<infer T> } ? T
  : S extends ReadableStream<infer T> ? T
  : S extends AsyncIterable<infer T> ? T
  : S extends Iterable<infer T> ? T
  : never;

/** How long a stopped generator may take to run its finally blocks before `stream()` ends without it. */
const FINALLY_MS = 1000;
/** How many messages of an iterable make a batch. The batch pulls them from the iterable one by one. */
const BATCH_MESSAGES = 1000;

/** Why something can't be read; `undefined` if it can. */
export function sourceProblem(source: unknown): string | undefined {
  if (typeof source === "object" || typeof source === "function") {
    const some = source as Record<PropertyKey, unknown> | null;
    if (some !== null && typeof some[openSource] === "function") return;
    if (some !== null && (some.readable instanceof ReadableStream || isIterable(some) || isAsyncIterable(some))) return;
  }
  const got = typeof source === "string"
    ? "a string, which would be read character by character"
    : typeof source === "function"
    ? "a function; one that makes a source, such as a generator function, has to be called"
    : describeValue(source);
  return `a source must be iterable, async iterable, a ReadableStream, or have .readable (such as a Topic): got ${got}`;
}

/** Starts reading a source. */
export function openAnySource<T>(source: Source<T>): SourceReader<T> {
  if (openSource in source) return source[openSource]();
  if (source instanceof ReadableStream) return fromStream(source);
  // Not `"readable" in source`: streams of Node.js have a `readable` that is a boolean, and are async iterable.
  if ("readable" in source && source.readable instanceof ReadableStream) return fromStream(source.readable);
  return isAsyncIterable(source) ? fromAsync(source as AsyncIterable<T>) : fromSync(source as Iterable<T>);
}

/** The value that an async generator gets from a `yield` when its source is paused or resumed. */
type Signal = "pause" | "resume";

/** The calls by which a source is told that it is paused or resumed. */
type Listener = Pick<SourceReader<unknown>, "pause" | "resume">;

/** The methods `pause` and `resume` of a source that is no generator. */
function listener(source: object): Listener {
  const { pause, resume } = source as { pause?: unknown; resume?: unknown };
  return {
    ...(typeof pause === "function" ? { pause: () => void pause.call(source) } : {}),
    ...(typeof resume === "function" ? { resume: () => void resume.call(source) } : {}),
  };
}

/** What `readOneByOne` pulls messages from. */
interface Pulled<T> {
  next(signal?: Signal): Promise<IteratorResult<T, unknown>>;
  /** Ends the iteration or cancels the stream; called once. */
  end(): Promise<unknown>;
  /** Called after the last message is handled, or when `end()` takes too long. */
  release?(): void;
}

function fromStream<T>(stream: ReadableStream<T>): SourceReader<T> {
  const reader = stream.getReader();
  // Not the stream's iterator: its return() waits for a read that may never be answered, cancel() answers it.
  return readOneByOne({
    next: () => reader.read() as Promise<IteratorResult<T, unknown>>,
    end: () => reader.cancel(),
    release: () => reader.releaseLock(),
  });
}

function fromAsync<T>(source: AsyncIterable<T>): SourceReader<T> {
  const iterator = source[Symbol.asyncIterator]();
  const pulled: Pulled<T> = {
    next: async (signal) => await (signal === undefined ? iterator.next() : iterator.next(signal as never)),
    end: async () => await iterator.return?.(),
  };
  const listens = Object.prototype.toString.call(source) === "[object AsyncGenerator]";
  return { ...readOneByOne(pulled, listens), ...(listens ? {} : listener(source)) };
}

/** Reads messages one by one: each is a batch, so that it is handled as soon as it comes. */
function readOneByOne<T>({ next, end, release }: Pulled<T>, listens = false): SourceReader<T> {
  /** What the generator yields in answer to signals, in order: messages, unless they are `undefined`. */
  const answers: Promise<IteratorResult<T, unknown>>[] = [];
  let begun = false;
  const signal = (which: Signal) => {
    // A generator that has not begun has no `yield` to listen at.
    if (!begun || ended) return;
    const answer = next(which);
    answer.catch(() => {}); // the pull that awaits it rejects
    answers.push(answer);
  };
  const pull = async (): Promise<IteratorResult<T, unknown>> => {
    for (let answer; (answer = answers.shift()) !== undefined;) {
      const result = await answer;
      if (result.done || result.value !== undefined) return result;
    }
    begun = true;
    return await next();
  };
  let ended = false;
  let cancelled = false;
  // The wait of the present pull only. A race with one promise for the whole run would keep every message alive.
  let wake: (() => void) | undefined;
  let ending: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  const stop = () => {
    if (ended) return;
    ended = true;
    ending = end();
    ending.catch(() => {}); // close() rejects with it
    wake?.();
  };
  return {
    batches: new ReadableStream<Batch<T>>({
      pull: (controller) =>
        new Promise<void>((resolve, reject) => {
          let waiting = true;
          const settle = (then: () => void) => {
            if (!waiting) return;
            waiting = false;
            wake = undefined;
            then();
            resolve();
          };
          // What was cancelled is closed already, and can't be again.
          wake = () => settle(() => cancelled || controller.close());
          if (ended) return wake();
          (listens ? pull() : next()).then(
            ({ done, value }) =>
              settle(() => {
                if (!done) return controller.enqueue({ messages: [value as T], done() {} });
                ended = true;
                controller.close();
              }),
            (error) => {
              if (!waiting) return; // it was stopped meanwhile
              ended = true;
              reject(error);
            },
          );
        }),
      cancel: () => {
        cancelled = true;
        stop();
      },
    }, { highWaterMark: 0 }),
    stop,
    ...(listens ? { pause: () => signal("pause"), resume: () => signal("resume") } : {}),
    close: () =>
      closing ??= (async () => {
        stop();
        let timer: ReturnType<typeof setTimeout> | undefined;
        const late = new Promise<void>((resolve) => timer = setTimeout(resolve, FINALLY_MS));
        try {
          // A generator can end only after what it awaits, which may never come.
          await Promise.race([ending, late]);
        } finally {
          clearTimeout(timer);
          release?.();
        }
      })(),
  };
}

function fromSync<T>(source: Iterable<T>): SourceReader<T> {
  const iterator = source[Symbol.iterator]();
  let stopped = false;
  let ended = false;
  function* some(): Generator<T, void, undefined> {
    for (let count = 0; count < BATCH_MESSAGES && !stopped && !ended; count++) {
      ended = true; // so it is, when next() throws
      const { done, value } = iterator.next();
      if (done) return;
      ended = false;
      yield value;
    }
  }
  return {
    batches: new ReadableStream<Batch<T>>({
      pull(controller) {
        if (stopped || ended) return controller.close();
        controller.enqueue({ messages: some(), done() {} });
      },
      cancel: () => void (stopped = true),
    }, { highWaterMark: 0 }),
    ...listener(source),
    // A generator that stops its own run is running now, so its return() would throw: close() calls it.
    stop: () => void (stopped = true),
    close: () => {
      if (ended) return Promise.resolve();
      ended = true;
      try {
        iterator.return?.();
        return Promise.resolve();
      } catch (error) {
        return Promise.reject(error);
      }
    },
  };
}

function isIterable(value: object): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function";
}

function isAsyncIterable(value: object): value is AsyncIterable<never> {
  return typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function";
}
