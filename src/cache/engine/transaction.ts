/**
 * Transactions: read, think, write, as if nobody else were there.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { CacheError } from "../cache_error.ts";
import type { Check, Write } from "../store/write.ts";
import type { Deadline } from "./deadlines.ts";
import type { Engine } from "./engine.ts";
import type { Group } from "./group_commit.ts";
import { type CacheKey, type CheckedKey, checkKey, showKey } from "../cache_key.ts";
import type { LockWait } from "./key_locks.ts";
import { ABSENT, type ValueOrAbsent } from "./remembered_entries.ts";
import { backOff } from "../store/retrying_kv.ts";
import { decode, encode, isExpired, type StoredValue } from "../store/stored_value.ts";

/** How a value is set. */
export interface SetOptions {
  /** How long it is there, in milliseconds; exactly, whenever KV removes it from the disk. @default {for ever} */
  readonly expireInMs?: number;
}

/** How a transaction is run. */
export interface TransactionOptions {
  /** How long it may wait for its keys and run, in milliseconds. @default {30_000} */
  readonly timeoutMs?: number;
}

/** What a transaction can do, with the keys it holds. */
export interface CacheTransaction<V> {
  /** Reads a value, own writes included; undefined when there is none. */
  get(key: CacheKey): Promise<V | undefined>;
  /** Whether there is a value, own writes included. */
  has(key: CacheKey): Promise<boolean>;
  /** Sets a value, when the transaction ends well. */
  set(key: CacheKey, value: V, options?: SetOptions): void;
  /** Sets a value and publishes it, when the transaction ends well. */
  emit(key: CacheKey, value: V): void;
  /** Removes a key, when the transaction ends well. */
  delete(key: CacheKey): void;
}

/** The keys that the code running now holds; those outside of it as well. */
interface Held {
  readonly engine: Engine;
  readonly ids: readonly string[];
  readonly outer: Held | undefined;
  active: boolean;
}

const held = new AsyncLocalStorage<Held>();

/** Whether the code running now belongs to a transaction on an engine. */
export function isInTransaction(engine: Engine): boolean {
  for (let some = held.getStore(); some !== undefined; some = some.outer) {
    if (some.active && some.engine === engine) return true;
  }
  return false;
}

/** Runs a transaction on an engine. */
export async function runTransaction<V, R>(
  engine: Engine,
  keys: readonly CheckedKey[],
  fn: (tx: CacheTransaction<V>) => R | Promise<R>,
  timeoutMs: number,
): Promise<R> {
  const ids = idsOf(keys);
  const outer = held.getStore();
  for (let some = outer; some !== undefined; some = some.outer) {
    const both = some.active && some.engine === engine ? keys.find(({ id }) => some!.ids.includes(id)) : undefined;
    if (both !== undefined) {
      throw new CacheError(
        "nested",
        `A transaction on ${
          showKey(both.parts)
        } runs inside another on the same key, and would wait for itself: use the tx of the outer one`,
      );
    }
  }
  if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs must be a number of milliseconds above 0: ${timeoutMs}`);
  const run = new Run(keys, timeoutMs);
  const mine: Held = { engine, ids, outer, active: true };
  engine.deadlines.add(run);
  let release: (() => void) | undefined;
  try {
    release = engine.locks.take(ids) ?? await engine.locks.acquire(ids, run);
    for (let attempt = 0;; attempt++) {
      const tx = new Transaction<V>(engine, ids, keys);
      try {
        const result = await run.inTime(() => held.run(mine, () => fn(tx)));
        const committed = await tx.commit();
        if (committed !== undefined) {
          // The next one sees what was accepted, and shares its commit.
          mine.active = false;
          release();
          release = undefined;
          await committed.onDisk;
          return result;
        }
      } finally {
        tx.end();
      }
      if (run.reason !== undefined) {
        throw new CacheError(
          "conflict",
          `A transaction on ${namesOf(keys)} found its keys changed ${attempt + 1} times within ${timeoutMs} ms`,
        );
      }
      await backOff(attempt);
    }
  } finally {
    mine.active = false;
    engine.deadlines.delete(run);
    release?.();
  }
}

/** A transaction while it waits for its keys and runs: until its time is over. */
class Run implements Deadline, LockWait {
  readonly until: number;
  readonly #keys: readonly CheckedKey[];
  readonly #timeoutMs: number;
  reason: unknown;
  stop: ((reason: unknown) => void) | undefined;

  constructor(keys: readonly CheckedKey[], timeoutMs: number) {
    this.#keys = keys;
    this.#timeoutMs = timeoutMs;
    this.until = Date.now() + timeoutMs;
  }

  over(): void {
    this.reason = new CacheError(
      "timeout",
      `A transaction on ${
        namesOf(this.#keys)
      } took longer than timeoutMs: ${this.#timeoutMs}; nothing of it was written`,
    );
    this.stop?.(this.reason);
  }

  /** Awaits a function, or the end of the time. */
  inTime<R>(fn: () => R | Promise<R>): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      if (this.reason !== undefined) throw this.reason;
      this.stop = reject;
      Promise.resolve(fn()).then(resolve, reject);
    });
  }
}

class Transaction<V> implements CacheTransaction<V> {
  readonly #engine: Engine;
  readonly #ids: readonly string[];
  readonly #keys: readonly CheckedKey[];
  readonly #writes = new Map<string, Write>();
  readonly #updates: Write[] = [];
  readonly #watched: string[] = [];
  readonly #rests: Group[] = [];
  /** The keys that were read in a shared store, and the versions that were found. */
  readonly #read = new Set<string>();
  #checks: Map<string, Check> | undefined;
  #ended = false;
  /** Whether a key that was read has been written since, by someone without a lock. */
  changed = false;

