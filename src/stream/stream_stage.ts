/**
 * A TransformStream as a stage of a running pipe.
 *
 * @module
 */

import type { StreamStage } from "./pipe.ts";

/** A read from the stream, and its result when it has one. */
interface Read {
  result?: ReadableStreamReadResult<unknown>;
  readonly promise: Promise<void>;
}

/**
 * Runs a TransformStream as a stage. It asks for the next message when it has read what the stream made of this one: when
 * the write has ended and no further read is answered.
 */
export async function* runStreamStage(
  messages: AsyncIterable<unknown>,
  { readable, writable }: StreamStage<unknown, unknown>,
): AsyncGenerator<unknown> {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  writer.closed.catch(() => {}); // Each write rejects with it.
  // A flag and a wake-up, no `Promise.race()`: a read that waits long would keep alive what every race has left.
  let wake: (() => void) | undefined;
  const read = () => {
    const current: Read = { promise: reader.read().then((result) => void (current.result = result)) };
    current.promise.catch(() => {}).finally(() => wake?.());
    return current;
  };
  let reading = read();
  let hasEnded = false;
  try {
    for await (const message of messages) {
      yield* readUntil(writer.write(message));
      if (hasEnded) return;
    }
    yield* readUntil(writer.close());
    while (!hasEnded) yield* takeRead();
    hasEnded = true;
  } finally {
    if (!hasEnded) {
      writer.abort().catch(() => {});
      reader.cancel().catch(() => {});
    }
  }

  /** Yields what can be read until a write has ended. */
  async function* readUntil(writing: Promise<void>): AsyncGenerator<unknown> {
    let isWritten = false;
    const written = writing.finally(() => {
      isWritten = true;
      wake?.();
    });
    written.catch(() => {});
    while (!isWritten && !hasEnded) {
      if (reading.result !== undefined) yield* takeRead();
      else await new Promise<void>((resolve) => wake = resolve);
    }
    if (!hasEnded) await written;
    // A read of what was enqueued before the end of the write is answered within two rounds of the microtask queue.
    for (let round = 0; round < 3 && !hasEnded; round++) {
      if (reading.result === undefined) await undefined;
      else {
        yield* takeRead();
        round = 0;
      }
    }
  }

  /** Yields the result of the current read, and begins the next one. */
  async function* takeRead(): AsyncGenerator<unknown> {
    await reading.promise;
    const { done, value } = reading.result!;
    if (done) {
      hasEnded = true;
      return;
    }
    reading = read();
    yield value;
  }
}
