/**
 * The engine of all Caches of one process that have the same store and prefix.
 *
 * It joins four things: the overlay (writes that are accepted and not on disk yet), the entries that memory remembers,
 * the store on disk, and group commit, which moves writes from the overlay to the disk.
 *
 * @module
 */

import { closedError } from "../cache_error.ts";
import { type CheckedKey, compareKeys, idOf, type KeyPart, textBytes } from "../cache_key.ts";
import type { Range } from "../cache_range.ts";
import { KvCommitter } from "../store/kv_committer.ts";
import { EntryReader } from "../store/entry_reader.ts";
import { type KvStore, openKvStore } from "../store/kv_store.ts";
import { backOff, retryWhileLocked } from "../store/retrying_kv.ts";
import { ABSENT, fromEntry, isExpired, type StoredValue, type ValueOrAbsent } from "../store/stored_value.ts";
import { UpdateLog } from "../store/update_log.ts";
import type { Check, Write } from "../store/write.ts";
import { UpdateReaders } from "../updates/update_readers.ts";
import { Deadlines } from "./deadlines.ts";
import { type Group, GroupCommit } from "./group_commit.ts";
import { KeyLocks } from "./key_locks.ts";
import { RememberedEntries } from "./remembered_entries.ts";
import { type Entry, type RangeOptions, Scan } from "./scan.ts";

/** The options of an engine. */
export interface EngineOptions {
  readonly prefix: string;
  readonly shared: boolean;
  /** Whether the store is, or may be, behind a network. */
  readonly remote: boolean;
  readonly followSymlinks: boolean;
  readonly memoryBytes: number;
  /** How many updates the log keeps; 0 for no log. */
  readonly logLimit: number;
}

/** A write of the overlay. */
interface PendingWrite extends Write {
  readonly group: Group;
}

/** The entries of a range, in order: each key with the value at the same index. */
export interface Snapshot {
  readonly keys: (readonly KeyPart[])[];
  readonly values: StoredValue[];
}

/** Learns that a key that it has read was written since. */
interface Watcher {
  changed: boolean;
}

/** How much is read into memory when a store is opened. Small stores need no reads from disk later. */
const FIRST_ENTRIES = 500;
const FIRST_BYTES = 1024 * 1024;
/** After so many reads from disk, the engine reads all entries into memory, if they fit. */
const READS_BEFORE_LOADING = 1_000;

/** Answers reads from the overlay, memory or the disk, and accepts writes. */
export class Engine {
  readonly shared: boolean;
  readonly log: UpdateLog | undefined;
  readonly updates = new UpdateReaders();
  readonly locks = new KeyLocks();
  readonly deadlines = new Deadlines();
  readonly groups: GroupCommit;
  readonly committer: KvCommitter;
  readonly entries: EntryReader;
  readonly #store: KvStore;
  /** What error messages call the store. */
  readonly #name: string;
  readonly #prefix: string;
  readonly #remembered: RememberedEntries;
  /** The latest write of each key that is not on disk yet. */
  readonly #overlay = new Map<string, PendingWrite>();
  /** The reads from disk that are under way. A write of their key makes them stale. */
  readonly #reading = new Map<string, { stale: boolean; promise: Promise<ValueOrAbsent> }>();
  /** The scans under way. Weak: a scan may be abandoned without being ended. */
  readonly #scans = new Set<WeakRef<Scan>>();
  /** The transactions that have read a key, by its id. */
  readonly #watchers = new Map<string, Watcher>();
  /** The transactions that are committing by themselves. */
  readonly #transactionCommits = new Set<Promise<boolean>>();
  #lastVersionstamp = "";
  #diskReads = 0;
  #loading: Promise<void> | undefined;
  #closed = false;

