/**
 * Readers of the updates and changes of a Cache, in the form that its users see.
 *
 * @module
 */

import type { CacheChange, CacheUpdate } from "./cache_change.ts";
import { type CacheKey, checkKey, idOf, keyOf, type KeyPart } from "./cache_key.ts";
import type { Engine } from "./engine/engine.ts";
import { ABSENT, decode } from "./store/stored_value.ts";
import { type Change, ChangeReader } from "./updates/change_reader.ts";
import type { LogPosition, PublishedUpdate, UpdateReader } from "./updates/update_reader.ts";

/** Reads values one by one. */
export interface PullReader<T> {
  /** The next value; undefined at the end. */
  next(): Promise<T | undefined>;
  /** Ends the reader, and a `next()` that waits. */
  close(): void;
}

/** The position of an id that belongs to no log. */
const UNKNOWN_POSITION: LogPosition = { log: "?", sequence: 0 };

/**
 * Reads the updates of keys that begin with some parts.
 *
 * @param from the number of the first update; the next one if undefined
 */
export async function openUpdates<V, K extends CacheKey>(
  engine: Engine,
  prefix: readonly KeyPart[],
  from: number | undefined,
): Promise<PullReader<CacheUpdate<V, K>>> {
  const reader = await openReader(engine, prefix, from === undefined ? undefined : { sequence: from - 1 });
  return {
    next: async () => {
      for (let event = await reader.next(); event !== undefined; event = await reader.next()) {
        const update = event.type === "update" ? await cacheUpdateOf<V, K>(engine, event) : undefined;
        if (update !== undefined) return update;
      }
    },
    close: () => reader.close(),
  };
}

/**
 * Reads the entries and updates of keys that begin with some parts.
 *
 * @param after the id behind which reading resumes; from now on if undefined
 * @param snapshot whether to read entries
 */
export async function openChanges<V, K extends CacheKey>(
  engine: Engine,
  prefix: readonly KeyPart[],
  after: string | undefined,
  snapshot: boolean,
): Promise<PullReader<CacheChange<V, K>>> {
  const reader = await openReader(engine, prefix, after === undefined ? undefined : parsePosition(after));
  const changes = new ChangeReader(engine.entries, reader, snapshot ? prefix : undefined, after !== undefined);
  return {
    next: async () => {
      for (let change = await changes.next(); change !== undefined; change = await changes.next()) {
        const shown = await cacheChangeOf<V, K>(engine, change);
        if (shown !== undefined) return shown;
      }
    },
    close: () => changes.close(),
  };
}

/** Tests whether a key begins with some parts, or is exactly these parts. */
function beginsWith(parts: readonly KeyPart[]): (key: readonly KeyPart[]) => boolean {
  const ids = parts.map((part) => idOf([part]));
  return (key) => ids.every((id, n) => n < key.length && idOf([key[n]!]) === id);
}

/** Reads what is published from now on, or what follows a position in the log. */
async function openReader(
  engine: Engine,
  prefix: readonly KeyPart[],
  after: LogPosition | { readonly log?: undefined; readonly sequence: number } | undefined,
): Promise<UpdateReader> {
  const { log, updates, shared } = engine;
  const wanted = beginsWith(prefix);
  if (log === undefined) return updates.readLive(engine, wanted);
  if (after === undefined) {
    const { id, last } = await log.state();
    after = { log: id, sequence: last };
  }
  return updates.readLog(log, { after, shared, wanted });
}

function parsePosition(id: string): LogPosition {
  const [, log, sequence] = /^([\da-f]+)-(\d{1,15})$/.exec(id) ?? [];
  return log === undefined ? UNKNOWN_POSITION : { log, sequence: Number(sequence) };
}

function idOfPosition(position: LogPosition | undefined): { readonly id?: string } {
  return position === undefined ? {} : { id: `${position.log}-${position.sequence}` };
}

/** A change as users see it; undefined for an update whose value no longer exists. */
async function cacheChangeOf<V, K extends CacheKey>(
  engine: Engine,
  change: Change,
): Promise<CacheChange<V, K> | undefined> {
  switch (change.type) {
    case "snapshot":
      return change;
    case "entry":
      return { type: "entry", update: [keyOf<K>(change.key), decode(change.stored) as V, undefined] };
    case "update": {
      const { log, sequence } = change;
      const update = await cacheUpdateOf<V, K>(engine, change);
      const position = log === undefined || sequence === undefined ? undefined : { log, sequence };
      return update && { type: "update", update, ...idOfPosition(position) };
    }
    case "gap":
      return { type: "gap", reason: change.reason, ...idOfPosition(change.position) };
    case "live":
      return { type: "live", ...idOfPosition(change.position) };
  }
}

/**
 * An update with its value. The log does not hold large values, so such a value is read from its key; undefined if the
 * key was removed meanwhile.
 */
async function cacheUpdateOf<V, K extends CacheKey>(
  engine: Engine,
  { key, stored, sequence }: PublishedUpdate,
): Promise<CacheUpdate<V, K> | undefined> {
  if (typeof stored === "object") return [keyOf<K>(key), decode(stored) as V, sequence];
  if (stored === undefined) return [keyOf<K>(key), undefined, sequence];
  const current = await engine.read(checkKey(key));
  return current === ABSENT ? undefined : [keyOf<K>(key), decode(current) as V, sequence];
}
