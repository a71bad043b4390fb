/**
 * What works under all the Caches of one process that have the same path and prefix.
 *
 * @module
 */

import { CacheError, closed } from "../cache_error.ts";
import { Committer } from "../store/committer.ts";
import type { Check, Write } from "../store/write.ts";
import { Deadlines } from "./deadlines.ts";
import { type Group, GroupCommit } from "./group_commit.ts";
import { type CheckedKey, compareKeys, idOf, type KeyPart, textBytes } from "../cache_key.ts";
import { KeyLocks } from "./key_locks.ts";
import { type KvStore, openKvStore, storeIdentity } from "../store/kv_store.ts";
import { ABSENT, RememberedEntries, type ValueOrAbsent } from "./remembered_entries.ts";
import { backOff, retryWhileLocked } from "../store/retrying_kv.ts";
import { EntryReader } from "../store/entry_reader.ts";
import { type Entry, type Range, type RangeOptions, Scan } from "./scan.ts";
import { UpdateLog } from "../store/update_log.ts";
import { UpdateReaders } from "../updates/update_readers.ts";
import { fromEntry, isExpired, type StoredValue } from "../store/stored_value.ts";

/** How an engine is opened. */
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

interface PendingWrite extends Write {
  readonly group: Group;
}

/** The entries of a range, in order. */
export interface Snapshot {
  readonly keys: (readonly KeyPart[])[];
  readonly values: StoredValue[];
}

/** One who has read a key, and wants to know whether it is still what it was. */
interface Watcher {
  changed: boolean;
}

/** How much is read when a store is opened: of one that is new or small nothing is looked for on disk later. */
const LITTLE = 500;
const LITTLE_BYTES = 1024 * 1024;
/** After how many reads from disk it is worth while to read the rest. */
const MANY_READS = 1_000;

const engines = new Map<string, { users: number; options: EngineOptions; opening: Promise<Engine> }>();

/**
 * Opens an engine, or joins the Caches that have it open.
 *
 * @throws {CacheError} If the store can't be opened, or is open with other options.
 */
export async function openEngine(
  path: string | undefined,
  options: EngineOptions,
): Promise<{ engine: Engine; release: () => Promise<void> }> {
  const store = await storeIdentity(path, options.followSymlinks);
  if (store === undefined) {
    const engine = await Engine.open(path, store, options);
    return { engine, release: () => engine.close() };
  }
  const name = JSON.stringify([store, options.prefix]);
  let entry = engines.get(name);
  if (entry === undefined) {
    entry = { users: 0, options, opening: Engine.open(path, store, options) };
    engines.set(name, entry);
  } else if (entry.options.logLimit !== options.logLimit) {
    throw new CacheError(
      "in-use",
      `${path ?? "The default store"} is open in this process with another log limit, ${entry.options.logLimit}`,
    );
  } else if (entry.options.shared !== options.shared) {
    throw new CacheError(
      "in-use",
      `${path ?? "The default store"} is open in this process with shared: ${entry.options.shared}`,
    );
  }
  const joined = entry;
  joined.users++;
  try {
    const engine = await joined.opening;
    return {
      engine,
      release: async () => {
        // Before it counts as left: who opens it meanwhile joins, and finds the writes.
        await engine.groups.flush();
        if (--joined.users > 0) return;
        if (engines.get(name) === joined) engines.delete(name);
        await engine.close();
      },
    };
  } catch (error) {
    if (--joined.users === 0 && engines.get(name) === joined) engines.delete(name);
    throw error;
  }
}

/** Forgets the engines of a store that nobody will close, such as those of a program that a simulation has let crash. */
export function forgetEngines(store: string): void {
  for (const name of engines.keys()) if (JSON.parse(name)[0] === store) engines.delete(name);
}