  private constructor(store: KvStore, name: string, options: EngineOptions) {
    this.#store = store;
    this.#name = name;
    this.#prefix = options.prefix;
    this.shared = options.shared;
    this.#remembered = new RememberedEntries(options.memoryBytes);
    this.log = options.logLimit > 0
      ? new UpdateLog(store.kv, options.prefix, options.logLimit, options.shared)
      : undefined;
    this.committer = new KvCommitter(store.kv, options, this.log);
    this.entries = new EntryReader(store.kv, this.committer);
    this.groups = new GroupCommit({
      commit: (group) => this.#commit(group),
      // Two parts precede each key: the prefix of the Cache, and the kind of the entry.
      prefixBytes: textBytes(options.prefix) + textBytes("v"),
      logged: this.log !== undefined,
    });
  }

  /** Opens the store, and removes what a killed process has left half-written. */
  static async open(path: string | undefined, store: string | undefined, options: EngineOptions): Promise<Engine> {
    const opened = await retryWhileLocked(() => openKvStore(path, store, options.shared));
    try {
      const engine = new Engine(opened, path ?? "on the default store", options);
      await engine.committer.recover();
      await engine.log?.open();
      if (!options.shared) await engine.#load(FIRST_ENTRIES);
      return engine;
    } catch (error) {
      opened.release();
      throw error;
    }
  }

  /** Reads a key from the overlay or memory; undefined if only the disk knows. */
  peek(id: string): ValueOrAbsent | undefined {
    const pending = this.#overlay.size === 0 ? undefined : this.#overlay.get(id);
    if (pending !== undefined) return absentIfExpired(pending.stored ?? ABSENT);
    const remembered = this.shared ? undefined : this.#remembered.get(id);
    return remembered === undefined ? undefined : absentIfExpired(remembered);
  }

