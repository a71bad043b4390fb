/**
 * What goes wrong with a Cache's store.
 *
 * @module
 */

/**
 * What kind of trouble it is.
 *
 * - Of the store: `"closed"`; `"in-use"` by another process, or in this one with other options; `"path"`, which can't be
 *   opened; `"unstable"`, since Deno KV is not enabled.
 * - Of a transaction: a `"conflict"` with others that write its keys; a `"timeout"`; `"nested"` in another one on the
 *   same key; `"over"`, and used all the same.
 */
export type CacheErrorCode = "in-use" | "closed" | "unstable" | "conflict" | "timeout" | "nested" | "over" | "path";

const FATAL: ReadonlySet<CacheErrorCode> = new Set<CacheErrorCode>(["in-use", "closed", "unstable", "path"]);

/** The store can't be opened or used, or a transaction can't be finished. The message says what to do. */
export class CacheError extends Error {
  /** The class, in stack traces. */
  override name = "CacheError";
  /** What kind of trouble it is. */
  readonly code: CacheErrorCode;
  /**
   * Whether the Cache can't read or write anything, so that no message is to blame: `handle()` ends the run, whatever
   * its error policy. True for the codes of the store.
   */
  readonly fatal: boolean;

  /** Makes an error of a code. */
  constructor(code: CacheErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.fatal = FATAL.has(code);
  }
}

/** What is said of a store that was closed. */
export function closed(name: string): CacheError {
  return new CacheError("closed", `The Cache ${name} is closed`);
}
