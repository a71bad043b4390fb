/**
 * One atomic of Deno KV: some writes, the updates they publish, and the versions they rest on.
 *
 * @module
 */

import { Chunks } from "./chunks.ts";
import { idOf, type KeyPart } from "./key.ts";
import type { PatientKv } from "./patient_kv.ts";
import type { UpdateLog } from "./update_log.ts";
import { type ChunkList, fromEntry, toEntry } from "./value.ts";
import type { Check, Write } from "./write.ts";

/** Commits what belongs together. */
export class Committer {
  readonly chunks: Chunks;
  readonly #kv: PatientKv;
  readonly #prefix: string;
  readonly #shared: boolean;
  readonly #log: UpdateLog | undefined;
  /** Who has chunks on disk; known only while one process owns the file. */
  #live = new Map<string, ChunkList>();
  readonly #written = new WeakSet<ChunkList>();
  /** What could not be removed. */
  readonly #left = new Set<ChunkList>();

  /** @param prefix the Cache's */
  constructor(kv: PatientKv, prefix: string, shared: boolean, log: UpdateLog | undefined) {
    this.#kv = kv;
    this.#prefix = prefix;
    this.#shared = shared;
    this.#log = log;
    this.chunks = new Chunks(kv, prefix);
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
   * @returns the version of the store that it made, or undefined when a version that it rests on has changed
   * @throws whatever KV throws; nothing was written then, as far as KV knows
   */
  async commit(
    writes: readonly Write[],
    updates: readonly Write[],
    checks: readonly Check[] = [],
  ): Promise<string | undefined> {
    const replaced = new Map<string, ChunkList>();
    try {
      for (const { key, stored } of writes) {
        if (stored?.chunks === undefined || this.#written.has(stored.chunks)) continue;
        const data = stored.data as Uint8Array;
        await this.chunks.write(key, stored.chunks, data, stored.expiresAt);
        this.#written.add(stored.chunks);
      }
      const rests = this.#shared ? [...checks, ...await this.#versions(writes, checks)] : checks;
      for (const { id } of writes) {
        const before = this.#shared ? rests.find((check) => check.id === id)?.chunks : this.#live.get(id);
        if (before !== undefined) replaced.set(id, before);
      }
      const logged = updates.length === 0 ? undefined : await this.#log?.next();
      const atomic = this.#kv.atomic();
      for (const { key, versionstamp } of rests) atomic.check({ key: this.entryKey(key), versionstamp });
      const now = Date.now();
      for (const { key, stored } of writes) {
        if (stored === undefined) atomic.delete(this.entryKey(key));
        else if (stored.expiresAt === 0) atomic.set(this.entryKey(key), toEntry(stored));
        else atomic.set(this.entryKey(key), toEntry(stored), { expireIn: Math.max(1, stored.expiresAt - now) });
      }
      const log = logged && this.#log!.append(atomic, updates, logged);
      const result = await atomic.commit();
      if (!result.ok) return undefined;
      if (log !== undefined) this.#log!.committed(log);
      for (const { id, stored } of this.#shared ? [] : writes) {
        if (stored?.chunks === undefined) this.#live.delete(id);
        else this.#live.set(id, stored.chunks);
      }
      // It is written, whatever becomes of what was before.
      await this.#remove([...replaced.values(), ...this.#left]);
      return result.versionstamp;
    } catch (error) {
      this.#log?.doubt();
      await this.discard(writes, replaced);
      throw error;
    }
  }

  /** Removes the chunks of writes that are given up; or of what they have replaced, when they have. */
  async discard(writes: readonly Write[], replaced: ReadonlyMap<string, ChunkList> = new Map()): Promise<void> {
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

  /** The versions of what is written unread, so that chunks which another process puts there are not lost sight of. */
  async #versions(writes: readonly Write[], checks: readonly Check[]): Promise<Check[]> {
    const known = new Set(checks.map(({ id }) => id));
    const unread = writes.filter(({ id }) => !known.has(id));
    const found: Check[] = [];
    for (let from = 0; from < unread.length; from += 10) {
      const some = unread.slice(from, from + 10);
      const entries = await this.#kv.getMany(some.map(({ key }) => this.entryKey(key)));
      entries.forEach(({ value, versionstamp }, n) => {
        const { id, key } = some[n]!;
        found.push({ id, key, versionstamp, chunks: versionstamp === null ? undefined : fromEntry(value).chunks });
      });
    }
    return found;
  }
}
