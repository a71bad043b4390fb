/**
 * Everything that can be read, as a source of batches.
 *
 * @module
 */

import { type Batch, type BatchSource, openSource, type SourceReader } from "./protocol.ts";

/** What `handle()` reads from. */
export type Source<T> =
  | BatchSource<T>
  | { readonly readable: ReadableStream<T> }
  | ReadableStream<T>
  | AsyncIterable<T>
  | Iterable<T>;

/** What a source's messages are. */
export type MessageOf<S> = S extends BatchSource<infer T> ? T
  : S extends { readonly readable: ReadableStream<infer T> } ? T
  : S extends ReadableStream<infer T> ? T
  : S extends AsyncIterable<infer T> ? T
  : S extends Iterable<infer T> ? T
  : never;

/** How long a stopped generator may take to run its finally blocks before `stream()` ends without it. */
const FINALLY_MS = 1000;
/** How many messages of an iterable make a batch. They are pulled one by one all the same. */
const BATCH_MESSAGES = 1000;

/**
 * Checks a source.
 *
 * @throws {TypeError} If it is nothing that can be read.
 */
export function checkSource(source: unknown): void {
  if (typeof source === "object" || typeof source === "function") {
    const some = source as Record<PropertyKey, unknown> | null;
    if (some !== null && typeof some[openSource] === "function") return;
    if (some !== null && (some.readable instanceof ReadableStream || isIterable(some) || isAsyncIterable(some))) return;
  }
  const got = typeof source === "string" ? "a string, which would be read character by character" : describe(source);
  throw new TypeError(
    `A source must be iterable, async iterable, a ReadableStream, or have .readable (such as a Topic): got ${got}`,
  );
}

/** Starts reading a source. */
export function openAnySource<T>(source: Source<T>): SourceReader<T> {
  if (openSource in source) return source[openSource]();
  if ("readable" in source) return fromAsync(source.readable);
  return isAsyncIterable(source) ? fromAsync(source) : fromSync(source as Iterable<T>);
}

function fromAsync<T>(source: AsyncIterable<T>): SourceReader<T> {
  const iterator = source[Symbol.asyncIterator]();
  const stopped = Promise.withResolvers<undefined>();
  let ended = false;
  let returned: Promise<unknown> = Promise.resolve();
  const end = () => {
    if (ended) return;
    ended = true;
    stopped.resolve(undefined);
    returned = Promise.resolve(iterator.return?.()).catch((error) => reportError(error));
  };
  return {
    batches: new ReadableStream<Batch<T>>({
      async pull(controller) {
        const next = iterator.next();
        next.catch(() => {}); // when stopped first
        const result = await Promise.race([next, stopped.promise]);
        if (result !== undefined && !result.done) return controller.enqueue({ messages: [result.value], done() {} });
        ended ||= result !== undefined;
        controller.close();
      },
      cancel: end,
    }, { highWaterMark: 0 }),
    stop: end,
    close: async () => {
      end();
      let timer: ReturnType<typeof setTimeout> | undefined;
      // A generator ends when what it waits for has come, which may be never.
      await Promise.race([returned, new Promise<void>((resolve) => timer = setTimeout(resolve, FINALLY_MS))]);
      clearTimeout(timer);
    },
  };
}

function fromSync<T>(source: Iterable<T>): SourceReader<T> {
  const iterator = source[Symbol.iterator]();
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    iterator.return?.();
  };
  function* some(): Generator<T, void, undefined> {
    for (let count = 0; count < BATCH_MESSAGES && !ended; count++) {
      const { done, value } = iterator.next();
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  }
  return {
    batches: new ReadableStream<Batch<T>>({
      pull(controller) {
        if (ended) return controller.close();
        controller.enqueue({ messages: some(), done() {} });
      },
      cancel: end,
    }, { highWaterMark: 0 }),
    stop: end,
    close: () => Promise.resolve(end()),
  };
}

function isIterable(value: object): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function";
}

function isAsyncIterable(value: object): value is AsyncIterable<never> {
  return typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function";
}

/** What something is, for an error. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const { name } = value.constructor ?? {};
  return name === undefined || name === "Object" ? "an object" : `a ${name}`;
}
