/**
 * What goes wrong with a Cache's store.
 *
 * @module
 */

/** What kind of trouble it is. */
export type CacheErrorCode = "in-use" | "closed" | "unstable" | "conflict" | "timeout" | "nested" | "path";

/** The store can't be opened or used, or a transaction can't be finished. The message says what to do. */
export class CacheError extends Error {
  /** The class, in stack traces. */
  override name = "CacheError";
  /** What kind of trouble it is. */
  readonly code: CacheErrorCode;

  /** Makes an error of a code. */
  constructor(code: CacheErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What is said of a store that was closed. */
export function closed(name: string): CacheError {
  return new CacheError("closed", `The Cache ${name} is closed`);
}
