/**
 * Updates and changes of a Cache as its users see them.
 *
 * @module
 */

import { type Change, ChangeReader } from "./updates/change_reader.ts";
import type { Engine } from "./engine/engine.ts";
import { type CacheKey, checkKey, idOf, keyOf, type KeyPart } from "./cache_key.ts";
import { ABSENT } from "./engine/remembered_entries.ts";
import type { LogPosition, PublishedUpdate, UpdateReader } from "./updates/update_reader.ts";
import { decode } from "./store/stored_value.ts";

/** A published update: the value is undefined when the key was removed, the sequence number without a log. */
export type CacheUpdate<V> = readonly [key: CacheKey, value: V | undefined, sequence: number | undefined];

/** Which updates are read. */
export interface UpdatesOptions {
  /** Only those of keys that begin with these parts, or are this key. @default {all} */
  readonly prefix?: CacheKey;
  /**
   * The number of the first one; needs a log. Those that it no longer holds are left out; a number that it has not come
   * to is of another log, and everything is read. `Cache.changes` says so. @default {the next one}
   */
  readonly from?: number;
}

/** Which changes are read. */
export interface ChangesOptions {
  /** Only those of keys that begin with these parts, or are this key. @default {all} */
  readonly prefix?: CacheKey;
  /** The id of a change that was read before: goes on behind it. Needs a log. @default {from now on} */
  readonly after?: string;
  /** Whether the entries come first, unless `after` says where to go on; and again after each gap. @default {false} */
  readonly snapshot?: boolean;
}

/**
 * What `changes()` reads.
 *
 * - `"snapshot"`: all entries follow; what was read before is void.
 * - `"entry"`: a key and its value.
 * - `"update"`: a published update, with its number in the log.
 * - `"gap"`: updates are missing. The log no longer holds them (`"trimmed"`); the id is of another log, such as before
 *   the store was wiped, or no id at all (`"other-log"`); or there is no log, and the reader was too slow (`"behind"`).
 *   What follows is what the log holds; with `snapshot`, the entries.
 * - `"live"`: what there was at the start has been read; comes once, and again after a snapshot.
 *
 * The id says where to go on: absent without a log, and while a snapshot is not complete.
 */
export type CacheChange<V> =
  | { readonly type: "snapshot"; readonly id?: undefined }
  | { readonly type: "entry"; readonly update: CacheUpdate<V>; readonly id?: undefined }
  | { readonly type: "update"; readonly update: CacheUpdate<V>; readonly id?: string }
  | { readonly type: "gap"; readonly reason: "trimmed" | "other-log" | "behind"; readonly id?: string }
  | { readonly type: "live"; readonly id?: string };

/** Reads one by one. */
export interface PullReader<T> {
  /** The next one; undefined at the end. */
  next(): Promise<T | undefined>;
  /** Ends it, and a `next()` that waits. */
  close(): void;
}

/**
 * Reads the updates of keys that begin with some parts.
 *
 * @param from the number of the first one; the next one when left out
 */
export async function openUpdates<V>(
  engine: Engine,
  prefix: readonly KeyPart[],
  from: number | undefined,
): Promise<PullReader<CacheUpdate<V>>> {
  const reader = await openReader(engine, prefix, from === undefined ? undefined : { sequence: from - 1 });
  return {
    next: async () => {
      for (let read = await reader.next(); read !== undefined; read = await reader.next()) {
        const update = read.type === "update" ? await updateOf<V>(engine, read) : undefined;
        if (update !== undefined) return update;
      }
    },
    close: () => reader.close(),
  };
}

/**
 * Reads the entries and updates of keys that begin with some parts.
 *
 * @param after the id to go on behind; from now on when left out
 * @param snapshot whether entries are read
 */
export async function openChanges<V>(
  engine: Engine,
  prefix: readonly KeyPart[],
  after: string | undefined,
  snapshot: boolean,
): Promise<PullReader<CacheChange<V>>> {
  const reader = await openReader(engine, prefix, after === undefined ? undefined : parsePosition(after));
  const changes = new ChangeReader(engine, reader, snapshot ? prefix : undefined, after !== undefined);
  return {
    next: async () => {
      for (let change = await changes.next(); change !== undefined; change = await changes.next()) {
        const shown = await changeOf<V>(engine, change);
        if (shown !== undefined) return shown;
      }
    },
    close: () => changes.close(),
  };
}

/** Whether a key begins with some parts, or is them. */
function beginsWith(parts: readonly KeyPart[]): (key: readonly KeyPart[]) => boolean {
  const ids = parts.map((part) => idOf([part]));
  return (key) => ids.every((id, n) => n < key.length && idOf([key[n]!]) === id);
}

/** A reader of what is published from now on, or behind a place in the log. */
async function openReader(
  engine: Engine,
  prefix: readonly KeyPart[],
  after: LogPosition | { readonly log?: undefined; readonly sequence: number } | undefined,
): Promise<UpdateReader> {
  const { log, updates, shared } = engine;
  const wanted = beginsWith(prefix);
  if (log === undefined) return updates.live(engine, wanted);
  if (after === undefined) {
    const { id, last } = await log.state();
    after = { log: id, sequence: last };
  }
  return updates.logged(log, { after, shared, wanted });
}

function parsePosition(id: string): LogPosition {
  const [, log, sequence] = /^([\da-f]+)-(\d{1,15})$/.exec(id) ?? [];
  // What is no id of a Cache is behind no update of this log.
  return log === undefined ? { log: "?", sequence: 0 } : { log, sequence: Number(sequence) };
}

function positionId(position: LogPosition | undefined): { readonly id?: string } {
  return position === undefined ? {} : { id: `${position.log}-${position.sequence}` };
}

/** A change as it is shown; undefined for an update whose value is no more. */
async function changeOf<V>(engine: Engine, change: Change): Promise<CacheChange<V> | undefined> {
  switch (change.type) {
    case "snapshot":
      return change;
    case "entry":
      return { type: "entry", update: [keyOf(change.key), decode(change.stored) as V, undefined] };
    case "update": {
      const { log, sequence } = change;
      const update = await updateOf<V>(engine, change);
      const position = log === undefined || sequence === undefined ? undefined : { log, sequence };
      return update && { type: "update", update, ...positionId(position) };
    }
    case "gap":
      return { type: "gap", reason: change.reason, ...positionId(change.position) };
    case "live":
      return { type: "live", ...positionId(change.position) };
  }
}

/** An update with its value; undefined when that was too large for the log and its key is gone. */
async function updateOf<V>(
  engine: Engine,
  { key, stored, sequence }: PublishedUpdate,
): Promise<CacheUpdate<V> | undefined> {
  if (typeof stored === "object") return [keyOf(key), decode(stored) as V, sequence];
  if (stored === undefined) return [keyOf(key), undefined, sequence];
  const known = await engine.read(checkKey(key));
  return known === ABSENT ? undefined : [keyOf(key), decode(known) as V, sequence];
}