  constructor(engine: Engine, ids: readonly string[], keys: readonly CheckedKey[]) {
    this.#engine = engine;
    this.#ids = ids;
    this.#keys = keys;
  }

  async get(key: CacheKey): Promise<V | undefined> {
    const reading = this.#ask(this.#check(key));
    const known = reading instanceof Promise ? await reading : reading;
    return known === ABSENT || isExpired(known) ? undefined : decode(known) as V;
  }

  async has(key: CacheKey): Promise<boolean> {
    const known = await this.#ask(this.#check(key));
    return known !== ABSENT && !isExpired(known);
  }

  set(key: CacheKey, value: V, { expireInMs }: SetOptions = {}): void {
    this.#write(key, encode(value, key, expiry(expireInMs)));
  }

  emit(key: CacheKey, value: V): void {
    this.#updates.push(this.#write(key, encode(value, key)));
  }

  delete(key: CacheKey): void {
    this.#write(key, undefined);
  }

  /** Has what was asked for written; undefined when what was read has changed. */
  async commit(): Promise<{ readonly onDisk: Promise<void> | undefined } | undefined> {
    this.#ended = true;
    const writes = [...this.#writes.values()];
    const engine = this.#engine;
    if (engine.shared) {
      if (writes.length === 0) return { onDisk: undefined };
      const checks = [...this.#checks?.values() ?? []];
      engine.groups.checkSize(writes, this.#updates, checks);
      if (await engine.commitTransaction(writes, this.#updates, checks)) {
        return { onDisk: undefined };
      }
      await engine.committer.discard(writes);
      return undefined;
    }
    // What it has read must be on disk before what it makes of it, or with it: the group that it was in may fail.
    for (const group of this.#rests) {
      const joins = writes.length > 0 && this.#rests.length === 1 && engine.joins(group, writes, this.#updates);
      if (!joins && !await settles(group)) return undefined;
    }
    if (this.changed) return undefined;
    this.end();
    return { onDisk: writes.length === 0 ? undefined : engine.write(writes, this.#updates).promise };
  }

  /** Makes it unusable. */
  end(): void {
    this.#ended = true;
    for (const id of this.#watched) this.#engine.unwatch(id);
    this.#watched.length = 0;
  }

  #check(key: CacheKey): CheckedKey {
    const checked = checkKey(key);
    if (this.#ended) {
      throw new CacheError(
        "over",
        `The transaction on ${namesOf(this.#keys)} is over: await what it does inside its function`,
      );
    }
    if (!this.#ids.includes(checked.id)) {
      throw new TypeError(
        `The transaction holds ${namesOf(this.#keys)}, and not ${
          showKey(key)
        }; for several keys give an array of arrays: [["a"], ["b"]]`,
      );
    }
    return checked;
  }

  /** What is known of a key, expired or not; at once if memory knows. */
  #ask(key: CheckedKey): ValueOrAbsent | Promise<ValueOrAbsent> {
    const { id } = key;
    const own = this.#writes.get(id);
    if (own !== undefined) return own.stored ?? ABSENT;
    const engine = this.#engine;
    if (engine.shared) return this.#readVersioned(key);
    engine.watch(id, this);
    this.#watched.push(id);
    const group = engine.pendingGroup(id);
    if (group !== undefined && !this.#rests.includes(group)) this.#rests.push(group);
    return engine.peek(id) ?? engine.read(key);
  }

  async #readVersioned({ id, parts, bytes }: CheckedKey): Promise<ValueOrAbsent> {
    const { maxReads } = this.#engine.committer;
    this.#read.add(id);
    if (this.#read.size > maxReads) {
      throw new RangeError(
        `A transaction on this store can read ${maxReads} keys, and ${showKey(parts)} is one more: ` +
          "keep what belongs together under one key, or in several transactions",
      );
    }
    const { known, versionstamp, pointer } = await this.#engine.readVersioned(parts);
    const chunks = pointer === ABSENT ? undefined : pointer.chunks;
    this.#checks ??= new Map();
    // The first version that was seen is the one that must still be there.
    if (!this.#checks.has(id)) this.#checks.set(id, { id, key: parts, keyBytes: bytes, versionstamp, chunks });
    return known;
  }

  #write(key: CacheKey, stored: StoredValue | undefined): Write {
    const { id, parts, bytes } = this.#check(key);
    const write = { id, key: parts, keyBytes: bytes, stored };
    this.#writes.set(id, write);
    return write;
  }
}

function idsOf(keys: readonly CheckedKey[]): readonly string[] {
  return keys.length === 1 ? [keys[0]!.id] : [...new Set(keys.map(({ id }) => id))];
}

function namesOf(keys: readonly CheckedKey[]): string {
  return showKey(keys.length === 1 ? keys[0]!.parts : keys.map(({ parts }) => showKey(parts)));
}

/** Whether a group gets on disk. */
function settles({ promise }: Group): Promise<boolean> {
  return promise.then(() => true, () => false);
}

/** The last moment that a Date can name. */
const LAST_MS = 8.64e15;

/**
 * When a value ends.
 *
 * @throws {RangeError} If the time is none.
 */
export function expiry(expireInMs: number | undefined): number {
  if (expireInMs === undefined) return 0;
  const at = Date.now() + expireInMs;
  if (typeof expireInMs !== "number" || !(expireInMs > 0) || !(at <= LAST_MS)) {
    throw new RangeError(`expireInMs must be a number of milliseconds above 0: ${expireInMs}`);
  }
  return at;
}