/** Reads from memory, writes by groups, and keeps both in step. */
export class Engine {
  readonly shared: boolean;
  readonly log: UpdateLog | undefined;
  readonly updates = new UpdateReaders();
  readonly locks = new KeyLocks();
  readonly deadlines = new Deadlines();
  readonly groups: GroupCommit;
  readonly committer: Committer;
  readonly reads: EntryReader;
  readonly #file: KvStore;
  readonly #name: string;
  readonly #prefix: string;
  readonly #memory: RememberedEntries;
  /** The latest write of each key that is not on disk yet. */
  readonly #pending = new Map<string, PendingWrite>();
  /** Reads from disk under way, which a write makes stale. */
  readonly #reading = new Map<string, { stale: boolean; promise: Promise<ValueOrAbsent> }>();
  /** Scans under way; those that were left without a word are collected as garbage. */
  readonly #scans = new Set<WeakRef<Scan>>();
  /** Told when a key is written that a transaction has read. */
  readonly #watchers = new Map<string, Watcher>();
  /** Transactions that have a commit of their own under way. */
  readonly #alone = new Set<Promise<boolean>>();
  #latest = "";
  #diskReads = 0;
  #filling: Promise<void> | undefined;
  #closed = false;

  private constructor(file: KvStore, name: string, options: EngineOptions) {
    this.#file = file;
    this.#name = name;
    this.#prefix = options.prefix;
    this.shared = options.shared;
    this.#memory = new RememberedEntries(options.memoryBytes);
    this.log = options.logLimit > 0
      ? new UpdateLog(file.kv, options.prefix, options.logLimit, options.shared)
      : undefined;
    this.committer = new Committer(file.kv, options, this.log);
    this.reads = new EntryReader(file.kv, this.committer);
    this.groups = new GroupCommit({
      commit: (group) => this.#commit(group),
      // Each key has a part before its own that says what it is of.
      prefixBytes: textBytes(options.prefix) + textBytes("v"),
      logged: this.log !== undefined,
    });
  }

  /** Opens the store and sets right what a process that was killed has left. */
  static async open(path: string | undefined, store: string | undefined, options: EngineOptions): Promise<Engine> {
    const file = await retryWhileLocked(() => openKvStore(path, store, options.shared));
    try {
      const engine = new Engine(file, path ?? "on the default store", options);
      await engine.committer.recover();
      await engine.log?.open();
      if (!options.shared) await engine.#fill(LITTLE);
      return engine;
    } catch (error) {
      file.release();
      throw error;
    }
  }

  /** What memory knows of a key; undefined when the disk must be asked. */
  peek(id: string): ValueOrAbsent | undefined {
    const known = this.#pending.size === 0 ? undefined : this.#pending.get(id);
    if (known !== undefined) return alive(known.stored ?? ABSENT);
    const cached = this.shared ? undefined : this.#memory.get(id);
    return cached === undefined ? undefined : alive(cached);
  }

