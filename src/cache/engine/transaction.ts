/**
 * Transactions: a function reads and writes some keys as if nobody else used them.
 *
 * Within a process, locks keep transactions on the same key apart. Plain writes take no lock, so a transaction watches
 * the keys that it reads and runs again if one of them changes. In a shared store, other processes write too: there the
 * commit checks the versions that the transaction has read.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { CacheError } from "../cache_error.ts";
import { type CacheKey, type CheckedKey, checkKey, showKey } from "../cache_key.ts";
import { type CacheTransaction, checkWriteOptions, expiryOf, type SetOptions } from "../cache_transaction.ts";
import { backOff } from "../store/retrying_kv.ts";
import { ABSENT, decode, encode, isExpired, type StoredValue, type ValueOrAbsent } from "../store/stored_value.ts";
import type { Check, Write } from "../store/write.ts";
import type { Deadline } from "./deadlines.ts";
import type { Engine } from "./engine.ts";
import type { Group } from "./group_commit.ts";
import type { LockWait } from "./key_locks.ts";

/** A transaction that the running code is inside of. */
interface EnclosingTransaction {
  readonly engine: Engine;
  readonly ids: readonly string[];
  readonly outer: EnclosingTransaction | undefined;
  /** Whether it still holds its locks. */
  active: boolean;
}

const enclosing = new AsyncLocalStorage<EnclosingTransaction>();

/** Whether the running code is inside a transaction on this engine. */
export function isInTransaction(engine: Engine): boolean {
  for (let one = enclosing.getStore(); one !== undefined; one = one.outer) {
    if (one.active && one.engine === engine) return true;
  }
  return false;
}

/**
 * Runs a transaction.
 *
 * @param timeoutMs how long it may take, waiting for its keys included
 * @throws {CacheError} If it takes too long, or runs inside another transaction on the same key.
 */
export async function runTransaction<V, K extends CacheKey, R>(
  engine: Engine,
  keys: readonly CheckedKey[],
  fn: (tx: CacheTransaction<V, K>) => R | Promise<R>,
  timeoutMs: number,
): Promise<R> {
  const ids = idsOf(keys);
  const outer = enclosing.getStore();
  refuseNested(outer, engine, keys);
  const time = new TransactionTime(keys, timeoutMs);
  const current: EnclosingTransaction = { engine, ids, outer, active: true };
  engine.deadlines.add(time);
  let release: (() => void) | undefined;
  try {
    release = engine.locks.tryAcquire(ids) ?? await engine.locks.acquire(ids, time);
    for (let attempt = 0;; attempt++) {
      const tx = new Transaction<V>(engine, ids, keys);
      try {
        const result = await time.limit(() => enclosing.run(current, () => fn(tx)));
        const committed = await tx.commit();
        if (committed !== undefined) {
          // The next transaction on these keys reads the accepted writes from the overlay, and can share their commit.
          current.active = false;
          release();
          release = undefined;
          await committed.onDisk;
          return result;
        }
      } finally {
        tx.end();
      }
      if (time.reason !== undefined) {
        throw new CacheError(
          "conflict",
          `The transaction on ${showKeys(keys)} gave up: others changed its keys in each of ${
            attempt + 1
          } attempts within ${timeoutMs} ms`,
        );
      }
      await backOff(attempt);
    }
  } finally {
    current.active = false;
    engine.deadlines.delete(time);
    release?.();
  }
}

function refuseNested(outer: EnclosingTransaction | undefined, engine: Engine, keys: readonly CheckedKey[]): void {
  for (let one = outer; one !== undefined; one = one.outer) {
    const { active, ids } = one;
    const shared = active && one.engine === engine ? keys.find(({ id }) => ids.includes(id)) : undefined;
    if (shared === undefined) continue;
    throw new CacheError(
      "nested",
      `A transaction on ${
        showKey(shared.parts)
      } inside another on the same key would wait for itself: use the tx of the outer transaction`,
    );
  }
}

/** The time that a transaction has. When it is over, the transaction stops waiting for locks and for its function. */
class TransactionTime implements Deadline, LockWait {
  readonly at: number;
  readonly #keys: readonly CheckedKey[];
  readonly #timeoutMs: number;
  reason: unknown;
  giveUp: ((reason: unknown) => void) | undefined;

  constructor(keys: readonly CheckedKey[], timeoutMs: number) {
    this.#keys = keys;
    this.#timeoutMs = timeoutMs;
    this.at = Date.now() + timeoutMs;
  }

  onExpired(): void {
    this.reason = new CacheError(
      "timeout",
      `The transaction on ${
        showKeys(this.#keys)
      } took longer than timeoutMs: ${this.#timeoutMs}. Nothing of it was written`,
    );
    this.giveUp?.(this.reason);
  }

  /** Waits for a function, but no longer than the time that is left. */
  limit<R>(fn: () => R | Promise<R>): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      if (this.reason !== undefined) throw this.reason;
      this.giveUp = reject;
      Promise.resolve(fn()).then(resolve, reject);
    });
  }
}

/** One attempt of a transaction. */
class Transaction<V> implements CacheTransaction<V> {
  readonly #engine: Engine;
  readonly #ids: readonly string[];
  readonly #keys: readonly CheckedKey[];
  readonly #writes = new Map<string, Write>();
  readonly #updates: Write[] = [];
  readonly #watched: string[] = [];
  /** The groups of the pending writes that it has read. */
  readonly #readGroups: Group[] = [];
  /** In a shared store: the keys that it has read, and the versions that its commit checks. */
  readonly #readKeys = new Set<string>();
  #checks: Map<string, Check> | undefined;
  #ended = false;
  /** Whether a plain write has changed a key that it has read. */
  changed = false;

