/**
 * One atomic of Deno KV: some writes, the updates they publish, and the versions they rest on.
 *
 * @module
 */

import { ChunkStore } from "./chunk_store.ts";
import { type CommitReceipt, CommitReceipts } from "./commit_receipt.ts";
import { idOf, type KeyPart } from "../cache_key.ts";
import type { RetryingKv } from "./retrying_kv.ts";
import type { UpdateLog } from "./update_log.ts";
import { type ChunkList, fromEntry, toEntry } from "./stored_value.ts";
import type { Check, Write } from "./write.ts";

/** Chunks that writes have replaced, by the ids of their keys. */
type Replaced = ReadonlyMap<string, ChunkList>;

/** How many checks an atomic takes. */
const FILE_CHECKS = 100;
const REMOTE_CHECKS = 10;
/** Checks that are not a transaction's: the fence, the mark of large values, the end of the log. */
const OWN_CHECKS = 3;
/**
 * So often a commit checks that others have written no large value meanwhile. Where they never stop it is made all the
 * same; chunks that it may have lost sight of are removed when the store is next opened.
 */
const MARK_ATTEMPTS = 5;

/** Where a committer works. */
export interface CommitterOptions {
  /** The Cache's. */
  readonly prefix: string;
  /** Whether other processes write to the store. */
  readonly shared: boolean;
  /** Whether it is, or may be, behind a network. */
  readonly remote: boolean;
}

/**
 * Commits what belongs together.
 *
 * A commit that replaces a large value removes its chunks afterwards. Whether there are large values, another process
 * may change at any moment. So each commit that writes one also writes an entry, the mark, and each commit to a shared
 * store checks that the mark is as it was before the entries were read that it replaces. As long as there is no mark,
 * none has chunks, and none is read.
 */
export class Committer {
  readonly chunks: ChunkStore;
  /** How many keys a transaction in a shared store can rest on. */
  readonly maxReads: number;
  readonly #kv: RetryingKv;
  readonly #prefix: string;
  readonly #shared: boolean;
  readonly #log: UpdateLog | undefined;
  readonly #fences: CommitReceipts | undefined;
  /** The version of the mark when it was last seen; undefined when that must be asked. */
  #mark: string | null | undefined;
  /** Who has chunks on disk; known only while one process owns the file. */
  #live = new Map<string, ChunkList>();
  readonly #written = new WeakSet<ChunkList>();
  /** What could not be removed. */
  readonly #left = new Set<ChunkList>();

  /** Nothing is asked of the store yet. */
  constructor(kv: RetryingKv, { prefix, shared, remote }: CommitterOptions, log: UpdateLog | undefined) {
    this.#kv = kv;
    this.#prefix = prefix;
    this.#shared = shared;
    this.#log = log;
    this.#fences = remote ? new CommitReceipts(kv, prefix) : undefined;
    this.maxReads = (remote ? REMOTE_CHECKS : FILE_CHECKS) - OWN_CHECKS;
    this.chunks = new ChunkStore(kv, prefix);
  }

  /** Clears away what a process that ended has left; to be called before anything else. */
  async recover(): Promise<void> {
    this.#live = await this.chunks.recover((key) => this.entryKey(key), idOf, this.#shared);
  }

