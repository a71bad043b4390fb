/**
 * State that outlives the program: a map on Deno KV.
 *
 * @module
 */

import {
  type Batch,
  type BatchSink,
  type BatchSource,
  type Delivery,
  openSink,
  openSource,
  type SinkWriter,
  type SourceReader,
} from "../stream/protocol.ts";
import { type Settlement, Settlements } from "../stream/settlement.ts";
import { closed } from "./cache_error.ts";
import {
  type CacheChange,
  type CacheUpdate,
  type ChangesOptions,
  openChanges,
  openUpdates,
  type PullReader,
  type UpdatesOptions,
} from "./cache_change.ts";
import { type CacheOptions, checkOptions } from "./cache_options.ts";
import type { Write } from "./store/write.ts";
import { type Engine, type EngineOptions, openEngine } from "./engine/engine.ts";
import type { Group } from "./engine/group_commit.ts";
import { type CacheKey, type CheckedKey, checkKey, idOf, keyOf, type KeyPart } from "./cache_key.ts";
import { RangeIterator } from "./engine/range_iterator.ts";
import { ABSENT } from "./engine/remembered_entries.ts";
import { type CacheListOptions, type CacheRange, type Entry, Range } from "./engine/scan.ts";
import {
  type CacheTransaction,
  expiry,
  isInTransaction,
  runTransaction,
  type SetOptions,
  type TransactionOptions,
} from "./engine/transaction.ts";
import { decode, encode, type StoredValue } from "./store/stored_value.ts";
import { writableOf } from "./durable_writable.ts";

/** What a Cache takes as a sink. A null value removes the key. */
export type CacheInput<V> = readonly [key: CacheKey, value: V | null] | {
  readonly key: CacheKey;
  readonly value: V | null;
};

const TIMEOUT_MS = 30_000;

/**
 * A map on Deno KV, opened when it is first used.
 *
 * - The promise of a write settles when it is on disk; reads see it at once.
 * - After a crash the disk shows a prefix of the writes, in the order in which the Cache has accepted them: `set()`,
 *   `delete()` and `emit()` when they are called, what handlers emit when it is emitted, a transaction whole when its
 *   function has ended (in a shared store: when it is committed). Caches of one path and prefix have one order.
 * - Writes that come together share a commit. A commit that fails fails its own writes and no others: those accepted
 *   after them go on, and the disk shows what was accepted without those that failed. A file may hold the writes of a
 *   commit that failed.
 * - A remote store makes each commit once, also when its answer is lost, the connection breaks or the server answers
 *   5xx: Deno then asks again, without an end, and prints why. A Cache that it can't open fails with a
 *   `CacheError`.
 * - Some 32 MB (or 50,000 writes) may wait for the disk; then handlers, `deleteRange()` and pipes wait for room.
 *   `set()` and the like take their value whatever waits: await them.
 * - A file belongs to one process, unless it is `shared`.
 * - Values are what structured clone takes, of any size; each read gives a copy of its own.
 *
 * @example Counting
 * ```ts
 * import { Cache } from "@slipstream/slipstream";
 * import assert from "node:assert/strict";
 *
 * await using counts = new Cache<number>(":memory:");
 * await counts.set("fish", 1);
 * await counts.update("fish", (count = 0) => count + 1);
 * assert.equal(await counts.get("fish"), 2);
 * ```
 */
