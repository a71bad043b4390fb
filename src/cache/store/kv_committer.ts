/**
 * Commits: each is one atomic of Deno KV, with the writes, the updates that they publish, and the versions to check.
 *
 * @module
 */

import { idOf, type KeyPart } from "../cache_key.ts";
import { ChunkStore } from "./chunk_store.ts";
import { type CommitReceipt, CommitReceipts } from "./commit_receipt.ts";
import type { RetryingKv } from "./retrying_kv.ts";
import { type ChunkList, fromEntry, toEntry } from "./stored_value.ts";
import type { UpdateLog } from "./update_log.ts";
import type { Check, Write } from "./write.ts";

/** The chunks of values that a commit replaces, by the ids of their keys. */
type ReplacedChunks = ReadonlyMap<string, ChunkList>;

/** How many checks an atomic takes. */
const FILE_CHECKS = 100;
const REMOTE_CHECKS = 10;
/** Checks that a commit needs for itself: the receipt, the mark of large values, the state of the log. */
const OWN_CHECKS = 3;
/**
 * How many attempts of a commit check the mark of large values. If other processes write large values all the time, the
 * next attempt commits without the check. Chunks that it fails to remove are removed when the store is next opened.
 */
const MARK_ATTEMPTS = 5;
/** How many keys KV reads in one call. */
const KEYS_PER_CALL = 10;

/** The options of a committer. */
export interface CommitterOptions {
  /** The prefix of the Cache. */
  readonly prefix: string;
  /** Whether other processes write to the store. */
  readonly shared: boolean;
  /** Whether the store is, or may be, behind a network. */
  readonly remote: boolean;
}

/**
 * Commits writes that belong together.
 *
 * A commit that replaces a large value removes its chunks afterwards, so it has to know which of the entries that it
 * replaces have chunks. In a shared store, another process may write a large value at any moment. So each commit of a
 * large value also writes an entry, the *mark*, and each commit to a shared store checks that the mark has not changed
 * since it read the entries that it replaces. As long as there is no mark, no entry has chunks, and none needs to be
 * read.
 */
export class KvCommitter {
  readonly chunks: ChunkStore;
  /** How many keys a transaction in a shared store can read. */
  readonly maxReads: number;
  readonly #kv: RetryingKv;
  readonly #prefix: string;
  readonly #shared: boolean;
  readonly #log: UpdateLog | undefined;
  readonly #receipts: CommitReceipts | undefined;
  /** The version of the mark when it was last read; null without a mark, undefined when it must be read again. */
  #mark: string | null | undefined;
  /** The chunks in use, by the ids of their keys. Known only while one process owns the file. */
  #inUse = new Map<string, ChunkList>();
  /** The chunks that are written already: a commit that is tried again does not write them again. */
  readonly #written = new WeakSet<ChunkList>();
  /** Chunks that could not be removed yet. */
  readonly #toRemove = new Set<ChunkList>();

  /** Reads and writes nothing yet. */
  constructor(kv: RetryingKv, { prefix, shared, remote }: CommitterOptions, log: UpdateLog | undefined) {
    this.#kv = kv;
    this.#prefix = prefix;
    this.#shared = shared;
    this.#log = log;
    this.#receipts = remote ? new CommitReceipts(kv, prefix) : undefined;
    this.maxReads = (remote ? REMOTE_CHECKS : FILE_CHECKS) - OWN_CHECKS;
    this.chunks = new ChunkStore(kv, prefix);
  }

  /** Removes chunks that a killed process has left. Called before anything else. */
  async recover(): Promise<void> {
    this.#inUse = await this.chunks.recover((key) => this.entryKey(key), idOf, this.#shared);
  }

