/**
 * Readers over what is pulled: async iterables, streams, and generators of batches.
 *
 * @module
 */

import { settlesWithin } from "../async/settles_within.ts";
import type { Batch, SourceReader } from "./protocol.ts";

/** How long a generator that was ended may take to run its `finally` blocks, in milliseconds; then the run ends without it. */
const GENERATOR_END_MS = 1000;

/**
 * Makes a reader of a generator of batches: the short way to write `BatchSource`.
 *
 * The reader asks the generator for a batch when the run asks for one, so the generator never reads ahead. When the run
 * stops the source, the signal aborts, the batches end at once, and the generator's `finally` blocks run. An error of the
 * generator fails the run; after a stop, an error of the wait that was pending then counts as its end.
 *
 * @typeParam T a message
 * @param generate makes the batches. It is called once, when the first batch is asked for; pass its signal to each wait, such
 * as `fetch(url, { signal })`
 * @param close releases what `Batch.done` needs, such as a connection: the run calls it once, after the last batch is done
 * or given up, with the reason why the run failed
 */
export function batchReader<T>(
  generate: (signal: AbortSignal) => AsyncGenerator<Batch<T>, unknown, undefined>,
  close?: (reason?: unknown) => void | Promise<void>,
): SourceReader<T> {
  const stopped = new AbortController();
  const { signal } = stopped;
  let generator: AsyncGenerator<Batch<T>, unknown, undefined> | undefined;
  return pullReader<Batch<T>, T>({
    next: async () => await (generator ??= generate(signal)).next(),
    batchOf: (batch) => batch,
    end: async () => {
      stopped.abort();
      await generator?.return(undefined);
    },
    ...(close === undefined ? {} : { close }),
  });
}

/** What `pullReader` reads. */
export interface Pull<V, T> {
  /** Asks for the next value. It is called again only after it has settled. */
  next(): Promise<IteratorResult<V, unknown>>;
  /** The batch that a value makes. */
  batchOf(value: V): Batch<T>;
  /** Ends the iteration or cancels the stream. Called once, unless it ends by itself. */
  end(): Promise<unknown>;
  /** Called once, after the last batch is done or given up, and `end()` has settled or has had its time. */
  close?(reason?: unknown): void | Promise<void>;
}

/** Makes a reader of values that are pulled one by one. Each makes a batch, so that it is handled as soon as it comes. */
export function pullReader<V, T>({ next, batchOf, end, close }: Pull<V, T>): SourceReader<T> {
  let state: "open" | "stopped" | "ended" = "open";
  let isCancelled = false;
  // Wakes the present pull only. A race of each pull against one promise for the whole run would keep every message alive.
  let wake: (() => void) | undefined;
  let ending: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  const stop = () => {
    if (state !== "open") return;
    state = "stopped";
    ending = end();
    ending.catch(() => {}); // `close()` rejects with it.
    wake?.();
  };
  return {
    batches: new ReadableStream<Batch<T>>({
      pull: (controller) =>
        new Promise<void>((resolve, reject) => {
          let isWaiting = true;
          const settle = (act: () => void) => {
            if (!isWaiting) return;
            isWaiting = false;
            wake = undefined;
            act();
            resolve();
          };
          // A stream that was cancelled is closed already, and `close()` would throw.
          wake = () => settle(() => isCancelled || controller.close());
          if (state !== "open") return wake();
          next().then(
            ({ done, value }) =>
              settle(() => {
                if (!done) return controller.enqueue(batchOf(value as V));
                state = "ended";
                controller.close();
              }),
            (error) => {
              if (!isWaiting) return; // A stop has closed the stream meanwhile.
              state = "ended";
              reject(error);
            },
          );
        }),
      cancel: () => {
        isCancelled = true;
        stop();
      },
    }, { highWaterMark: 0 }),
    stop,
    close: (reason) =>
      closing ??= (async () => {
        stop();
        try {
          // A generator can end only after what it awaits, which may never come.
          if (await settlesWithin(ending, GENERATOR_END_MS)) await ending;
        } finally {
          await close?.(reason);
        }
      })(),
  };
}
