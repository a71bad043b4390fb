/**
 * What `updates()` and `changes()` of a Cache read.
 *
 * @module
 */

import type { CacheKey, KeyPrefix, KeyRead } from "./cache_key.ts";

/**
 * A published update: the key, its new value, and the number of the update in the log.
 *
 * The value is undefined when the key was removed. The number is undefined for a Cache without a log.
 *
 * @typeParam V the values of the Cache
 * @typeParam K its keys
 */
export type CacheUpdate<V, K extends CacheKey = CacheKey> = readonly [
  key: KeyRead<K>,
  value: V | undefined,
  sequence: number | undefined,
];

/**
 * The options of `updates()`.
 *
 * @typeParam K the keys of the Cache
 */
export interface UpdatesOptions<K extends CacheKey = CacheKey> {
  /**
   * Reads only updates of keys that begin with these parts, or are exactly these parts.
   * @default {all keys}
   */
  readonly prefix?: KeyPrefix<K>;
  /**
   * The sequence number of the first update to read. Needs a log. The number after the last update waits for that update.
   *
   * Reading begins with the oldest update of the log if the log no longer holds this number, and also if the number is
   * higher than that of the next update: the Cache then assumes that the store was wiped and the number belongs to an earlier
   * log. `Cache.changes` reports both as a gap.
   * @default {the next update}
   */
  readonly from?: number;
}

/**
 * The options of `changes()`.
 *
 * @typeParam K the keys of the Cache
 */
export interface ChangesOptions<K extends CacheKey = CacheKey> {
  /**
   * Reads only entries and updates of keys that begin with these parts, or are exactly these parts.
   * @default {all keys}
   */
  readonly prefix?: KeyPrefix<K>;
  /**
   * The id of the last change that was read before; reading resumes behind it. Needs a log.
   * @default {from now on}
   */
  readonly after?: string;
  /**
   * Reads the entries of the Cache first, unless `after` is given, and again after each gap.
   * @default {false}
   */
  readonly snapshot?: boolean;
}

/** The defaults of `changes()`. */
export const CHANGES_DEFAULTS = { snapshot: false } as const satisfies ChangesOptions;

/**
 * What `changes()` reads.
 *
 * - `"snapshot"`: all entries follow. Discard what was read before.
 * - `"entry"`: a key and its value.
 * - `"update"`: a published update.
 * - `"gap"`: updates are missing, because the log no longer holds them (`"trimmed"`), because `after` is not an id of
 *   this log, for example after the store was wiped (`"other-log"`), or because the Cache has no log and the reader was
 *   too slow (`"behind"`). With `snapshot`, the entries follow; without, the updates that the log holds.
 * - `"live"`: everything that was in the Cache and its log when reading began has been read. Comes once, and again
 *   after each further snapshot.
 *
 * Pass the `id` as `after` to resume behind the change. It is absent without a log, and until a snapshot is complete.
 *
 * @typeParam V the values of the Cache
 * @typeParam K its keys
 */
export type CacheChange<V, K extends CacheKey = CacheKey> =
  | { readonly type: "snapshot"; readonly id?: undefined }
  | { readonly type: "entry"; readonly update: CacheUpdate<V, K>; readonly id?: undefined }
  | { readonly type: "update"; readonly update: CacheUpdate<V, K>; readonly id?: string }
  | { readonly type: "gap"; readonly reason: "trimmed" | "other-log" | "behind"; readonly id?: string }
  | { readonly type: "live"; readonly id?: string };
