/**
 * State that outlives the program: a map on Deno KV.
 *
 * @module
 */

import { assertNoProblems, unknownOptions } from "../options/problems.ts";
import {
  type BatchSink,
  type BatchSource,
  type Delivery,
  openSink,
  openSource,
  type SinkWriter,
  type SourceReader,
} from "../protocol/protocol.ts";
import { Settlements } from "../protocol/settlement.ts";
import {
  type CacheChange,
  type CacheUpdate,
  CHANGES_DEFAULTS,
  type ChangesOptions,
  type UpdatesOptions,
} from "./cache_change.ts";
import { type CacheInput, writeOf, writeOfInput } from "./cache_input.ts";
import { type CacheKey, checkKey, idOf, type KeyInput, keyOf, type KeyParts, type KeyRead } from "./cache_key.ts";
import { type CacheOptions, checkOptions } from "./cache_options.ts";
import { type CacheListOptions, type CacheRange, LIST_DEFAULTS, Range } from "./cache_range.ts";
import {
  type CacheTransaction,
  checkWriteOptions,
  expiryOf,
  type SetOptions,
  TRANSACTION_DEFAULTS,
  type TransactionOptions,
} from "./cache_transaction.ts";
import { durableWritable } from "./durable_writable.ts";
import type { Engine } from "./engine/engine.ts";
import type { Group } from "./engine/group_commit.ts";
import { LazyEngine } from "./engine/lazy_engine.ts";
import { RangeIterator } from "./engine/range_iterator.ts";
import type { Entry } from "./engine/scan.ts";
import { isInTransaction, runTransaction } from "./engine/transaction.ts";
import { openChanges, openUpdates } from "./open_changes.ts";
import { pullStream, readInBatches } from "./pull_stream.ts";
import { ABSENT, decode, encode, type StoredValue } from "./store/stored_value.ts";

const LOG_REMEDY = "needs a log of updates: new Cache(path, { log: { limit: 1000 } })";
/** How many groups `deleteRange()` fills before it waits for them. */
const DELETED_GROUPS = 10;

/**
 * A map on Deno KV. It opens its store when it is first used.
 *
 * - **Durability.** The promise of a write resolves when the write is on disk. Reads see the write at once.
 * - **Order.** The Cache accepts writes one after the other: `set()`, `delete()` and `emit()` when they are called,
 *   what handlers emit when they emit it, a transaction as a whole when its function has returned (in a shared store:
 *   when it is committed). After a crash the disk shows a prefix of the accepted writes, without those that failed.
 *   Caches with the same path and prefix share one order.
 * - **Failure.** Writes that come together share a commit. A commit that fails rejects its own writes and no others:
 *   later writes go on. A file may still hold the writes of a failed commit.
 * - **Remote stores.** Each commit takes effect once, also if its answer is lost, the connection breaks, or the server
 *   answers with status 5xx: Deno sends it again until it is answered, and prints why. A store that can't be opened is
 *   a `CacheError`.
 * - **As a sink of `handle()`.** A batch is done after its values are on disk. So a crash loses no message and may
 *   repeat some: a handler that emits what it has read plus 1 counts a repeated message twice.
 * - **Backpressure.** About 32 MB or 50,000 writes may wait for the disk. Then handlers, `deleteRange()` and pipes
 *   wait. `set()`, `delete()`, `emit()` and transactions never wait to be accepted: await their promises.
 * - **Processes.** One process owns a file, unless every process opens it as `shared`.
 * - **Keys.** A string, number, bigint, boolean or `Uint8Array`, or an array of these, of at most 1,792 bytes. They
 *   have the order of Deno KV. `"a"` and `["a"]` are the same key.
 * - **Values.** Everything that structured clone can copy, of any size. Each read returns a copy of its own.
 *
 * Every method that reads or writes throws a `CacheError` if the store can't be opened or used or the Cache is closed,
 * and a `TypeError` or a `RangeError` if a key is not valid.
 *
 * @typeParam V the values
 * @typeParam K the keys: a type of part, such as `string`, or a tuple, such as `[user: string, day: string]`
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
 *
 * @example Keys of two parts
 * ```ts
 * import { Cache } from "@slipstream/slipstream";
 * import assert from "node:assert/strict";
 *
 * await using visits = new Cache<number, [user: string, day: string]>(":memory:");
 * await visits.set(["ann", "2026-01-01"], 2);
 * await visits.set(["ann", "2026-01-02"], 3);
 * const days: string[] = [];
 * for await (const [_user, day] of visits.keys({ prefix: "ann" })) days.push(day);
 * assert.deepEqual(days, ["2026-01-01", "2026-01-02"]);
 * ```
 */