  constructor(engine: Engine, ids: readonly string[], keys: readonly CheckedKey[]) {
    this.#engine = engine;
    this.#ids = ids;
    this.#keys = keys;
  }

  async get(key: unknown): Promise<V | undefined> {
    const reading = this.#read(this.#checkKey(key));
    const value = reading instanceof Promise ? await reading : reading;
    return value === ABSENT || isExpired(value) ? undefined : decode(value) as V;
  }

  async has(key: unknown): Promise<boolean> {
    const value = await this.#read(this.#checkKey(key));
    return value !== ABSENT && !isExpired(value);
  }

  set(key: unknown, value: V, options?: SetOptions): void {
    if (options !== undefined) checkWriteOptions("tx.set()", options, ["expireInMs"]);
    this.#write(key, encode(value, key, options && expiryOf(options)));
  }

  emit(key: unknown, value: V): void {
    this.#updates.push(this.#write(key, encode(value, key)));
  }

  delete(key: unknown): void {
    this.#write(key, undefined);
  }

  /**
   * Commits its writes: in a shared store at once, else with others.
   *
   * @returns undefined if a key that it has read has changed; else a promise that resolves when the writes are on disk
   */
  async commit(): Promise<{ readonly onDisk: Promise<void> | undefined } | undefined> {
    this.#ended = true;
    const writes = [...this.#writes.values()];
    const engine = this.#engine;
    if (engine.shared) {
      if (writes.length === 0) return { onDisk: undefined };
      const checks = [...this.#checks?.values() ?? []];
      engine.groups.checkSize(writes, this.#updates, checks);
      if (await engine.commitTransaction(writes, this.#updates, checks)) return { onDisk: undefined };
      await engine.committer.discard(writes);
      return undefined;
    }
    // It may have read a pending write, whose group may yet fail. Its own writes must then not reach the disk: so they
    // go into the same group, or wait until that group is on disk.
    for (const group of this.#readGroups) {
      const joins = writes.length > 0 && this.#readGroups.length === 1 &&
        engine.wouldJoin(group, writes, this.#updates);
      if (!joins && !await reachesDisk(group)) return undefined;
    }
    if (this.changed) return undefined;
    this.end();
    return { onDisk: writes.length === 0 ? undefined : engine.write(writes, this.#updates).promise };
  }

  /** Ends it: it can't be used any more. */
  end(): void {
    this.#ended = true;
    for (const id of this.#watched) this.#engine.unwatch(id);
    this.#watched.length = 0;
  }

  #checkKey(key: unknown): CheckedKey {
    const checked = checkKey(key);
    if (this.#ended) {
      throw new CacheError(
        "over",
        `The transaction on ${showKeys(this.#keys)} has ended: await inside its function everything that uses tx`,
      );
    }
    if (!this.#ids.includes(checked.id)) {
      throw new TypeError(
        `The transaction names ${showKeys(this.#keys)}, and its function uses ${
          showKey(key)
        }: name every key, as an array of arrays: [["a"], ["b"]]`,
      );
    }
    return checked;
  }

  /** Reads a key, which may have expired: from its own writes, the overlay, memory or the disk. */
  #read(key: CheckedKey): ValueOrAbsent | Promise<ValueOrAbsent> {
    const { id } = key;
    const own = this.#writes.get(id);
    if (own !== undefined) return own.stored ?? ABSENT;
    const engine = this.#engine;
    if (engine.shared) return this.#readShared(key);
    engine.watch(id, this);
    this.#watched.push(id);
    const group = engine.pendingGroup(id);
    if (group !== undefined && !this.#readGroups.includes(group)) this.#readGroups.push(group);
    return engine.peek(id) ?? engine.read(key);
  }

  async #readShared({ id, parts, bytes }: CheckedKey): Promise<ValueOrAbsent> {
    const { maxReads } = this.#engine.committer;
    this.#readKeys.add(id);
    if (this.#readKeys.size > maxReads) {
      throw new RangeError(
        `A transaction on this store can read ${maxReads} keys, and ${showKey(parts)} is one too many: ` +
          "keep values that belong together under one key, or use several transactions",
      );
    }
    const { value, versionstamp, pointer } = await this.#engine.readVersioned(parts);
    const chunks = pointer === ABSENT ? undefined : pointer.chunks;
    this.#checks ??= new Map();
    // If it reads a key twice, the commit checks the first version: the function has seen its value.
    if (!this.#checks.has(id)) this.#checks.set(id, { id, key: parts, keyBytes: bytes, versionstamp, chunks });
    return value;
  }

  #write(key: unknown, stored: StoredValue | undefined): Write {
    const { id, parts, bytes } = this.#checkKey(key);
    const write = { id, key: parts, keyBytes: bytes, stored };
    this.#writes.set(id, write);
    return write;
  }
}

function idsOf(keys: readonly CheckedKey[]): readonly string[] {
  return keys.length === 1 ? [keys[0]!.id] : [...new Set(keys.map(({ id }) => id))];
}

function showKeys(keys: readonly CheckedKey[]): string {
  return showKey(keys.length === 1 ? keys[0]!.parts : keys.map(({ parts }) => showKey(parts)));
}

function reachesDisk({ promise }: Group): Promise<boolean> {
  return promise.then(() => true, () => false);
}