export class Cache<V = unknown>
  implements BatchSink<CacheInput<V>>, BatchSource<CacheUpdate<V>>, AsyncIterable<CacheUpdate<V>>, AsyncDisposable {
  readonly #path: string | undefined;
  readonly #options: EngineOptions;
  readonly #readers = new Set<() => void>();
  /** How many transactions are under way, and what to call when none is. */
  #transactions = 0;
  #onIdle = () => {};
  #engine: Engine | undefined;
  #opening: Promise<Engine> | undefined;
  #release: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;
  #writable: WritableStream<CacheInput<V>> | undefined;
  /** How many writes wait for the store to be opened: later ones go behind them, and so do reads. */
  #behind = 0;

  /**
   * Opens nothing yet.
   *
   * @param path a file (its folders are made), `":memory:"`, the URL of a remote store, or nothing for the runtime's own
   * @throws {TypeError} If an option is wrong.
   */
  constructor(path?: string, options: CacheOptions = {}) {
    this.#path = path;
    this.#options = checkOptions(path, options);
  }

  /** Reads a value; undefined when there is none. */
  async get(key: CacheKey): Promise<V | undefined> {
    const checked = checkKey(key);
    const opened = this.#opened();
    const engine = opened instanceof Promise ? await opened : opened;
    const known = engine.peek(checked.id) ?? await engine.read(checked);
    return known === ABSENT ? undefined : decode(known) as V;
  }

  /** Reads several values, in the order of the keys. */
  async getMany(keys: Iterable<CacheKey>): Promise<(V | undefined)[]> {
    const checked = Array.from(keys, checkKey);
    const opened = this.#opened();
    const engine = opened instanceof Promise ? await opened : opened;
    const known = await Promise.all(checked.map((key) => engine.peek(key.id) ?? engine.read(key)));
    return known.map((some) => some === ABSENT ? undefined : decode(some) as V);
  }

  /** Whether there is a value. */
  async has(key: CacheKey): Promise<boolean> {
    const checked = checkKey(key);
    const opened = this.#opened();
    const engine = opened instanceof Promise ? await opened : opened;
    return (engine.peek(checked.id) ?? await engine.read(checked)) !== ABSENT;
  }

  /**
   * Sets a value. Resolves when it is on disk; reads see it at once.
   *
   * @throws {TypeError} If the value is undefined, or structured clone refuses it. Nothing is written then.
   */
  async set(key: CacheKey, value: V, { expireInMs }: SetOptions = {}): Promise<void> {
    const write = writing(checkKey(key), encode(value, key, expiry(expireInMs)));
    await this.#write([write], []);
  }

  /** Removes a key. Resolves when that is on disk. */
  async delete(key: CacheKey): Promise<void> {
    const write = writing(checkKey(key), undefined);
    await this.#write([write], []);
  }

  /** Sets a value and publishes it: what a sink does. Resolves when it is on disk, and in the log if there is one. */
  async emit(key: CacheKey, value: V): Promise<void> {
    const writes = [writing(checkKey(key), encode(value, key))];
    await this.#write(writes, writes);
  }

  /**
   * Sets a value made from the one there is. A short transaction: the function may run again.
   *
   * @returns the new value
   */
  update(
    key: CacheKey,
    fn: (value: V | undefined) => V | Promise<V>,
    options?: SetOptions & TransactionOptions,
  ): Promise<V> {
    return this.#transaction([key], async (tx) => {
      const value = await fn(await tx.get(key));
      tx.set(key, value, options);
      return value;
    }, options);
  }

  /**
   * Runs a function that reads and writes some keys as if nobody else did.
   *
   * - Other transactions on a key wait, in order; plain reads and writes do not.
   * - Everything it writes is in one commit. When it throws, nothing is.
   * - When a key that it has read was changed by a plain write or by another process, it runs again.
   * - Keys that are named together are taken without a deadlock, in whatever order. One transaction inside another takes
   *   its keys later: two that do so crosswise wait for each other until their time is over.
   *
   * @param keys one key, or an array of arrays for several: `[["a"], ["b"]]`
   * @throws {CacheError} If it takes too long, or runs inside another one on the same key.
   * @throws {RangeError} If it writes more than one commit can hold: 1,000 changes, 800 KB, 80 KB of keys. If it reads
   *   more than 97 keys of a file that is `shared`, or 7 of a remote store or the default one: an atomic checks no more.
   */
  transaction<R>(
    keys: CacheKey | readonly (readonly KeyPart[])[],
    fn: (tx: CacheTransaction<V>) => R | Promise<R>,
    options?: TransactionOptions,
  ): Promise<R> {
    const several = Array.isArray(keys) && keys.some((key) => Array.isArray(key));
    return this.#transaction(several ? keys as CacheKey[] : [keys as CacheKey], fn, options);
  }

  /**
   * The entries of a range in the order of their keys, as they are when the first is asked for. Of what other processes
   * write to a shared store meanwhile, some may be among them.
   *
   * @throws {TypeError} If the range starts or ends outside its prefix.
   */
  entries(options: CacheListOptions = {}): AsyncGenerator<[CacheKey, V], void, undefined> {
    return this.#list(options, true, (key, stored) => [keyOf(key), decode(stored) as V]);
  }

  /** The keys of a range. */
  keys(options: CacheListOptions = {}): AsyncGenerator<CacheKey, void, undefined> {
    return this.#list(options, false, (key) => keyOf(key));
  }

  /** The values of a range, in the order of their keys. */
  values(options: CacheListOptions = {}): AsyncGenerator<V, void, undefined> {
    return this.#list(options, true, (_, stored) => decode(stored) as V);
  }

  /** Removes the entries of a range, in as many commits as it takes. */
  async deleteRange(range: CacheRange): Promise<void> {
    const opened = this.#opened();
    const engine = opened instanceof Promise ? await opened : opened;
    const [checked, all] = [new Range(range), { reverse: false, limit: Infinity, whole: false }];
    const keys = engine.snapshot(checked)?.keys ?? keysOf(engine.scan(checked, all));
    let groups = new Set<Group>();
    for await (const key of keys) {
      groups.add(engine.write([{ id: idOf(key), key, keyBytes: checkKey(key).bytes, stored: undefined }], []));
      const room = engine.groups.room();
      if (room !== undefined) await room;
      if (groups.size < 10) continue;
      await settled(groups);
      groups = new Set();
    }
    await settled(groups);
  }

  /** Removes all entries. */
  clear(): Promise<void> {
    return this.deleteRange({});
  }

  /** Whether updates are kept in a log, and reading them can be resumed. */
  get resumable(): boolean {
    return this.#options.logLimit > 0;
  }

  /**
   * Reads what is published with `emit()` and by handlers, until the Cache is closed.
   *
   * - With a log, every update it holds, in order, however slow the reader is.
   * - Without, a reader that is 1,000 to 2,000 updates (or 8 to 16 MB) behind gets the latest of each key only, of the
   *   1,000 keys updated last.
   * - A value above 60 KB that comes from the log is the one that its key has now.
   * - Updates by other processes come through the log alone.
   */
  updates({ prefix, from }: UpdatesOptions = {}): ReadableStream<CacheUpdate<V>> {
    if (from !== undefined && !this.resumable) {
      throw new TypeError("from needs a log: new Cache(path, { log: { limit: 1000 } })");
    }
    if (from !== undefined && !Number.isSafeInteger(from)) throw new TypeError(`from must be a whole number: ${from}`);
    const parts = prefix === undefined ? [] : checkKey(prefix).parts;
    return this.#read((engine) => openUpdates<V>(engine, parts, from));
  }

  /**
   * Reads what the Cache has and what is published, and tells what is missing; until the Cache is closed.
   *
   * - With `snapshot`, the entries come first and then their updates: none is missing in between, and none comes that
   *   its key's entry is ahead of. So who keeps the latest value of each key has what the Cache has, but for what is
   *   set and not published. A key's values come in order; entries of different keys may be of different moments.
   * - With a log, each update has an id, which says of which log it is: a program that was away goes on with `after`,
   *   in any process that uses the store. It gets each update once, or learns that some are missing.
   * - Without, updates of other processes are not read, and a reader that is far behind has a gap, as with `updates()`.
   * - An entry that expires is no update.
   *
   * @throws {TypeError} If `after` is given without a log.
   *
   * @example
   * ```ts
   * import { Cache } from "@slipstream/slipstream";
   * import assert from "node:assert/strict";
   *
   * await using stock = new Cache<number>(":memory:", { log: { limit: 100 } });
   * await stock.emit("fish", 3);
   * const types: string[] = [];
   * for await (const change of stock.changes({ snapshot: true })) {
   *   types.push(change.type);
   *   if (change.type === "entry") assert.deepEqual(change.update, ["fish", 3, undefined]);
   *   if (change.type === "live") break;
   * }
   * assert.deepEqual(types, ["snapshot", "entry", "live"]);
   * ```
   */
  changes({ prefix, after, snapshot = false }: ChangesOptions = {}): ReadableStream<CacheChange<V>> {
    if (after !== undefined && !this.resumable) {
      throw new TypeError("after needs a log: new Cache(path, { log: { limit: 1000 } })");
    }
    const parts = prefix === undefined ? [] : checkKey(prefix).parts;
    return this.#read((engine) => openChanges<V>(engine, parts, after, snapshot));
  }

  /** Reads one by one when pulled; a cancel releases the reader at once, even one that is still being opened. */
  #read<T>(
    open: (engine: Engine) => Promise<PullReader<T>>,
  ): ReadableStream<T> {
    let reader: PullReader<T> | undefined;
    let isOver = false;
    const end = () => {
      isOver = true;
      this.#readers.delete(end);
      reader?.close();
    };
    this.#readers.add(end);
    return new ReadableStream<T>({
      start: async () => {
        try {
          const opening = this.#opened();
          reader = await open(opening instanceof Promise ? await opening : opening);
          if (isOver) reader.close();
        } catch (error) {
          end();
          throw error;
        }
      },
      pull: async (controller) => {
        try {
          const read = await reader!.next();
          if (read !== undefined) return controller.enqueue(read);
        } catch (error) {
          // A read of the store that the close has cut short.
          if (!isOver) {
            end();
            throw error;
          }
        }
        end();
        controller.close();
      },
      cancel: end,
    }, { highWaterMark: 0 });
  }

  /** Reads what is published from now on. */
  [Symbol.asyncIterator](): AsyncIterableIterator<CacheUpdate<V>> {
    return this.updates()[Symbol.asyncIterator]() as AsyncIterableIterator<CacheUpdate<V>>;
  }

  /**
   * Takes keys and values, and publishes them, as a sink does.
   *
   * - A write resolves when its value is on disk. It rejects when the value can't be, and the stream has failed then: a
   *   pipe ends with that error, and nothing counts as written that is not on disk.
   * - So each value has a commit of its own: some 3,000 a second. `handle()` with the Cache as its sink is the fast way.
   * - While a stream is in use everyone gets the same one; after it has closed or failed, a new one.
   */
  get writable(): WritableStream<CacheInput<V>> {
    if (this.#writable !== undefined) return this.#writable;
    const writable = writableOf<CacheInput<V>>(async (input) => {
      const writes = [writeOf(input)];
      await this.#write(writes, writes);
    }, () => {
      if (this.#writable === writable) this.#writable = undefined;
    });
    return this.#writable = writable;
  }

  /** Reads updates in `handle()`. */
  [openSource](): SourceReader<CacheUpdate<V>> {
    const reader = this.updates().getReader();
    // Who reads hears what went wrong: a stream that failed rejects its cancel as well.
    const stop = () => void reader.cancel().catch(() => {});
    const batches = new ReadableStream<Batch<CacheUpdate<V>>>({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue({ messages: [value], done() {} });
      },
      cancel: stop,
    }, { highWaterMark: 0 });
    return { batches, stop, close: () => reader.cancel() };
  }

  /**
   * Takes what handlers emit, at once, so that they can read it again. A delivery has settled when its values are on
   * disk, and never when one of them can't be.
   */
  [openSink](): SinkWriter<CacheInput<V>> {
    const settlements = new Settlements();
    // A writer that has one user needs no delivery: all of its values are one.
    const own: Delivery = { undelivered() {} };
    return {
      accept: (input, delivery = own) => {
        const writes = [writeOf(input)];
        const accepted = this.#accept(writes, writes, settlements.of(delivery));
        return accepted instanceof Promise
          ? accepted.then(() => this.#engine?.groups.room())
          : this.#engine!.groups.room();
      },
      settle: (delivery = own) => settlements.outcome(delivery),
      close() {},
    };
  }

  /**
   * Waits for transactions under way and for what was written, ends those who read updates, and closes the store.
   * Idempotent. Whatever comes later, or from within a transaction that closes the Cache itself, fails.
   */
  close(): Promise<void> {
    return this.#closing ??= (async () => {
      const engine = await this.#opening?.catch(() => undefined);
      if (engine !== undefined && !isInTransaction(engine) && this.#transactions > 0) {
        await new Promise<void>((resolve) => this.#onIdle = resolve);
      }
      await engine?.groups.flush();
      this.#engine = undefined;
      for (const end of this.#readers) end();
      await this.#release?.();
    })();
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #list<T>(
    { reverse = false, limit = Infinity, ...range }: CacheListOptions,
    whole: boolean,
    make: (key: Entry["key"], stored: StoredValue) => T,
  ): RangeIterator<T> {
    if (!(limit >= 0)) throw new RangeError(`limit must be 0 or more: ${limit}`);
    return new RangeIterator(async () => await this.#opened(), new Range(range), { reverse, limit, whole }, make);
  }

  async #transaction<R>(
    keys: readonly CacheKey[],
    fn: (tx: CacheTransaction<V>) => R | Promise<R>,
    { timeoutMs = TIMEOUT_MS }: TransactionOptions = {},
  ): Promise<R> {
    const checked = keys.map(checkKey);
    const opened = this.#opened();
    const engine = opened instanceof Promise ? await opened : opened;
    if (this.#closing !== undefined && !isInTransaction(engine)) throw closed(this.#path ?? "on the default store");
    this.#transactions++;
    try {
      return await runTransaction(engine, checked, fn, timeoutMs);
    } finally {
      if (--this.#transactions === 0) this.#onIdle();
    }
  }

  /** Has writes accepted; resolves when they are on disk. */
  #write(writes: readonly Write[], updates: readonly Write[]): Promise<void> {
    if (this.#engine !== undefined && this.#behind === 0) return this.#engine.write(writes, updates).promise;
    const accepted = this.#accept(writes, updates);
    return accepted instanceof Promise ? accepted.then(({ promise }) => promise) : accepted.promise;
  }

  /**
   * Has writes accepted in the order of the calls: at once, or as soon as the store is open.
   *
   * @param account ends together with the group that they are in
   */
  #accept(writes: readonly Write[], updates: readonly Write[], account?: Settlement): Group | Promise<Group> {
    if (this.#engine !== undefined && this.#behind === 0) return write(this.#engine, writes, updates, account);
    this.#behind++;
    // A stop may cut the wait for the store short: who asks then has to hear of what is still on its way to it.
    account?.accepted();
    const opened = () => {
      this.#behind--;
      account?.settled();
    };
    // In one go: who comes between the two would overtake.
    return this.#open().then((engine) => {
      try {
        return write(engine, writes, updates, account);
      } finally {
        opened();
      }
    }, (error) => {
      opened();
      throw error;
    });
  }

  /** The engine, at once if it is open and no write is on its way to it. */
  #opened(): Engine | Promise<Engine> {
    return this.#engine !== undefined && this.#behind === 0 ? this.#engine : this.#open();
  }

  #open(): Promise<Engine> {
    if (this.#closing !== undefined) {
      return Promise.reject(closed(this.#path ?? "on the default store"));
    }
    return this.#opening ??= openEngine(this.#path, this.#options).then(({ engine, release }) => {
      this.#release = release;
      return this.#engine = engine;
    }, (error) => {
      this.#opening = undefined; // the next one may have more luck
      throw error;
    });
  }
}

