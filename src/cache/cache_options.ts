/**
 * How a Cache is opened: its options, checked all at once and before anything is done.
 *
 * @module
 */

import type { EngineOptions } from "./engine/engine.ts";
import { showKey } from "./cache_key.ts";
import { isUrl } from "./store/kv_store.ts";

/** How a Cache is opened. */
export interface CacheOptions {
  /** Keeps Caches in one file apart; at most 64 bytes. @default {""} */
  readonly prefix?: string;
  /** Whether other processes use the store too. Then every read asks the store. @default {false for a file, true otherwise} */
  readonly shared?: boolean;
  /**
   * How much of what was read and written is kept in memory, in bytes. While everything fits, ranges and keys that are
   * not there are answered without the disk as well. @default {67_108_864}
   */
  readonly memoryBytes?: number;
  /**
   * Keeps the last updates on disk, so that `changes({ after })` and `updates({ from })` can go on where a reader was.
   * Every Cache that publishes under this prefix must have it: what one without it publishes is in no log. @default {none}
   */
  readonly log?: CacheLogOptions;
  /** Allows a path that leads through a symlink. @default {false} */
  readonly followSymlinks?: boolean;
}

/** How many updates are kept. */
export interface CacheLogOptions {
  /** How many of the last updates are kept on disk. */
  readonly limit: number;
}

const DEFAULTS = { prefix: "", memoryBytes: 64 * 1024 * 1024, followSymlinks: false } satisfies CacheOptions;
const TYPES = {
  prefix: "string",
  shared: "boolean",
  memoryBytes: "number",
  followSymlinks: "boolean",
} as const satisfies Record<keyof Omit<CacheOptions, "log">, string>;

/**
 * Fills in what is left out.
 *
 * @throws {TypeError} If an option is unknown or of a wrong type, or the path is none.
 * @throws {RangeError} If an option is out of bounds.
 */
export function checkOptions(path: string | undefined, { log, ...rest }: CacheOptions): EngineOptions {
  for (const [option, value] of Object.entries(rest)) {
    const type = TYPES[option as keyof typeof TYPES];
    if (type === undefined) {
      throw new TypeError(`Cache has no option ${showKey(option)}: it has ${Object.keys(TYPES).join(", ")}, log`);
    }
    const got = typeof value;
    if (got !== type) throw new TypeError(`${option} must be a ${type}: got a ${got}`);
  }
  if (path === "") {
    throw new TypeError('A path must not be empty: leave it out for the default store, or say ":memory:"');
  }
  const remote = path === undefined || isUrl(path);
  if (!remote && /^[a-z][a-z\d+.-]+:\/\//i.test(path)) {
    throw new TypeError(`A path is that of a file, or the http or https URL of a remote store: got ${showKey(path)}`);
  }
  if (log !== undefined && !(Number.isSafeInteger(log.limit) && log.limit > 0)) {
    throw new RangeError(`log.limit must be a whole number above 0: ${log.limit}`);
  }
  const options = { ...DEFAULTS, shared: remote, ...rest, remote, logLimit: log?.limit ?? 0 };
  if (!(options.memoryBytes >= 0)) throw new RangeError(`memoryBytes must be 0 or more: ${options.memoryBytes}`);
  const { prefix } = options;
  if (!prefix.isWellFormed() || new TextEncoder().encode(prefix).length > 64) {
    throw new RangeError(`A prefix must be well-formed text of at most 64 bytes: ${showKey(prefix)}`);
  }
  return options;
}