  /** The key in KV of an entry. */
  entryKey(key: readonly KeyPart[]): Deno.KvKey {
    return [this.#prefix, "v", ...key];
  }

  /**
   * Commits all of the writes, or none.
   *
   * @param updates those of the writes that are published
   * @param checks the versions to check
   * @returns the version that the commit made, or undefined if a checked version has changed
   * @throws what KV throws; then nothing was written, as far as KV knows
   */
  commit(
    writes: readonly Write[],
    updates: readonly Write[],
    checks: readonly Check[] = [],
  ): Promise<string | undefined> {
    if (this.#receipts === undefined) return this.#commit(writes, updates, checks);
    return this.#receipts.with((receipt) => this.#commit(writes, updates, checks, receipt));
  }

  async #commit(
    writes: readonly Write[],
    updates: readonly Write[],
    checks: readonly Check[],
    receipt?: CommitReceipt,
  ): Promise<string | undefined> {
    let replaced: ReplacedChunks = new Map();
    try {
      await this.#writeChunks(writes);
      const hasLarge = writes.some(({ stored }) => stored?.chunks !== undefined);
      for (let attempt = 0;; attempt++) {
        const mark = this.#shared ? await this.#readMark() : undefined;
        replaced = await this.#chunksReplacedBy(writes, checks, mark);
        const state = updates.length === 0 ? undefined : await this.#log?.stateForAppend();
        const atomic = this.#kv.atomic();
        for (const { key, versionstamp } of checks) atomic.check({ key: this.entryKey(key), versionstamp });
        const checksMark = mark !== undefined && attempt < MARK_ATTEMPTS;
        if (checksMark) atomic.check({ key: this.#markKey, versionstamp: mark });
        if (hasLarge) atomic.set(this.#markKey, 0);
        this.#addEntries(atomic, writes);
        const appended = state && this.#log!.append(atomic, updates, state);
        const versionstamp = await commitWithReceipt(atomic, receipt);
        if (versionstamp !== undefined) {
          if (hasLarge) this.#mark = versionstamp;
          if (appended !== undefined) this.#log!.committed(appended);
          await this.#onCommitted(writes, replaced);
          return versionstamp;
        }
        this.#mark = undefined;
        // If only the mark has changed, another process has written a large value: try again.
        if (!checksMark || await this.#readMark() === mark) return undefined;
      }
    } catch (error) {
      this.#log?.commitFailed();
      await this.discard(writes, replaced);
      throw error;
    }
  }

  async #writeChunks(writes: readonly Write[]): Promise<void> {
    for (const { key, stored } of writes) {
      if (stored?.chunks === undefined || this.#written.has(stored.chunks)) continue;
      const data = stored.data as Uint8Array;
      await this.chunks.write(key, stored.chunks, data, stored.expiresAt);
      this.#written.add(stored.chunks);
    }
  }

  #addEntries(atomic: Deno.AtomicOperation, writes: readonly Write[]): void {
    const now = Date.now();
    for (const { key, stored } of writes) {
      if (stored === undefined) atomic.delete(this.entryKey(key));
      else if (stored.expiresAt === 0) atomic.set(this.entryKey(key), toEntry(stored));
      else atomic.set(this.entryKey(key), toEntry(stored), { expireIn: Math.max(1, stored.expiresAt - now) });
    }
  }

  /** Removes the chunks that a commit has replaced. */
  async #onCommitted(writes: readonly Write[], replaced: ReplacedChunks): Promise<void> {
    for (const { id, stored } of this.#shared ? [] : writes) {
      if (stored?.chunks === undefined) this.#inUse.delete(id);
      else this.#inUse.set(id, stored.chunks);
    }
    await this.#remove([...replaced.values(), ...this.#toRemove]);
  }

  /**
   * Removes the chunks of writes whose commit has failed. If a commit took effect although it failed, for example
   * because its answer was lost, removes the chunks that it has replaced instead.
   */
  async discard(writes: readonly Write[], replaced: ReplacedChunks = new Map()): Promise<void> {
    for (const { id, key, stored } of writes) {
      if (stored?.chunks === undefined) continue;
      try {
        const { value, versionstamp } = await this.#kv.get(this.entryKey(key));
        const tookEffect = versionstamp !== null && fromEntry(value).chunks?.id === stored.chunks.id;
        if (tookEffect) {
          const before = replaced.get(id);
          if (before !== undefined) await this.#remove([before]);
          if (!this.#shared) this.#inUse.set(id, stored.chunks);
        } else await this.#remove([stored.chunks]);
      } catch {
        // The store can't be read now. recover() removes chunks without an entry when the store is next opened.
      }
    }
  }

  /**
   * Removes chunks. Those that can't be removed, for example while the disk is full, are tried after the next commit.
   */
  async #remove(lists: readonly ChunkList[]): Promise<void> {
    for (const list of lists) {
      try {
        await this.chunks.remove(list);
        this.#toRemove.delete(list);
      } catch {
        this.#toRemove.add(list);
      }
    }
  }

  get #markKey(): Deno.KvKey {
    return [this.#prefix, "l"];
  }

  /** The version of the mark; null as long as the store has never held a large value. */
  async #readMark(): Promise<string | null> {
    if (this.#mark === undefined) this.#mark = (await this.#kv.get(this.#markKey)).versionstamp;
    return this.#mark;
  }

  /**
   * The chunks of the entries that these writes replace.
   *
   * @param mark the version of the mark in a shared store; undefined while this process owns the file
   */
  async #chunksReplacedBy(
    writes: readonly Write[],
    checks: readonly Check[],
    mark: string | null | undefined,
  ): Promise<ReplacedChunks> {
    const replaced = new Map<string, ChunkList>();
    if (mark === null) return replaced;
    const add = (id: string, chunks: ChunkList | undefined) => void (chunks !== undefined && replaced.set(id, chunks));
    if (mark === undefined) {
      for (const { id } of this.#inUse.size === 0 ? [] : writes) add(id, this.#inUse.get(id));
      return replaced;
    }
    const checked = new Map(checks.map(({ id, chunks }) => [id, chunks]));
    const unread: Write[] = [];
    for (const write of writes) {
      if (checked.has(write.id)) add(write.id, checked.get(write.id));
      else unread.push(write);
    }
    const calls = Array.from(
      { length: Math.ceil(unread.length / KEYS_PER_CALL) },
      (_, n) => unread.slice(KEYS_PER_CALL * n, KEYS_PER_CALL * (n + 1)),
    );
    await Promise.all(calls.map(async (some) => {
      const entries = await this.#kv.getMany(some.map(({ key }) => this.entryKey(key)));
      entries.forEach(({ value, versionstamp }, n) => {
        if (versionstamp !== null) add(some[n]!.id, fromEntry(value).chunks);
      });
    }));
    return replaced;
  }
}

/**
 * Commits an atomic. If it fails, or its answer may be wrong, the receipt shows whether it took effect.
 *
 * @returns the version that it made, or undefined if a check has failed
 */
async function commitWithReceipt(
  atomic: Deno.AtomicOperation,
  receipt: CommitReceipt | undefined,
): Promise<string | undefined> {
  receipt?.addTo(atomic);
  let versionstamp: string | undefined;
  try {
    const result = await atomic.commit();
    versionstamp = result.ok ? result.versionstamp : await receipt?.find();
  } catch (error) {
    versionstamp = await receipt?.find().catch(() => undefined);
    if (versionstamp === undefined) throw error;
  }
  if (versionstamp !== undefined) receipt?.committed(versionstamp);
  return versionstamp;
}