function write(engine: Engine, writes: readonly Write[], updates: readonly Write[], account?: Settlement): Group {
  const group = engine.write(writes, updates);
  if (account !== undefined) group.owe(account);
  return group;
}

function writeOf(input: unknown): Write {
  const some = input as { readonly key: CacheKey; readonly value: unknown };
  const pair = Array.isArray(input) && input.length === 2 ? input as [CacheKey, unknown] : undefined;
  if (pair === undefined && (typeof input !== "object" || input === null || !("key" in some) || !("value" in some))) {
    const got = Array.isArray(input) ? `an array of ${input.length}` : input === null ? "null" : typeof input;
    throw new TypeError(`A Cache takes [key, value] or { key, value }: got ${got}`);
  }
  const [key, value] = pair ?? [some.key, some.value];
  return writing(checkKey(key), value === null ? undefined : encode(value, key));
}

/** Waits until groups are on disk. */
async function settled(groups: Iterable<Group>): Promise<void> {
  await Promise.all(Array.from(groups, ({ promise }) => promise));
}

async function* keysOf(found: AsyncIterable<Entry>): AsyncGenerator<Entry["key"]> {
  for await (const { key } of found) yield key;
}

function writing({ id, parts, bytes }: CheckedKey, stored: StoredValue | undefined): Write {
  return { id, key: parts, keyBytes: bytes, stored };
}