  /** Reads a key from disk. */
  read(key: CheckedKey): Promise<ValueOrAbsent> {
    if (this.shared) return this.#open(this.reads.read(key)).then(alive);
    const { id } = key;
    const reading = this.#reading.get(id);
    if (reading !== undefined && !reading.stale) return reading.promise.then(alive);
    // What goes wrong goes wrong for those who read as well.
    if (++this.#diskReads === MANY_READS) this.#filling = this.#fill().catch(() => {});
    const mine = { stale: false, promise: this.#open(this.reads.read(key)) };
    this.#reading.set(id, mine);
    return mine.promise.then((known) => {
      if (!mine.stale) this.#memory.set(id, key.parts, known);
      return alive(known);
    }).finally(() => {
      if (this.#reading.get(id) === mine) this.#reading.delete(id);
    });
  }

  /**
   * Reads a key with its version.
   *
   * @throws {CacheError} If the store is closed meanwhile.
   */
  readVersioned(key: readonly KeyPart[]): ReturnType<EntryReader["readVersioned"]> {
    return this.#open(this.reads.readVersioned(key));
  }

  /**
   * Accepts writes that belong together: reads see them at once, and they get on disk together, after everything that
   * was accepted before them.
   *
   * @throws {RangeError} If they are more than an atomic can hold.
   * @throws {CacheError} If the store is closed.
   */
  write(writes: readonly Write[], updates: readonly Write[]): Group {
    this.throwIfClosed();
    const group = this.groups.add(writes, this.#published(updates));
    for (const write of writes) {
      const { id } = write;
      this.#pending.set(id, { id, key: write.key, keyBytes: write.keyBytes, stored: write.stored, group });
      const reading = this.#reading.get(id);
      if (reading !== undefined) reading.stale = true;
      const watcher = this.#watchers.size === 0 ? undefined : this.#watchers.get(id);
      if (watcher !== undefined) watcher.changed = true;
    }
    return group;
  }

  /**
   * Commits a transaction of a shared store by itself, after what this process has accepted before.
   *
   * @returns whether it was written; if not, a version that it rests on has changed
   */
  async commitTransaction(
    writes: readonly Write[],
    updates: readonly Write[],
    checks: readonly Check[],
  ): Promise<boolean> {
    await this.groups.flush();
    this.throwIfClosed();
    const committing = this.committer.commit(writes, updates, checks).then((versionstamp) => {
      if (versionstamp !== undefined) this.#committed(updates, versionstamp);
      return versionstamp !== undefined;
    });
    this.#alone.add(committing);
    try {
      return await committing;
    } finally {
      this.#alone.delete(committing);
    }
  }

  /** The latest version of the store that this process has made; empty before the first. */
  get latest(): string {
    return this.#latest;
  }

  /** Waits for all commits under way, and until their updates are published. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.groups.flush(), ...this.#alone]);
  }

  /** Whether writes would go into a certain group, if they were accepted now. */
  joins(group: Group, writes: readonly Write[], updates: readonly Write[]): boolean {
    return this.groups.joins(group, writes, this.#published(updates));
  }

  #published(updates: readonly Write[]): readonly Write[] {
    return this.log !== undefined || this.updates.wanted ? updates : [];
  }

  /** The group that a key's latest write waits in. */
  pendingGroup(id: string): Group | undefined {
    return this.#pending.get(id)?.group;
  }

  /** Tells someone when a key is written; to be called by who holds its lock, and nobody else. */
  watch(id: string, watcher: Watcher): void {
    this.#watchers.set(id, watcher);
  }

  /** Tells no more. */
  unwatch(id: string): void {
    this.#watchers.delete(id);
  }

  /** The entries of a range as they are now, if all of them are in memory. */
  snapshot(range: Range): Snapshot | undefined {
    this.throwIfClosed();
    if (this.shared || !this.#memory.complete) return undefined;
    const found = this.#memory.order.range((key) => range.hasBegun(key), (key) => range.isPast(key));
    const snapshot: Snapshot = { keys: [], values: [] };
    const late = [...this.#pending.values()].filter(({ key }) => range.has(key))
      .sort((a, b) => compareKeys(a.key, b.key));
    let next = 0;
    const add = (key: readonly KeyPart[], stored: StoredValue | undefined) => {
      if (stored === undefined) return;
      snapshot.keys.push(key);
      snapshot.values.push(stored);
    };
    for (const { id, key, known } of found) {
      // What is written and not on disk comes in between, or takes the place of what is.
      while (next < late.length && compareKeys(late[next]!.key, key) < 0) add(late[next]!.key, late[next++]!.stored);
      if (next < late.length && late[next]!.id === id) add(key, late[next++]!.stored);
      else if (isExpired(known as StoredValue)) this.#memory.set(id, key, ABSENT);
      else add(key, known as StoredValue);
    }
    for (const { key, stored } of late.slice(next)) add(key, stored);
    return snapshot;
  }

  /**
   * Walks over a range as it is now, on disk.
   *
   * @throws {CacheError} If the store is closed meanwhile.
   */
  async *scan(range: Range, { reverse, limit, whole }: RangeOptions): AsyncGenerator<Entry, void, undefined> {
    const { forgotten } = this.#memory;
    let left = limit;
    let complete = range.all && !this.shared;
    const remember = (id: string, { key, stored }: Entry) => {
      if (stored.chunks || this.#memory.forgotten !== forgotten) complete = false;
      else if (!this.shared) this.#memory.offer(id, key, stored);
    };
    const scan = new Scan(range, reverse, this.#pending.values(), remember);
    const ref = new WeakRef(scan);
    this.#scans.add(ref);
    try {
      const batchSize = Math.min(500, Math.max(10, limit));
      const listed = this.#file.kv.list<unknown>(range.selector([this.#prefix, "v"]), { reverse, batchSize });
      for await (const { key, stored } of scan.walk(listed)) {
        this.throwIfClosed();
        if (isExpired(stored)) continue;
        let found: ValueOrAbsent = stored;
        if (whole && stored.chunks && stored.data === undefined) {
          found = await this.reads.resolve(stored) ?? (await this.reads.readVersioned(key)).known;
        }
        if (found === ABSENT) continue;
        yield { key, stored: found };
        if (--left === 0) return;
      }
      if (complete) this.#memory.markComplete(forgotten);
    } catch (error) {
      throw this.#closed ? closed(this.#name) : error;
    } finally {
      this.#scans.delete(ref);
    }
  }

  /** Waits for what was written, ends the readers of updates, and gives the store back. */
  async close(): Promise<void> {
    await this.groups.flush();
    this.#closed = true;
    await this.#filling;
    this.updates.close();
    this.#file.release();
  }

  /** @throws {CacheError} If it is closed. */
  throwIfClosed(): void {
    if (this.#closed) throw closed(this.#name);
  }

  /** Reads what is on disk into memory, as long as there is room, and notes if that is everything. */
  async #fill(limit?: number): Promise<void> {
    const { forgotten } = this.#memory;
    const options = limit === undefined ? { batchSize: 500 } : { batchSize: 100, limit };
    let [complete, count] = [true, 0];
    for await (const { key, value } of this.#file.kv.list<unknown>({ prefix: [this.#prefix, "v"] }, options)) {
      // What was written since it was listed is in memory, and stays as it is there; unless it was forgotten again.
      if (this.#closed || this.#memory.forgotten !== forgotten) return;
      const [parts, stored] = [key.slice(2) as KeyPart[], fromEntry(value)];
      if (stored.chunks === undefined) this.#memory.offer(idOf(parts), parts, stored);
      else complete = false;
      if (limit !== undefined && (++count === limit || this.#memory.bytes > LITTLE_BYTES)) return;
    }
    if (complete) this.#memory.markComplete(forgotten);
  }

  /** Says that the store was closed, rather than what KV says then. */
  #open<T>(asked: Promise<T>): Promise<T> {
    return asked.catch((error) => {
      throw this.#closed ? closed(this.#name) : error;
    });
  }

  async #commit(group: Group): Promise<void> {
    const writes = [...group.writes.values()];
    let versionstamp: string | undefined;
    try {
      if (this.#scans.size > 0) await this.#keepForScans(writes);
      for (let attempt = 0;; attempt++) {
        versionstamp = await this.committer.commit(writes, group.updates);
        if (versionstamp !== undefined) break;
        await backOff(attempt);
      }
    } catch (error) {
      for (const { id } of writes) {
        // What was read before is on disk still, but perhaps not what memory has: ask again.
        this.#memory.delete(id);
        if (this.#pending.get(id)?.group === group) this.#pending.delete(id);
      }
      throw error;
    }
    for (const { id, key, stored } of writes) {
      if (!this.shared) this.#memory.set(id, key, stored ?? ABSENT);
      if (this.#pending.get(id)?.group === group) this.#pending.delete(id);
    }
    this.#committed(group.updates, versionstamp);
  }

  #committed(updates: readonly Write[], versionstamp: string): void {
    if (versionstamp > this.#latest) this.#latest = versionstamp;
    if (updates.length > 0) this.updates.publish(updates, versionstamp);
  }

  /** Tells the scans under way what is about to change. */
  async #keepForScans(writes: readonly Write[]): Promise<void> {
    const scans: Scan[] = [];
    for (const ref of this.#scans) {
      const scan = ref.deref();
      if (scan === undefined) this.#scans.delete(ref);
      else scans.push(scan);
    }
    const needed = writes.filter(({ id, key }) => scans.some((scan) => scan.needs(id, key)));
    await Promise.all(needed.map(async ({ id, key, keyBytes }) => {
      const known = await this.reads.read({ id, parts: key, bytes: keyBytes });
      const stored = known === ABSENT ? undefined : known;
      for (const scan of scans) scan.keep(id, { key, stored });
    }));
  }
}

/** Leaves out what has ended. */
export function alive(known: ValueOrAbsent): ValueOrAbsent {
  return known !== ABSENT && isExpired(known) ? ABSENT : known;
}
