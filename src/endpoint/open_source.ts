/**
 * Sources as `sse()` pulls them: message by message, and released at once.
 *
 * @module
 */

import { type Batch, type BatchSource, openSource as openBatches } from "../stream/protocol.ts";

/** A source that is read. */
export interface OpenSource<T> {
  /** The next message. */
  next(): Promise<IteratorResult<T, unknown>>;
  /** Releases the source, though a `next()` waits for it. */
  end(): unknown;
}

/** What is releasing a source that has one reader at a time. */
const releasing = new WeakMap<object, Promise<unknown>>();

/**
 * Opens a source. One that was left and is still being released is opened when it has been.
 *
 * @throws what the source throws, such as when someone else reads it
 */
export function openSource<T>(
  source: BatchSource<T> | ReadableStream<T> | AsyncIterable<T> | Iterable<T>,
): OpenSource<T> {
  if (openBatches in source) {
    const left = releasing.get(source);
    return left === undefined ? readBatches(source) : afterwards(left, () => readBatches(source));
  }
  if (source instanceof ReadableStream) {
    const reader = source.getReader();
    return { next: () => reader.read() as Promise<IteratorResult<T, unknown>>, end: () => reader.cancel() };
  }
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return { next: async () => await iterator.next(), end: async () => await iterator.return?.() };
}

/** A source whose messages are made into something else. */
export function mapped<T, U>({ next, end }: OpenSource<T>, make: (message: T) => U): OpenSource<U> {
  return {
    next: async () => {
      const result = await next();
      if (result.done) return result;
      try {
        return { done: false, value: make(result.value) };
      } catch (error) {
        // A generator that fails in its finally block has no one left to tell.
        Promise.resolve(end()).catch(() => {});
        throw error;
      }
    },
    end,
  };
}

/** A message counts as handled when the next one is asked for, as with `for await`. */
function readBatches<T>(source: BatchSource<T>): OpenSource<T> {
  const reader = source[openBatches]();
  const batches = reader.batches.getReader();
  let batch: Batch<T> | undefined;
  let messages: IterableIterator<T> | undefined;
  /** How many messages of the batch were handed out, and how many of them are handled. */
  let [count, handled] = [0, 0];
  let isOver = false;
  const done = async () => {
    const before = batch;
    batch = messages = undefined;
    await before?.done(handled);
  };
  const end = () => {
    if (isOver) return;
    isOver = true;
    const released = (async () => {
      reader.stop();
      try {
        await done();
      } finally {
        await reader.close();
      }
    })();
    const settled = released.catch(() => {}).then(() => {
      if (releasing.get(source) === settled) releasing.delete(source);
    });
    releasing.set(source, settled);
    return released;
  };
  const next = async (): Promise<IteratorResult<T, unknown>> => {
    for (;;) {
      handled = count;
      const found = messages?.next();
      if (found !== undefined && !found.done) {
        const failed = batch!.unreadable?.get(count)?.error;
        if (failed !== undefined) throw failed;
        count++;
        if (batch!.stale?.(found.value)) continue;
        return { done: false, value: found.value };
      }
      await done();
      const read = await batches.read();
      if (read.done || isOver) return { done: true, value: undefined };
      batch = read.value;
      messages = batch.messages[Symbol.iterator]() as IterableIterator<T>;
      [count, handled] = [0, 0];
    }
  };
  return {
    next: async () => {
      try {
        const result = await next();
        if (result.done) await end();
        return result;
      } catch (error) {
        await end();
        throw error;
      }
    },
    end,
  };
}

function afterwards<T>(before: Promise<unknown>, open: () => OpenSource<T>): OpenSource<T> {
  let opened: OpenSource<T> | undefined;
  let isOver = false;
  return {
    next: async () => {
      await before;
      if (isOver) return { done: true, value: undefined };
      opened ??= open();
      return await opened.next();
    },
    end: () => {
      isOver = true;
      return opened?.end();
    },
  };
}
