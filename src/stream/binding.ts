/**
 * What `handle()` has bound together.
 *
 * @module
 */

import type { EmittedBy, Handler } from "./handler.ts";
import { checkSink, type Sink } from "./sinks.ts";
import { checkSource, describe, type Source } from "./sources.ts";

/** How a handler is bound. */
export interface HandleOptions<T> {
  /** Where the emitted values go: each to every sink, in order. Without, they go nowhere. */
  // Also as a tuple: in a plain array of sinks the compiler lets `console.log` stand for the others, and checks no more.
  readonly sink?: Sink<T> | readonly Sink<T>[] | readonly [Sink<T>, ...Sink<T>[]];
  /** The handler's name, for errors. @default {the function's name} */
  readonly name?: string;
}

/** A handler with its sources and sinks. */
export interface Binding {
  /** The handler's name. */
  readonly name: string;
  /** The binding in words: `"count: 1 source, 2 sinks"`. */
  describe(): string;
}

/** A binding as what runs it sees it. */
export interface Bound extends Binding {
  readonly sources: readonly Source<unknown>[];
  readonly sinks: readonly Sink<unknown>[];
  readonly handler: Handler<unknown, unknown>;
}

/** The sinks' side of the compiler's check: what the handler emits must be what they take. */
export type SinkFor<R> = HandleOptions<EmittedBy<R>>;

/**
 * Checks what `handle()` was given and makes a binding of it.
 *
 * @throws {TypeError} If a source, a sink, an option or the handler is none.
 */
export function bind(source: unknown, second: unknown, third: unknown): Bound {
  const handler = typeof second === "function" ? second : third;
  const options = (typeof second === "function" ? {} : second) as HandleOptions<unknown>;
  if (typeof handler !== "function") throw new TypeError(`A handler must be a function: got ${describe(handler)}`);
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`handle() takes (source, handler) or (source, options, handler): got ${describe(options)}`);
  }
  const known = ["sink", "name"];
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown !== undefined) {
    throw new TypeError(`handle() has no option ${JSON.stringify(unknown)}: it has ${known.join(", ")}`);
  }
  const sources = (Array.isArray(source) && source.length > 0 && source.every(isSource) ? source : [source]) as Source<
    unknown
  >[];
  const sinks = (options.sink === undefined ? [] : Array.isArray(options.sink) ? options.sink : [options.sink]) as Sink<
    unknown
  >[];
  sources.forEach(checkSource);
  sinks.forEach(checkSink);
  const name = options.name ?? (handler.name || "handler");
  return {
    name,
    sources,
    sinks,
    handler: handler as Handler<unknown, unknown>,
    describe: () => `${name}: ${counted(sources.length, "source")}, ${counted(sinks.length, "sink")}`,
  };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * An array of sources is several of them; an array of anything else is one source of its elements. Arrays and bytes
 * inside it are messages, though they can be iterated.
 */
function isSource(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    checkSource(value);
    return !Array.isArray(value) && !ArrayBuffer.isView(value);
  } catch {
    return false;
  }
}