  /** Reads a key from disk. */
  read(key: CheckedKey): Promise<ValueOrAbsent> {
    if (this.shared) return this.#orClosed(this.entries.read(key)).then(absentIfExpired);
    const { id } = key;
    const reading = this.#reading.get(id);
    if (reading !== undefined && !reading.stale) return reading.promise.then(absentIfExpired);
    // A disk that fails this load fails the reads too, and those report it.
    if (++this.#diskReads === READS_BEFORE_LOADING) this.#loading = this.#load().catch(() => {});
    const current = { stale: false, promise: this.#orClosed(this.entries.read(key)) };
    this.#reading.set(id, current);
    return current.promise.then((value) => {
      if (!current.stale) this.#remembered.set(id, key.parts, value);
      return absentIfExpired(value);
    }).finally(() => {
      if (this.#reading.get(id) === current) this.#reading.delete(id);
    });
  }

  /**
   * Reads a key with its version.
   *
   * @throws {CacheError} If the store is closed meanwhile.
   */
  readVersioned(key: readonly KeyPart[]): ReturnType<EntryReader["readVersioned"]> {
    return this.#orClosed(this.entries.readVersioned(key));
  }

  /**
   * Accepts writes that belong together. Reads see them at once. They reach the disk in one commit, after everything
   * that was accepted before them.
   *
   * @param updates those of the writes that are published
   * @throws {RangeError} If one commit can't hold them.
   * @throws {CacheError} If the store is closed.
   */
  write(writes: readonly Write[], updates: readonly Write[]): Group {
    this.throwIfClosed();
    const group = this.groups.add(writes, this.#updatesToKeep(updates));
    for (const write of writes) {
      const { id } = write;
      this.#overlay.set(id, { id, key: write.key, keyBytes: write.keyBytes, stored: write.stored, group });
      const reading = this.#reading.get(id);
      if (reading !== undefined) reading.stale = true;
      const watcher = this.#watchers.size === 0 ? undefined : this.#watchers.get(id);
      if (watcher !== undefined) watcher.changed = true;
    }
    return group;
  }

  /**
   * Commits a transaction of a shared store by itself, after everything that this process has accepted before.
   *
   * @param checks the versions that the transaction has read
   * @returns whether it was committed; if not, one of those versions has changed
   */
  async commitTransaction(
    writes: readonly Write[],
    updates: readonly Write[],
    checks: readonly Check[],
  ): Promise<boolean> {
    await this.groups.flush();
    this.throwIfClosed();
    const committing = this.committer.commit(writes, updates, checks).then((versionstamp) => {
      if (versionstamp !== undefined) this.#onCommit(updates, versionstamp);
      return versionstamp !== undefined;
    });
    this.#transactionCommits.add(committing);
    try {
      return await committing;
    } finally {
      this.#transactionCommits.delete(committing);
    }
  }

  /** The version of the last commit of this process; empty before the first. */
  get lastVersionstamp(): string {
    return this.#lastVersionstamp;
  }

  /** Waits until all commits under way have ended and their updates are published. */
  async allCommits(): Promise<void> {
    await Promise.allSettled([this.groups.flush(), ...this.#transactionCommits]);
  }

  /** Whether writes would go into this group if they were accepted now. */
  wouldJoin(group: Group, writes: readonly Write[], updates: readonly Write[]): boolean {
    return this.groups.wouldJoin(group, writes, this.#updatesToKeep(updates));
  }

  /** The group that holds the latest write of a key; undefined if that is on disk. */
  pendingGroup(id: string): Group | undefined {
    return this.#overlay.get(id)?.group;
  }

  /** Marks the watcher when a key is written. Only the holder of the key's lock may watch it. */
  watch(id: string, watcher: Watcher): void {
    this.#watchers.set(id, watcher);
  }

  /** Ends `watch()`. */
  unwatch(id: string): void {
    this.#watchers.delete(id);
  }

  /** The entries of a range as they are now; undefined unless memory holds all entries. */
  snapshot(range: Range): Snapshot | undefined {
    this.throwIfClosed();
    if (this.shared || !this.#remembered.complete) return undefined;
    const remembered = this.#remembered.sorted.range((key) => range.hasBegun(key), (key) => range.isPast(key));
    const snapshot: Snapshot = { keys: [], values: [] };
    const pending = [...this.#overlay.values()].filter(({ key }) => range.has(key))
      .sort((a, b) => compareKeys(a.key, b.key));
    let next = 0;
    const add = (key: readonly KeyPart[], stored: StoredValue | undefined) => {
      if (stored === undefined) return;
      snapshot.keys.push(key);
      snapshot.values.push(stored);
    };
    for (const { id, key, value } of remembered) {
      // Pending writes go between the remembered entries, or replace them.
      while (next < pending.length && compareKeys(pending[next]!.key, key) < 0) {
        add(pending[next]!.key, pending[next++]!.stored);
      }
      if (next < pending.length && pending[next]!.id === id) add(key, pending[next++]!.stored);
      else if (isExpired(value as StoredValue)) this.#remembered.set(id, key, ABSENT);
      else add(key, value as StoredValue);
    }
    for (const { key, stored } of pending.slice(next)) add(key, stored);
    return snapshot;
  }

  /**
   * Reads a range as it is now, from the disk and the overlay.
   *
   * @throws {CacheError} If the store is closed meanwhile.
   */
  async *scan(range: Range, { reverse, limit, largeValues }: RangeOptions): AsyncGenerator<Entry, void, undefined> {
    const { evictions } = this.#remembered;
    let remaining = limit;
    let complete = range.all && !this.shared;
    const remember = (id: string, { key, stored }: Entry) => {
      if (stored.chunks || this.#remembered.evictions !== evictions) complete = false;
      else if (!this.shared) this.#remembered.addIfRoom(id, key, stored);
    };
    const scan = new Scan(range, reverse, this.#overlay.values(), remember);
    const ref = new WeakRef(scan);
    this.#scans.add(ref);
    try {
      const batchSize = Math.min(500, Math.max(10, limit));
      const listed = this.#store.kv.list<unknown>(range.selector([this.#prefix, "v"]), { reverse, batchSize });
      for await (const { key, stored } of scan.walk(listed)) {
        this.throwIfClosed();
        if (isExpired(stored)) continue;
        let value: ValueOrAbsent = stored;
        if (largeValues && stored.chunks && stored.data === undefined) {
          value = await this.entries.withChunks(stored) ?? (await this.entries.readVersioned(key)).value;
        }
        if (value === ABSENT) continue;
        yield { key, stored: value };
        if (--remaining === 0) return;
      }
      if (complete) this.#remembered.markComplete(evictions);
    } catch (error) {
      throw this.#closed ? closedError(this.#name) : error;
    } finally {
      this.#scans.delete(ref);
    }
  }

  /** Waits for all writes, ends the readers of updates, and releases the store. */
  async close(): Promise<void> {
    await this.groups.flush();
    this.#closed = true;
    await this.#loading;
    this.updates.close();
    this.#store.release();
  }

  /** @throws {CacheError} If the engine is closed. */
  throwIfClosed(): void {
    if (this.#closed) throw closedError(this.#name);
  }

  /** Updates need not be kept if there is no log and nobody reads them. */
  #updatesToKeep(updates: readonly Write[]): readonly Write[] {
    return this.log !== undefined || this.updates.hasReaders ? updates : [];
  }

  /** Reads entries from disk into memory while there is room, and marks memory as complete if it holds all of them. */
  async #load(limit?: number): Promise<void> {
    const { evictions } = this.#remembered;
    const options = limit === undefined ? { batchSize: 500 } : { batchSize: 100, limit };
    let [complete, count] = [true, 0];
    for await (const { key, value } of this.#store.kv.list<unknown>({ prefix: [this.#prefix, "v"] }, options)) {
      // A key written since KV listed it is in memory, and the newer value there stays. After an eviction that is not
      // sure.
      if (this.#closed || this.#remembered.evictions !== evictions) return;
      const [parts, stored] = [key.slice(2) as KeyPart[], fromEntry(value)];
      if (stored.chunks === undefined) this.#remembered.addIfRoom(idOf(parts), parts, stored);
      else complete = false;
      if (limit !== undefined && (++count === limit || this.#remembered.bytes > FIRST_BYTES)) return;
    }
    if (complete) this.#remembered.markComplete(evictions);
  }

  /** Replaces what KV throws after a close by an error that says so. */
  #orClosed<T>(reading: Promise<T>): Promise<T> {
    return reading.catch((error) => {
      throw this.#closed ? closedError(this.#name) : error;
    });
  }

  async #commit(group: Group): Promise<void> {
    const writes = [...group.writes.values()];
    let versionstamp: string | undefined;
    try {
      if (this.#scans.size > 0) await this.#preserveForScans(writes);
      for (let attempt = 0;; attempt++) {
        versionstamp = await this.committer.commit(writes, group.updates);
        if (versionstamp !== undefined) break;
        await backOff(attempt);
      }
    } catch (error) {
      for (const { id } of writes) {
        // The disk may hold the old value or the new one. The next read asks it.
        this.#remembered.delete(id);
        if (this.#overlay.get(id)?.group === group) this.#overlay.delete(id);
      }
      throw error;
    }
    for (const { id, key, stored } of writes) {
      if (!this.shared) this.#remembered.set(id, key, stored ?? ABSENT);
      if (this.#overlay.get(id)?.group === group) this.#overlay.delete(id);
    }
    this.#onCommit(group.updates, versionstamp);
  }

  #onCommit(updates: readonly Write[], versionstamp: string): void {
    if (versionstamp > this.#lastVersionstamp) this.#lastVersionstamp = versionstamp;
    if (updates.length > 0) this.updates.publish(updates, versionstamp);
  }

  /** Gives the scans under way the entries that a commit is about to change, as they are before it. */
  async #preserveForScans(writes: readonly Write[]): Promise<void> {
    const scans: Scan[] = [];
    for (const ref of this.#scans) {
      const scan = ref.deref();
      if (scan === undefined) this.#scans.delete(ref);
      else scans.push(scan);
    }
    const needed = writes.filter(({ id, key }) => scans.some((scan) => scan.needs(id, key)));
    await Promise.all(needed.map(async ({ id, key, keyBytes }) => {
      const value = await this.entries.read({ id, parts: key, bytes: keyBytes });
      const stored = value === ABSENT ? undefined : value;
      for (const scan of scans) scan.preserve(id, { key, stored });
    }));
  }
}

function absentIfExpired(value: ValueOrAbsent): ValueOrAbsent {
  return value !== ABSENT && isExpired(value) ? ABSENT : value;
}
