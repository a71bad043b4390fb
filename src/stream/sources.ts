/**
 * Sources: everything that `handle()` can read, adapted to a reader of batches.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { pullReader } from "../protocol/batch_reader.ts";
import { ITERABLE_BATCH_MESSAGES } from "./limits.ts";
import { type Batch, type BatchSource, openSource, type SourceReader } from "../protocol/protocol.ts";

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

/**
 * The messages of a source.
 *
 * @typeParam S the source
 */
export type MessageOf<S> = S extends BatchSource<infer T> ? T
  : S extends { readonly readable: ReadableStream<infer T> } ? T
  : S extends ReadableStream<infer T> ? T
  : S extends AsyncIterable<infer T> ? T
  : S extends Iterable<infer T> ? T
  : never;

/** A source of any messages. */
export type AnySource = Source<never> | Source<unknown>;
/**
 * The messages of a source, or of an array of sources. Elements of an array that can be read are sources; strings,
 * numbers, arrays, bytes and other objects in it are messages.
 *
 * @typeParam S the source, or the array
 */
export type Messages<S> = S extends readonly (infer One)[] ? (
    One extends string | readonly unknown[] | ArrayBufferView ? One : One extends AnySource ? MessageOf<One> : One
  )
  : MessageOf<S>;

/** Why a value is not a source; `undefined` if it is one. */
export function sourceProblem(source: unknown): string | undefined {
  if (typeof source === "object" || typeof source === "function") {
    const some = source as Record<PropertyKey, unknown> | null;
    if (some !== null && typeof some[openSource] === "function") return;
    if (some !== null && (some.readable instanceof ReadableStream || isIterable(some) || isAsyncIterable(some))) return;
  }
  const got = typeof source === "string"
    ? "a string, which would be read character by character"
    : typeof source === "function"
    ? "a function: if it makes a source, as a generator function does, pass what it returns"
    : describeValue(source);
  return `a source must be iterable, async iterable, a ReadableStream, or have .readable (such as a Topic): got ${got}`;
}

/** Starts reading a source, whatever kind it is. */
export function openAnySource<T>(source: Source<T>): SourceReader<T> {
  if (openSource in source) return source[openSource]();
  if (source instanceof ReadableStream) return fromStream(source);
  // Not `"readable" in source`: streams of Node.js have a `readable` that is a boolean, and are async iterable.
  if ("readable" in source && source.readable instanceof ReadableStream) return fromStream(source.readable);
  return isAsyncIterable(source) ? fromAsyncIterable(source as AsyncIterable<T>) : fromIterable(source as Iterable<T>);
}

/** The value of the `yield` at which an async generator waits, when its source is paused or resumed. */
type PauseSignal = "pause" | "resume";

/** The methods `pause` and `resume` of a source that is not a generator. */
function pauseMethods(source: object): Pick<SourceReader<unknown>, "pause" | "resume"> {
  const { pause, resume } = source as { pause?: unknown; resume?: unknown };
  return {
    ...(typeof pause === "function" ? { pause: () => void pause.call(source) } : {}),
    ...(typeof resume === "function" ? { resume: () => void resume.call(source) } : {}),
  };
}

function fromStream<T>(stream: ReadableStream<T>): SourceReader<T> {
  const reader = stream.getReader();
  // Not the stream's iterator: its `return()` waits for a read that may never be answered. `cancel()` answers the read.
  return pullReader<T, T>({
    next: () => reader.read() as Promise<IteratorResult<T, unknown>>,
    batchOf,
    end: () => reader.cancel(),
    close: () => reader.releaseLock(),
  });
}

function fromAsyncIterable<T>(source: AsyncIterable<T>): SourceReader<T> {
  const iterator = source[Symbol.asyncIterator]();
  const end = async () => await iterator.return?.();
  const isGenerator = Object.prototype.toString.call(source) === "[object AsyncGenerator]";
  if (isGenerator) return fromAsyncGenerator(iterator as AsyncGenerator<T, unknown, PauseSignal | undefined>, end);
  return { ...pullReader<T, T>({ next: async () => await iterator.next(), batchOf, end }), ...pauseMethods(source) };
}

/** Passes pauses to a generator as the value of the `yield` where it waits. */
function fromAsyncGenerator<T>(
  generator: AsyncGenerator<T, unknown, PauseSignal | undefined>,
  end: () => Promise<unknown>,
): SourceReader<T> {
  /** What the generator yields in answer to a signal, in order: a message, or `undefined` for none. */
  const answers: Promise<IteratorResult<T, unknown>>[] = [];
  let hasBegun = false, isOver = false;
  const signal = (which: PauseSignal) => {
    // A generator that has not begun waits at no `yield`.
    if (!hasBegun || isOver) return;
    const answer = generator.next(which);
    answer.catch(() => {}); // The pull that awaits it rejects.
    answers.push(answer);
  };
  const next = async (): Promise<IteratorResult<T, unknown>> => {
    try {
      for (let answer; (answer = answers.shift()) !== undefined;) {
        const result = await answer;
        if (result.done || result.value !== undefined) return ended(result);
      }
      hasBegun = true;
      return ended(await generator.next());
    } catch (error) {
      isOver = true;
      throw error;
    }
  };
  const ended = (result: IteratorResult<T, unknown>) => {
    if (result.done) isOver = true;
    return result;
  };
  const reader = pullReader<T, T>({
    next,
    batchOf,
    end: () => {
      isOver = true;
      return end();
    },
  });
  return { ...reader, pause: () => signal("pause"), resume: () => signal("resume") };
}

function batchOf<T>(message: T): Batch<T> {
  return { messages: [message], done() {} };
}

function fromIterable<T>(source: Iterable<T>): SourceReader<T> {
  const iterator = source[Symbol.iterator]();
  let isStopped = false, hasEnded = false;
  function* nextMessages(): Generator<T, void, undefined> {
    for (let count = 0; count < ITERABLE_BATCH_MESSAGES && !isStopped && !hasEnded; count++) {
      hasEnded = true; // An iterator whose `next()` throws has ended.
      const { done, value } = iterator.next();
      if (done) return;
      hasEnded = false;
      yield value;
    }
  }
  return {
    batches: new ReadableStream<Batch<T>>({
      pull(controller) {
        if (isStopped || hasEnded) return controller.close();
        controller.enqueue({ messages: nextMessages(), done() {} });
      },
      cancel: () => void (isStopped = true),
    }, { highWaterMark: 0 }),
    ...pauseMethods(source),
    // A generator that stops its own run is running now, and its `return()` would throw: `close()` calls it.
    stop: () => void (isStopped = true),
    close: () => {
      if (hasEnded) return Promise.resolve();
      hasEnded = true;
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