  /** Where the entry of a key lies. */
  entryKey(key: readonly KeyPart[]): Deno.KvKey {
    return [this.#prefix, "v", ...key];
  }

  /**
   * Writes everything or nothing.
   *
   * @param checks the versions that it rests on
   * @returns the version of the store that it made, or undefined when a version that it rests on has changed
   * @throws whatever KV throws; nothing was written then, as far as KV knows
   */
  commit(
    writes: readonly Write[],
    updates: readonly Write[],
    checks: readonly Check[] = [],
  ): Promise<string | undefined> {
    if (this.#fences === undefined) return this.#commit(writes, updates, checks);
    return this.#fences.with((fence) => this.#commit(writes, updates, checks, fence));
  }

  async #commit(
    writes: readonly Write[],
    updates: readonly Write[],
    checks: readonly Check[],
    fence?: CommitReceipt,
  ): Promise<string | undefined> {
    let replaced: Replaced = new Map();
    try {
      for (const { key, stored } of writes) {
        if (stored?.chunks === undefined || this.#written.has(stored.chunks)) continue;
        const data = stored.data as Uint8Array;
        await this.chunks.write(key, stored.chunks, data, stored.expiresAt);
        this.#written.add(stored.chunks);
      }
      const large = writes.some(({ stored }) => stored?.chunks !== undefined);
      for (let attempt = 0;; attempt++) {
        const mark = this.#shared ? await this.#markVersion() : undefined;
        replaced = await this.#replacedBy(writes, checks, mark);
        const logged = updates.length === 0 ? undefined : await this.#log?.next();
        const atomic = this.#kv.atomic();
        for (const { key, versionstamp } of checks) atomic.check({ key: this.entryKey(key), versionstamp });
        const checksMark = mark !== undefined && attempt < MARK_ATTEMPTS;
        if (checksMark) atomic.check({ key: this.#markKey, versionstamp: mark });
        if (large) atomic.set(this.#markKey, 0);
        this.#add(atomic, writes);
        const log = logged && this.#log!.append(atomic, updates, logged);
        const made = await commitWith(atomic, fence);
        if (made !== undefined) {
          if (large) this.#mark = made;
          if (log !== undefined) this.#log!.committed(log);
          await this.#made(writes, replaced);
          return made;
        }
        this.#mark = undefined;
        // Others have written a large value meanwhile: no reason to give up, unless something else has changed too.
        if (!checksMark || await this.#markVersion() === mark) return undefined;
      }
    } catch (error) {
      this.#log?.doubt();
      await this.discard(writes, replaced);
      throw error;
    }
  }

  #add(atomic: Deno.AtomicOperation, writes: readonly Write[]): void {
    const now = Date.now();
    for (const { key, stored } of writes) {
      if (stored === undefined) atomic.delete(this.entryKey(key));
      else if (stored.expiresAt === 0) atomic.set(this.entryKey(key), toEntry(stored));
      else atomic.set(this.entryKey(key), toEntry(stored), { expireIn: Math.max(1, stored.expiresAt - now) });
    }
  }

  /** Notes that writes are on disk, and removes the chunks that they have replaced. */
  async #made(writes: readonly Write[], replaced: Replaced): Promise<void> {
    for (const { id, stored } of this.#shared ? [] : writes) {
      if (stored?.chunks === undefined) this.#live.delete(id);
      else this.#live.set(id, stored.chunks);
    }
    await this.#remove([...replaced.values(), ...this.#left]);
  }

  /** Removes the chunks of writes that are given up; or of what they have replaced, when they have. */
  async discard(writes: readonly Write[], replaced: Replaced = new Map()): Promise<void> {
    for (const { id, key, stored } of writes) {
      if (stored?.chunks === undefined) continue;
      try {
        // A commit may have been made although it has failed, such as when the answer was lost.
        const { value, versionstamp } = await this.#kv.get(this.entryKey(key));
        if (versionstamp !== null && fromEntry(value).chunks?.id === stored.chunks.id) {
          const before = replaced.get(id);
          if (before !== undefined) await this.#remove([before]);
          if (!this.#shared) this.#live.set(id, stored.chunks);
        } else await this.#remove([stored.chunks]);
      } catch {
        // What is not in use is found when the store is next opened.
      }
    }
  }

  /** Removes chunks; those that can't be, such as when the disk is full, after the next commit or when next opened. */
  async #remove(lists: readonly ChunkList[]): Promise<void> {
    for (const list of lists) {
      try {
        await this.chunks.remove(list);
        this.#left.delete(list);
      } catch {
        this.#left.add(list);
      }
    }
  }

  /** The entry that each commit of a large value changes. */
  get #markKey(): Deno.KvKey {
    return [this.#prefix, "l"];
  }

  /** The version of the mark; null as long as the store has held no large value. */
  async #markVersion(): Promise<string | null> {
    if (this.#mark === undefined) this.#mark = (await this.#kv.get(this.#markKey)).versionstamp;
    return this.#mark;
  }

  /** The chunks that are in use before some entries are written, by the ids of these. */
  async #replacedBy(
    writes: readonly Write[],
    checks: readonly Check[],
    mark: string | null | undefined,
  ): Promise<Replaced> {
    const replaced = new Map<string, ChunkList>();
    if (mark === null) return replaced;
    const add = (id: string, chunks: ChunkList | undefined) => void (chunks !== undefined && replaced.set(id, chunks));
    if (mark === undefined) {
      for (const { id } of this.#live.size === 0 ? [] : writes) add(id, this.#live.get(id));
      return replaced;
    }
    const read = new Map(checks.map(({ id, chunks }) => [id, chunks]));
    const unread: Write[] = [];
    for (const write of writes) {
      if (read.has(write.id)) add(write.id, read.get(write.id));
      else unread.push(write);
    }
    const slices = Array.from({ length: Math.ceil(unread.length / 10) }, (_, n) => unread.slice(10 * n, 10 * n + 10));
    await Promise.all(slices.map(async (some) => {
      const entries = await this.#kv.getMany(some.map(({ key }) => this.entryKey(key)));
      entries.forEach(({ value, versionstamp }, n) => {
        if (versionstamp !== null) add(some[n]!.id, fromEntry(value).chunks);
      });
    }));
    return replaced;
  }
}

/** Commits; the new version, or undefined when a check has failed. */
async function commitWith(atomic: Deno.AtomicOperation, fence: CommitReceipt | undefined): Promise<string | undefined> {
  fence?.guard(atomic);
  let made: string | undefined;
  try {
    const result = await atomic.commit();
    made = result.ok ? result.versionstamp : await fence?.lookUp();
  } catch (error) {
    made = await fence?.lookUp().catch(() => undefined);
    if (made === undefined) throw error;
  }
  if (made !== undefined) fence?.made(made);
  return made;
}
