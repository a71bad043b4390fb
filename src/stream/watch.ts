/**
 * Lets a test look on while sources are read.
 *
 * @module
 */

import type { SourceReader } from "./protocol.ts";

/** Gets each reader as it is opened, and may put another in its place. */
export type Watch = <T>(reader: SourceReader<T>) => SourceReader<T>;

let watch: Watch | undefined;

/** Watches the sources that `open` opens before it first waits: a run opens all of them at once. */
export function watched<R>(look: Watch, open: () => R): R {
  const before = watch;
  watch = look;
  try {
    return open();
  } finally {
    watch = before;
  }
}

/** What a reader is read through: itself, unless someone watches. */
export function throughWatch<T>(reader: SourceReader<T>): SourceReader<T> {
  return watch === undefined ? reader : watch(reader);
}
