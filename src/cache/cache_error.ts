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
 * - Of its disk, which is `"full"`; of its file, which is `"read-only"`; of either, an `"io"` error. What fails with it is
 *   not written, and nothing is that counts as written. When there is space again, later writes work.
 * - Of a transaction: a `"conflict"` with others that write its keys; a `"timeout"`; `"nested"` in another one on the
 *   same key; `"over"`, and used all the same.
 */
export type CacheErrorCode =
  | "in-use"
  | "closed"
  | "unstable"
  | "path"
  | "full"
  | "read-only"
  | "io"
  | "conflict"
  | "timeout"
  | "nested"
  | "over";

const FATAL: ReadonlySet<CacheErrorCode> = new Set<CacheErrorCode>([
  "in-use",
  "closed",
  "unstable",
  "path",
  "full",
  "read-only",
  "io",
]);

/** What SQLite and the system say of a disk, and what to do about it. */
const DISK_ERRORS = [
  [/database or disk is full|no space left/i, "full", "its disk is full: free some space, and later writes work"],
  [
    /readonly database|read-only file system|permission denied/i,
    "read-only",
    "its file, folder or file system is read-only: let the user of this process write there, or choose another path",
  ],
  [
    /disk I\/O error|file too large/i,
    "io",
    "its disk fails, or lets the file grow no more: look at the space, the quota and the limit of a file's size " +
    "(ulimit -f), and at the disk's health",
  ],
] as const;

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

/** An error of a store as a CacheError, if it is one of its disk; else as it is. */
export function ofStore(error: unknown, name: string): unknown {
  if (!(error instanceof Error) || error instanceof CacheError) return error;
  const found = DISK_ERRORS.find(([pattern]) => pattern.test(error.message));
  if (found === undefined) return error;
  const [, code, what] = found;
  return new CacheError(code, `The Cache ${name} can't be read or written: ${what} (${error.message})`, {
    cause: error,
  });
}
