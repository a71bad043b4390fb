/**
 * Sinks: everything that can be written to, adapted to a writer that accepts values and settles them.
 *
 * @module
 */

import { isThenable } from "../async/is_thenable.ts";
import { describeValue } from "../options/describe_value.ts";
import { type BatchSink, type Delivery, openSink, type SinkWriter } from "../protocol/protocol.ts";

/**
 * What `handle()` writes to: a function, a WritableStream, an object with one as `.writable`, a Topic or a Cache.
 *
 * @typeParam T the values that the sink takes
 */
export type Sink<T> =
  | ((value: T) => unknown)
  | WritableStream<T>
  | { readonly writable: WritableStream<T> }
  | BatchSink<T>;

/** A sink, or an array of sinks. */
export type AnySink = Sink<never> | readonly Sink<never>[];

/**
 * The values that a sink takes; for an array of sinks, the values that all of them take.
 *
 * @typeParam S a sink, or an array of sinks
 */
// For an array it is an intersection: the compiler infers one for the parameter of a union of functions. A sink that takes
// `any` counts as one of `unknown`, because an intersection with `any` is `any`.
export type AcceptedBy<S> = S extends readonly (infer One)[]
  ? (One extends unknown ? (value: 0 extends 1 & AcceptedBy<One> ? unknown : AcceptedBy<One>) => void : never) extends
    (value: infer T) => void ? T : never
  : S extends BatchSink<infer T> ? T
  : S extends WritableStream<infer T> ? T
  : S extends { readonly writable: WritableStream<infer T> } ? T
  : S extends (value: infer T) => unknown ? T
  : never;

/** Why a value is not a sink; `undefined` if it is one. */
export function sinkProblem(sink: unknown): string | undefined {
  if (typeof sink === "function") return;
  const some = sink as Record<PropertyKey, unknown> | null;
  if (typeof sink === "object" && some !== null) {
    if (typeof some[openSink] === "function" || sink instanceof WritableStream) return;
    if (some.writable instanceof WritableStream) return;
  }
  return `a sink must be a function, a WritableStream, or have .writable (such as a Topic): got ${describeValue(sink)}`;
}

/** A sink that is written to in a run. */
export interface OpenSink {
  readonly writer: SinkWriter<unknown>;
  /** Whether a promise of `accept` is a wait for room, which a stop ends; that of a function is the program's own work. */
  readonly waitsForRoom: boolean;
}

/** Starts writing to a sink, whatever kind it is. */
export function openAnySink(sink: Sink<unknown>): OpenSink {
  if (openSink in sink) return { writer: sink[openSink](), waitsForRoom: true };
  if (typeof sink === "function") return { writer: fromFunction(sink), waitsForRoom: false };
  return { writer: fromStream(sink instanceof WritableStream ? sink : sink.writable), waitsForRoom: true };
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
  writer.closed.catch(() => {}); // Each write rejects with it.
  // Writes end in order: when the last write of a delivery has ended, all of its writes have.
  const last = new WeakMap<Delivery, Promise<void>>();
  return {
    accept(value, delivery) {
      const written = writer.write(value);
      written.catch(() => {}); // `settle()` rejects with it.
      last.set(delivery, written);
      if ((writer.desiredSize ?? 0) <= 0) return writer.ready;
    },
    settle: (delivery) => last.get(delivery),
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
