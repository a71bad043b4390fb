/**
 * Everything that can be written to, as a sink of two moments.
 *
 * @module
 */

import { type BatchSink, openSink, type SinkWriter } from "./protocol.ts";
import { describe } from "./sources.ts";

/** What `handle()` writes to. */
export type Sink<T> =
  | ((value: T) => unknown)
  | WritableStream<T>
  | { readonly writable: WritableStream<T> }
  | BatchSink<T>;

/**
 * Checks a sink.
 *
 * @throws {TypeError} If it is nothing that can be written to.
 */
export function checkSink(sink: unknown): void {
  if (typeof sink === "function") return;
  const some = sink as Record<PropertyKey, unknown> | null;
  if (typeof sink === "object" && some !== null) {
    if (typeof some[openSink] === "function" || sink instanceof WritableStream) return;
    if (some.writable instanceof WritableStream) return;
  }
  throw new TypeError(
    `A sink must be a function, a WritableStream, or have .writable (such as a Topic): got ${describe(sink)}`,
  );
}

/** Starts writing to a sink. */
export function openAnySink<T>(sink: Sink<T>): SinkWriter<T> {
  if (openSink in sink) return sink[openSink]();
  if (typeof sink === "function") return fromFunction(sink);
  return fromStream(sink instanceof WritableStream ? sink : sink.writable);
}

/** A function has settled a value when it (or its promise) has returned. */
function fromFunction<T>(sink: (value: T) => unknown): SinkWriter<T> {
  return {
    accept(value) {
      const result = sink(value);
      if (isThenable(result)) return result as Promise<void>;
    },
    settle() {},
    close() {},
  };
}

function fromStream<T>(stream: WritableStream<T>): SinkWriter<T> {
  const writer = stream.getWriter();
  let last: Promise<void> = Promise.resolve();
  return {
    accept(value) {
      last = writer.write(value);
      last.catch(() => {}); // settle() tells
      if ((writer.desiredSize ?? 0) <= 0) return writer.ready;
    },
    // Writes end in order: after the last one, all have.
    settle: () => last,
    close: async (reason) => {
      try {
        if (reason === undefined) await writer.close();
        else await writer.abort(reason);
      } finally {
        writer.releaseLock();
      }
    },
  };
}

/**
 * A writer for several at once, who know nothing of each other: a value is offered only when the one before it was
 * accepted, as the protocol has it.
 */
export function inTurn<T>(writer: SinkWriter<T>): SinkWriter<T> {
  let last: Promise<void> | undefined;
  const waiting = (accepted: Promise<void>): Promise<void> => {
    const over = accepted.catch(() => {}).then(() => {
      if (last === over) last = undefined;
    });
    last = over;
    return accepted;
  };
  return {
    accept(value, sender, message) {
      if (last !== undefined) return waiting(last.then(() => writer.accept(value, sender, message)));
      const accepted = writer.accept(value, sender, message);
      if (accepted !== undefined) return waiting(accepted);
    },
    settle: () => writer.settle(),
    close: (reason) => writer.close(reason),
  };
}

/** Whether something must be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
