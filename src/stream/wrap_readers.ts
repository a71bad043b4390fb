/**
 * A way for tests to look on while the sources of a run are read.
 *
 * @module
 */

import type { SourceReader } from "./protocol.ts";

/** Gets the reader of each source when a run opens it, and returns the one that the run reads from. */
export type WrapReader = <T>(reader: SourceReader<T>) => SourceReader<T>;

/** An option of `stream()` for tests, of which its users know nothing: a `WrapReader`. */
export const wrapReaders: unique symbol = Symbol.for("slipstream.wrapReaders") as never;

/** The option, if `stream()` was called with it. */
export function readerWrapper(options: object): WrapReader {
  return (options as { readonly [wrapReaders]?: WrapReader })[wrapReaders] ?? ((reader) => reader);
}
