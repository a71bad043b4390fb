/**
 * A source as `sse()` reads it: message by message, and released at once.
 *
 * @module
 */

import { type Batch, type BatchSource, openSource } from "../protocol/protocol.ts";

/** An open source. */
export interface OpenMessages<T> {
  /** Reads the next message. */
  next(): Promise<IteratorResult<T, unknown>>;
  /** Releases the source at once, also while a `next()` waits. */
  end(): unknown;
}

/** The sources that are being released. A source has one reader at a time, so the next one waits for that. */
const releasing = new WeakMap<object, Promise<unknown>>();

/**
 * Opens a source, as soon as its last reader here has released it.
 *
 * @throws what the source throws, for example because another reader has it
 */
export function openMessages<T>(
  source: BatchSource<T> | ReadableStream<T> | AsyncIterable<T> | Iterable<T>,
): OpenMessages<T> {
  if (openSource in source) {
    const released = releasing.get(source);
    return released === undefined ? openBatches(source) : openAfter(released, () => openBatches(source));
  }
  if (source instanceof ReadableStream) {
    const reader = source.getReader();
    return { next: () => reader.read() as Promise<IteratorResult<T, unknown>>, end: () => reader.cancel() };
  }
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return { next: async () => await iterator.next(), end: async () => await iterator.return?.() };
}

/** Makes something else of each message. If that throws, the source is released. */
export function mapMessages<T, U>({ next, end }: OpenMessages<T>, make: (message: T) => U): OpenMessages<U> {
  return {
    next: async () => {
      const result = await next();
      if (result.done) return result;
      try {
        return { done: false, value: make(result.value) };
      } catch (error) {
        releaseQuietly(end);
        throw error;
      }
    },
    end,
  };
}

/**
 * Releases a source that nobody reads any more. A generator may fail in its finally block; then nobody can handle that.
 */
export function releaseQuietly(end: () => unknown): void {
  Promise.resolve(end()).catch(() => {});
}

/** Reads the messages of batches. As with `for await`, a message is handled when the next one is read. */
function openBatches<T>(source: BatchSource<T>): OpenMessages<T> {
  const reader = source[openSource]();
  const batches = reader.batches.getReader();
  let batch: Batch<T> | undefined;
  let messages: IterableIterator<T> | undefined;
  /** How many messages of the batch are read, and how many of those are handled. */
  let [read, handled] = [0, 0];
  let isOver = false;
  const finishBatch = async () => {
    const finished = batch;
    batch = messages = undefined;
    await finished?.done(handled);
  };
  const end = () => {
    if (isOver) return;
    isOver = true;
    const released = (async () => {
      reader.stop();
      try {
        await finishBatch();
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
      handled = read;
      const found = messages?.next();
      if (found !== undefined && !found.done) {
        const failed = batch!.unreadable?.get(read)?.error;
        if (failed !== undefined) throw failed;
        read++;
        if (batch!.stale?.(found.value)) continue;
        return { done: false, value: found.value };
      }
      await finishBatch();
      const { done, value } = await batches.read();
      if (done || isOver) return { done: true, value: undefined };
      batch = value;
      messages = batch.messages[Symbol.iterator]() as IterableIterator<T>;
      [read, handled] = [0, 0];
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

/** Opens a source once a promise has resolved. */
function openAfter<T>(released: Promise<unknown>, open: () => OpenMessages<T>): OpenMessages<T> {
  let opened: OpenMessages<T> | undefined;
  let isOver = false;
  return {
    next: async () => {
      await released;
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
