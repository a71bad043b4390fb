/**
 * The errors of a Cache.
 *
 * @module
 */

/**
 * What went wrong.
 *
 * The store can't be used. These errors are fatal:
 *
 * - `"closed"`: the Cache is closed.
 * - `"in-use"`: another process uses the store, or this process has it open with other options.
 * - `"path"`: the store can't be opened.
 * - `"unstable"`: Deno KV is not enabled.
 * - `"full"`: the disk is full. When there is space again, later writes work.
 * - `"read-only"`: the file, its folder or its file system can't be written.
 * - `"io"`: the disk fails, or a limit on the size of files is reached.
 *
 * A write that fails with `"full"`, `"read-only"` or `"io"` is not on disk, and its message does not count as handled.
 *
 * A transaction can't be finished. Nothing of it is written:
 *
 * - `"conflict"`: others changed its keys again and again until its time was over.
 * - `"timeout"`: it took longer than `timeoutMs`.
 * - `"nested"`: it runs inside another transaction on the same key.
 * - `"over"`: its `tx` was used after its function had returned.
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

/** The errors of a disk, by the texts of SQLite and the operating system, with a remedy for each. */
const DISK_ERRORS = [
  [/database or disk is full|no space left/i, "full", "its disk is full. Free some space, and later writes work"],
  [
    /readonly database|read-only file system|permission denied/i,
    "read-only",
    "its file, folder or file system is read-only. Let the user of this process write there, or choose another path",
  ],
  [
    /disk I\/O error|file too large/i,
    "io",
    "its disk fails, or the file may not grow. Check the free space, the quota, the limit on the size of files " +
    "(ulimit -f) and the health of the disk",
  ],
] as const;

/** The store of a Cache can't be opened or used, or a transaction can't be finished. The message says what to do. */
export class CacheError extends Error {
  /** The name of the class. */
  override name = "CacheError";
  /** What went wrong. */
  readonly code: CacheErrorCode;
  /**
   * Whether the store can't be used at all. Then no single message is the cause, and `handle()` fails the run under
   * every error policy.
   */
  readonly fatal: boolean;

  /** Makes an error with a code. */
  constructor(code: CacheErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.fatal = FATAL.has(code);
  }
}

/** The error of a Cache that is closed. */
export function closedError(name: string): CacheError {
  return new CacheError("closed", `The Cache ${name} is closed`);
}

/** Makes a CacheError of an error of the disk. Returns every other error as it is. */
export function diskError(error: unknown, name: string): unknown {
  if (!(error instanceof Error) || error instanceof CacheError) return error;
  const found = DISK_ERRORS.find(([pattern]) => pattern.test(error.message));
  if (found === undefined) return error;
  const [, code, remedy] = found;
  return new CacheError(code, `The Cache ${name} can't be read or written: ${remedy} (${error.message})`, {
    cause: error,
  });
}
