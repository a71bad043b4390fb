/**
 * The options of a Cache, which are checked before anything is opened.
 *
 * @module
 */

import { assertNoProblems, unknownOptions } from "../options/problems.ts";
import { showKey } from "./cache_key.ts";
import type { EngineOptions } from "./engine/engine.ts";
import { isUrl } from "./store/store_identity.ts";

/** The options of `new Cache()`. */
export interface CacheOptions {
  /**
   * Separates the Caches that share one store: each sees only the keys of its own prefix. At most 64 bytes.
   * @default {""}
   */
  readonly prefix?: string;
  /**
   * Whether other processes use the store at the same time. If so, every read asks the store, and none is answered from
   * memory.
   * @default {false for a file and ":memory:", true otherwise}
   */
  readonly shared?: boolean;
  /**
   * How many bytes of entries the Cache keeps in memory, beside those on disk. While all entries fit, ranges and
   * missing keys are answered without the disk too.
   * @default {67_108_864}
   */
  readonly memoryBytes?: number;
  /**
   * Keeps the last updates on disk, so that `changes({ after })` and `updates({ from })` can resume. Give every Cache
   * of this store and prefix the same log: updates of a Cache without one are in no log.
   * @default {none}
   */
  readonly log?: CacheLogOptions;
  /**
   * Allows a path that leads through a symlink.
   * @default {false}
   */
  readonly followSymlinks?: boolean;
}

/** The options of the log of updates. */
export interface CacheLogOptions {
  /** How many of the last updates to keep on disk: a whole number from 1 on. */
  readonly limit: number;
}

const DEFAULTS = { prefix: "", memoryBytes: 64 * 1024 * 1024, followSymlinks: false } satisfies CacheOptions;
const TYPES = {
  prefix: "string",
  shared: "boolean",
  memoryBytes: "number",
  log: "object",
  followSymlinks: "boolean",
} as const satisfies Record<keyof CacheOptions, string>;
const MAX_PREFIX_BYTES = 64;

/**
 * Checks the path and the options of a Cache, and fills in the defaults.
 *
 * @throws {TypeError} If the path or an option is wrong; the message lists all problems.
 */
export function checkOptions(path: string | undefined, options: CacheOptions): EngineOptions {
  const isRemote = path === undefined || isUrl(path);
  assertNoProblems("new Cache()", [...pathProblems(path), ...optionProblems(options)]);
  const { log, ...rest } = options;
  return { ...DEFAULTS, shared: isRemote, ...rest, remote: isRemote, logLimit: log?.limit ?? 0 };
}

function pathProblems(path: string | undefined): string[] {
  if (path === undefined || isUrl(path)) return [];
  if (path === "") return ['the path must not be empty: leave it out for the default store, or pass ":memory:"'];
  if (!/^[a-z][a-z\d+.-]+:\/\//i.test(path)) return [];
  return [`the path must be that of a file, ":memory:", or an http or https URL: got ${showKey(path)}`];
}

function optionProblems(options: CacheOptions): string[] {
  const problems = unknownOptions(options, Object.keys(TYPES));
  const wrongTypes = Object.entries(TYPES).flatMap(([name, type]) => {
    const value = options[name as keyof CacheOptions];
    if (!(name in options) || typeof value === type && value !== null) return [];
    return [`${name} must be ${type === "object" ? "an" : "a"} ${type}: got ${showKey(value)}`];
  });
  if (wrongTypes.length > 0) return [...problems, ...wrongTypes];
  const { prefix = "", memoryBytes = 0, log } = options;
  if (!prefix.isWellFormed() || new TextEncoder().encode(prefix).length > MAX_PREFIX_BYTES) {
    problems.push(`prefix must be well-formed text of at most ${MAX_PREFIX_BYTES} bytes: got ${showKey(prefix)}`);
  }
  if (!(memoryBytes >= 0)) problems.push(`memoryBytes must be 0 or more: got ${memoryBytes}`);
  if (log !== undefined) {
    problems.push(...unknownOptions(log, ["limit"]));
    if (!(Number.isSafeInteger(log.limit) && log.limit > 0)) {
      problems.push(`log.limit must be a whole number from 1 on: got ${log.limit}`);
    }
  }
  return problems;
}