export class Cache<V = unknown, K extends CacheKey = CacheKey>
  implements
    BatchSink<CacheInput<V, K>>,
    BatchSource<CacheUpdate<V, K>>,
    AsyncIterable<CacheUpdate<V, K>>,
    AsyncDisposable {
  readonly #engine: LazyEngine;
  readonly #resumable: boolean;
  /** Ends each stream of updates or changes that is open. */
  readonly #openStreams = new Set<() => void>();
  #runningTransactions = 0;
  /** Called when the last running transaction ends. */
  #onNoTransactions = () => {};
  #writable: WritableStream<CacheInput<V, K>> | undefined;

  /**
   * Opens nothing yet.
   *
   * @param path a file, whose folders are made; `":memory:"`; the URL of a remote store; the runtime's own store if
   *   undefined
   * @throws {TypeError} If the path or an option is wrong, or an option is unknown; the message lists all problems.
   */
  constructor(path?: string, options: CacheOptions = {}) {
    const checked = checkOptions(path, options);
    this.#resumable = checked.logLimit > 0;
    this.#engine = new LazyEngine(path, checked);
  }

  /**
   * Reads a value.
   *
   * @returns the value; undefined if the key does not exist
   */
  async get(key: KeyInput<K>): Promise<V | undefined> {
    const checked = checkKey(key);
    const opened = this.#engine.get();
    const engine = opened instanceof Promise ? await opened : opened;
    const stored = engine.peek(checked.id) ?? await engine.read(checked);
    return stored === ABSENT ? undefined : decode(stored) as V;
  }

  /**
   * Reads several values. Writes that others make meanwhile may show in some of them and not in others.
   *
   * @returns the values in the order of the keys; undefined for each key that does not exist
   */
  async getMany(keys: Iterable<KeyInput<K>>): Promise<(V | undefined)[]> {
    const checked = Array.from(keys, checkKey);
    const opened = this.#engine.get();
    const engine = opened instanceof Promise ? await opened : opened;
    const stored = await Promise.all(checked.map((key) => engine.peek(key.id) ?? engine.read(key)));
    return stored.map((value) => value === ABSENT ? undefined : decode(value) as V);
  }

  /** Whether a key exists. */
  async has(key: KeyInput<K>): Promise<boolean> {
    const checked = checkKey(key);
    const opened = this.#engine.get();
    const engine = opened instanceof Promise ? await opened : opened;
    return (engine.peek(checked.id) ?? await engine.read(checked)) !== ABSENT;
  }

  /**
   * Sets a value. Resolves when it is on disk. Does not publish it: `emit()` does.
   *
   * @param options how long the entry exists
   * @throws {TypeError} If the value is undefined or structured clone refuses it, or an option is wrong. Then nothing
   *   is written.
   * @throws {CacheError} If the value can't be written.
   */
  async set(key: KeyInput<K>, value: V, options?: SetOptions): Promise<void> {
    if (options !== undefined) checkWriteOptions("set()", options, ["expireInMs"]);
    const write = writeOf(checkKey(key), encode(value, key, options && expiryOf(options)));
    await this.#engine.write([write], []);
  }

  /** Removes a key. Resolves when the removal is on disk. Does not publish it. */
  async delete(key: KeyInput<K>): Promise<void> {
    const write = writeOf(checkKey(key), undefined);
    await this.#engine.write([write], []);
  }

  /**
   * Sets a value and publishes it to the readers of updates, as the Cache does when it is a sink. Resolves when the
   * value is on disk, and the update is in the log if there is one.
   *
   * @throws {TypeError} If the value is undefined or structured clone refuses it. Then nothing is written.
   * @throws {CacheError} If the value can't be written.
   */
  async emit(key: KeyInput<K>, value: V): Promise<void> {
    const writes = [writeOf(checkKey(key), encode(value, key))];
    await this.#engine.write(writes, writes);
  }

  /**
   * Sets a value made from the current one, in a transaction on the key. Does not publish it.
   *
   * @param fn makes the new value from the current one, which is undefined if the key does not exist; may run again
   * @param options how long the entry exists, and how long the transaction may take
   * @returns the new value
   * @throws {TypeError} If an option is wrong.
   * @throws {CacheError} As `transaction()` does.
   */
  update(
    key: KeyInput<K>,
    fn: (value: V | undefined) => V | Promise<V>,
    options: SetOptions & TransactionOptions = {},
  ): Promise<V> {
    const { expireInMs } = options;
    const setOptions = expireInMs === undefined ? undefined : { expireInMs };
    return this.#transaction("update()", [key], async (tx) => {
      const value = await fn(await tx.get(key));
      tx.set(key, value, setOptions);
      return value;
    }, options);
  }

  /**
   * Runs a function that reads and writes the named keys in isolation, and commits all of its writes at once, or none.
   *
   * - **Isolation**: within a process, one transaction at a time holds a key, and others wait. Transactions that name the
   *   same single key run in the order of the calls. Plain reads and writes do not wait. If a plain write, or another
   *   process, changes a key that the function has read, the function runs again: it must have no other effects.
   * - **Errors**: if the function throws, nothing is written, and the promise rejects with that error.
   * - **Deadlocks**: a transaction that names all its keys can't deadlock. A transaction that is started inside another one,
   *   on other keys, can, since the outer one holds its keys meanwhile; `timeoutMs` ends that.
   *
   * @param keys one key, or an array of arrays for several keys: `[["a"], ["b"]]`
   * @param fn the function; gets the object that reads and writes the keys, whose calls it must await
   * @param options how long the transaction may take
   * @returns what the function returns, once its writes are on disk
   * @throws {CacheError} `"timeout"` or `"conflict"` if the transaction does not get its keys and finish in `timeoutMs`;
   *   `"nested"` if it runs inside another transaction on the same key.
   * @throws {RangeError} If it makes more than 990 changes, or they take more than 780,000 bytes, or 78,000 bytes of keys.
   *   In a Cache with a log, `emit()` makes three changes. In a shared store, also if it reads more keys than one commit
   *   can check: 97 of a file, 7 of a remote or the default store.
   * @throws {TypeError} If an option is wrong, or the function uses a key that the transaction does not name.
   *
   * @example Two keys
   * ```ts
   * import { Cache } from "@slipstream/slipstream";
   * import assert from "node:assert/strict";
   *
   * await using accounts = new Cache<number, string>(":memory:");
   * await accounts.set("ann", 100);
   * await accounts.transaction([["ann"], ["bob"]], async (tx) => {
   *   tx.set("ann", (await tx.get("ann") ?? 0) - 30);
   *   tx.set("bob", (await tx.get("bob") ?? 0) + 30);
   * });
   * assert.deepEqual(await accounts.getMany(["ann", "bob"]), [70, 30]);
   * ```
   */
  transaction<R>(
    keys: KeyInput<K> | readonly KeyParts<K>[],
    fn: (tx: CacheTransaction<V, K>) => R | Promise<R>,
    options: TransactionOptions = {},
  ): Promise<R> {
    const isSeveral = Array.isArray(keys) && keys.some((key) => Array.isArray(key));
    return this.#transaction("transaction()", isSeveral ? keys as readonly KeyParts<K>[] : [keys], fn, options);
  }

  /**
   * Reads the entries of a range in the order of their keys, as they are when the first is read. If other processes
   * write to the store meanwhile, some of their writes may show.
   *
   * @throws {TypeError} If an option is wrong, or the range starts or ends outside its prefix.
   *
   * @example The last two days of a user
   * ```ts
   * import { Cache } from "@slipstream/slipstream";
   * import assert from "node:assert/strict";
   *
   * await using visits = new Cache<number, [user: string, day: number]>(":memory:");
   * for (const day of [1, 2, 3]) await visits.set(["ann", day], 10 * day);
   * const last = await Array.fromAsync(visits.entries({ prefix: "ann", reverse: true, limit: 2 }));
   * assert.deepEqual(last, [[["ann", 3], 30], [["ann", 2], 20]]);
   * ```
   */
  entries(options: CacheListOptions<K> = {}): AsyncGenerator<[KeyRead<K>, V], void, undefined> {
    return this.#list("entries()", options, true, (key, stored) => [keyOf<K>(key), decode(stored) as V]);
  }

  /**
   * Reads the keys of a range in order, as `entries()` does.
   *
   * @throws {TypeError} If an option is wrong, or the range starts or ends outside its prefix.
   */
  keys(options: CacheListOptions<K> = {}): AsyncGenerator<KeyRead<K>, void, undefined> {
    return this.#list("keys()", options, false, (key) => keyOf<K>(key));
  }

  /**
   * Reads the values of a range in the order of their keys, as `entries()` does.
   *
   * @throws {TypeError} If an option is wrong, or the range starts or ends outside its prefix.
   */
  values(options: CacheListOptions<K> = {}): AsyncGenerator<V, void, undefined> {
    return this.#list("values()", options, true, (_, stored) => decode(stored) as V);
  }

  /**
   * Removes the entries of a range, in as many commits as that takes. Resolves when the removals are on disk. Does not
   * publish them.
   *
   * @throws {TypeError} If an option is wrong, or the range starts or ends outside its prefix.
   */
  async deleteRange(range: CacheRange<K>): Promise<void> {
    assertNoProblems("deleteRange()", unknownOptions(range, ["prefix", "start", "end"]));
    const opened = this.#engine.get();
    const engine = opened instanceof Promise ? await opened : opened;
    const [checked, all] = [new Range(range), { reverse: false, limit: Infinity, largeValues: false }];
    const keys = engine.snapshot(checked)?.keys ?? keysOf(engine.scan(checked, all));
    let groups = new Set<Group>();
    for await (const key of keys) {
      groups.add(engine.write([{ id: idOf(key), key, keyBytes: checkKey(key).bytes, stored: undefined }], []));
      const room = engine.groups.room();
      if (room !== undefined) await room;
      if (groups.size < DELETED_GROUPS) continue;
      await untilOnDisk(groups);
      groups = new Set();
    }
    await untilOnDisk(groups);
  }

  /** Removes all entries. Resolves when the removals are on disk. */
  clear(): Promise<void> {
    return this.deleteRange({});
  }

  /** Whether the Cache keeps a log of updates, so that readers can resume. */
  get resumable(): boolean {
    return this.#resumable;
  }

  /**
   * Reads updates: what `emit()`, `tx.emit()`, `writable` and handlers publish. Ends when the Cache is closed.
   *
   * - With a log, reads every update that the log holds, in order, however slow the reader is.
   * - Without a log, a reader that falls 1,000 to 2,000 updates (or 8 to 16 MB) behind gets only the latest update of
   *   each key, and only for the 1,000 keys updated last.
   * - The log does not hold values of more than 60 KB: for those, a reader gets the current value of the key.
   * - Updates of other processes are read from the log only.
   *
   * @throws {TypeError} If an option is wrong, or `from` is given without a log.
   *
   * @example From the first update that the log holds
   * ```ts
   * import { Cache } from "@slipstream/slipstream";
   * import assert from "node:assert/strict";
   *
   * await using stock = new Cache<number, string>(":memory:", { log: { limit: 100 } });
   * await stock.emit("fish", 3);
   * for await (const [key, value, sequence] of stock.updates({ from: 1 })) {
   *   assert.deepEqual([key, value, sequence], ["fish", 3, 1]);
   *   break;
   * }
   * ```
   */
  updates(options: UpdatesOptions<K> = {}): ReadableStream<CacheUpdate<V, K>> {
    const { prefix, from } = options;
    const problems = unknownOptions(options, ["prefix", "from"]);
    if (from !== undefined && !this.resumable) problems.push(`from ${LOG_REMEDY}`);
    if (from !== undefined && !Number.isSafeInteger(from)) problems.push(`from must be a whole number: got ${from}`);
    assertNoProblems("updates()", problems);
    const parts = prefix === undefined ? [] : checkKey(prefix).parts;
    return pullStream(async () => await openUpdates<V, K>(await this.#engine.get(), parts, from), this.#openStreams);
  }

  /**
   * Reads the entries and the updates of the Cache, and reports updates that are missing. Ends when the Cache is
   * closed.
   *
   * - With `snapshot`, the entries come first, then the updates that follow them. No update between the two is missing,
   *   and none is older than the entry of its key. A reader that keeps the latest value of each key therefore has what
   *   the Cache has, except what was set without being published. Values of one key come in order; entries of different
   *   keys may be of different moments.
   * - With a log, each update has an id that names its log and its number. A reader resumes behind an id with `after`,
   *   in any process that uses the store. It reads each update once, or a gap.
   * - Without a log, updates of other processes are not read, and a reader that falls far behind gets a gap, as with
   *   `updates()`.
   * - Expiry is not published.
   *
   * @throws {TypeError} If an option is wrong, or `after` is given without a log.
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
  changes(options: ChangesOptions<K> = {}): ReadableStream<CacheChange<V, K>> {
    const { prefix, after, snapshot = CHANGES_DEFAULTS.snapshot } = options;
    const problems = unknownOptions(options, ["prefix", "after", "snapshot"]);
    if (after !== undefined && !this.resumable) problems.push(`after ${LOG_REMEDY}`);
    assertNoProblems("changes()", problems);
    const parts = prefix === undefined ? [] : checkKey(prefix).parts;
    const open = async () => await openChanges<V, K>(await this.#engine.get(), parts, after, snapshot);
    return pullStream(open, this.#openStreams);
  }

  /** Reads the updates that are published from now on, as `updates()` does. */
  [Symbol.asyncIterator](): AsyncIterableIterator<CacheUpdate<V, K>> {
    return this.updates()[Symbol.asyncIterator]() as AsyncIterableIterator<CacheUpdate<V, K>>;
  }

  /**
   * A stream that takes keys and values, and sets and publishes them.
   *
   * - A write resolves when its value is on disk. If the value can't be written, the write rejects and the stream
   *   fails: a pipe ends with that error, and no value counts as written that is not on disk.
   * - Each value has a commit of its own, so a stream writes about 3,000 values a second. `handle()` with the Cache as
   *   its sink shares commits and is faster.
   * - The getter returns the same stream until that stream is closed or has failed, and then a new one.
   */
  get writable(): WritableStream<CacheInput<V, K>> {
    if (this.#writable !== undefined) return this.#writable;
    const writable = durableWritable<CacheInput<V, K>>(async (input) => {
      const writes = [writeOfInput(input)];
      await this.#engine.write(writes, writes);
    }, () => {
      if (this.#writable === writable) this.#writable = undefined;
    });
    return this.#writable = writable;
  }

  /** Reads updates as a source of `handle()`. */
  [openSource](): SourceReader<CacheUpdate<V, K>> {
    return readInBatches(this.updates());
  }

  /**
   * Takes what handlers emit, sets it and publishes it. A handler that reads the Cache sees what it has emitted before.
   * A delivery settles when all of its values are on disk, and rejects if one of them can't be written.
   */
  [openSink](): SinkWriter<CacheInput<V, K>> {
    const settlements = new Settlements();
    // A writer that is used without deliveries has one for all of its values.
    const only: Delivery = { undelivered() {} };
    return {
      accept: (input, delivery = only) => {
        const writes = [writeOfInput(input)];
        const accepted = this.#engine.accept(writes, writes, settlements.of(delivery));
        return accepted instanceof Promise ? accepted.then(() => this.#engine.room()) : this.#engine.room();
      },
      settle: (delivery = only) => settlements.outcome(delivery),
      close() {},
    };
  }

  /**
   * Waits for running transactions and for all writes, ends the readers of updates, and closes the store. Idempotent.
   *
   * Uses that come later fail with a `CacheError` whose code is `"closed"`. A transaction whose function closes the
   * Cache fails with it too.
   */
  close(): Promise<void> {
    const drain = async (engine: Engine) => {
      if (isInTransaction(engine) || this.#runningTransactions === 0) return;
      await new Promise<void>((resolve) => this.#onNoTransactions = resolve);
    };
    return this.#engine.close(drain, () => {
      for (const end of this.#openStreams) end();
    });
  }

  /** Calls `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #list<T>(
    method: string,
    options: CacheListOptions<K>,
    largeValues: boolean,
    make: (key: Entry["key"], stored: StoredValue) => T,
  ): RangeIterator<T> {
    const { reverse = LIST_DEFAULTS.reverse, limit = LIST_DEFAULTS.limit, ...range } = options;
    const problems = unknownOptions(options, ["prefix", "start", "end", "reverse", "limit"]);
    if (!(limit >= 0)) problems.push(`limit must be 0 or more: got ${limit}`);
    assertNoProblems(method, problems);
    const open = async () => await this.#engine.get();
    return new RangeIterator(open, new Range(range), { reverse, limit, largeValues }, make);
  }

  async #transaction<R>(
    method: "update()" | "transaction()",
    keys: readonly unknown[],
    fn: (tx: CacheTransaction<V, K>) => R | Promise<R>,
    options: SetOptions & TransactionOptions,
  ): Promise<R> {
    checkWriteOptions(method, options, method === "update()" ? ["expireInMs", "timeoutMs"] : ["timeoutMs"]);
    const checked = keys.map(checkKey);
    const opened = this.#engine.get();
    const engine = opened instanceof Promise ? await opened : opened;
    if (this.#engine.isClosing && !isInTransaction(engine)) throw this.#engine.closedError();
    this.#runningTransactions++;
    try {
      return await runTransaction<V, K, R>(engine, checked, fn, options.timeoutMs ?? TRANSACTION_DEFAULTS.timeoutMs);
    } finally {
      if (--this.#runningTransactions === 0) this.#onNoTransactions();
    }
  }
}

async function untilOnDisk(groups: Iterable<Group>): Promise<void> {
  await Promise.all(Array.from(groups, ({ promise }) => promise));
}

async function* keysOf(entries: AsyncIterable<Entry>): AsyncGenerator<Entry["key"]> {
  for await (const { key } of entries) yield key;
}
