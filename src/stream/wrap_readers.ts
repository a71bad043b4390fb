/**
 * A hook for `runUntilIdle()` of `./testing`: it observes how the sources of a run are read.
 *
 * @module
 */

import type { SourceReader } from "../protocol/protocol.ts";

/** Receives the reader of each source that a run opens, and returns the reader that the run uses. */
export type WrapReader = <T>(reader: SourceReader<T>) => SourceReader<T>;

/** The name of an undocumented option of `stream()`, for `./testing` alone: a `WrapReader`. */
export const wrapReaders: unique symbol = Symbol.for("slipstream.wrapReaders") as never;

/** The option `wrapReaders` of `stream()`; by default, a run uses the readers themselves. */
export function readerWrapper(options: object): WrapReader {
  return (options as { readonly [wrapReaders]?: WrapReader })[wrapReaders] ?? ((reader) => reader);
}
