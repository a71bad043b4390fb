/**
 * Values too large for one KV entry, cut into chunks.
 *
 * The chunks are written first, under an id of their own, and the value's entry that points at them last: the value
 * is there whole or not at all. A record per id, written before its chunks and removed after them, says what to clear
 * away when a process ended in between.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import type { RetryingKv } from "./retrying_kv.ts";
import { CHUNK_BYTES, type ChunkList, fromEntry, type StoredValue } from "./stored_value.ts";

/** An atomic takes 819,200 bytes. */
const CHUNKS_AT_ONCE = 12;
/** How long chunks outlive their entry when it expires by itself: nobody may find it without them. */
const AFTER_EXPIRY_MS = 60_000;
/** In a shared store, another process may be writing what has no entry yet. */
const ABANDONED_MS = 600_000;

/** The chunks of the values of one prefix. */
export class ChunkStore {
  readonly #kv: RetryingKv;
  readonly #prefix: string;

  /** @param prefix the Cache's */
  constructor(kv: RetryingKv, prefix: string) {
    this.#kv = kv;
    this.#prefix = prefix;
  }

  /** Writes the chunks of a value; its entry is to follow. */
  async write(key: readonly KeyPart[], { id, count }: ChunkList, data: Uint8Array, expiresAt: number): Promise<void> {
    const options = expiresAt > 0 ? { expireIn: Math.max(0, expiresAt - Date.now()) + AFTER_EXPIRY_MS } : {};
    for (let from = 0; from < count; from += CHUNKS_AT_ONCE) {
      const atomic = this.#kv.atomic();
      if (from === 0) atomic.set(this.#record(id), [key, count], options);
      for (let n = from; n < Math.min(count, from + CHUNKS_AT_ONCE); n++) {
        atomic.set(this.#chunk(id, n), data.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES), options);
      }
      await atomic.commit();
    }
  }

  /** Reads a value's bytes; undefined when they were replaced meanwhile, and its entry is to be read again. */
  async read({ id, count }: ChunkList): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    for (let from = 0; from < count; from += 10) {
      const keys = Array.from({ length: Math.min(10, count - from) }, (_, n) => this.#chunk(id, from + n));
      for (const { value } of await this.#kv.getMany<Uint8Array>(keys)) {
        if (value === null) return undefined;
        parts.push(value);
      }
    }
    const data = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    return data;
  }

  /** Removes chunks that no entry points at any more. */
  async remove({ id, count }: ChunkList): Promise<void> {
    for (let from = 0; from < count; from += 500) {
      const atomic = this.#kv.atomic();
      for (let n = from; n < Math.min(count, from + 500); n++) atomic.delete(this.#chunk(id, n));
      await atomic.commit();
    }
    await this.#kv.delete(this.#record(id));
  }

  /**
   * Clears away what a process that ended has left behind.
   *
   * @returns the chunks that are in use, by the id that `idOf` gives their key
   */
  async recover(
    entryOf: (key: readonly KeyPart[]) => Deno.KvKey,
    idOf: (key: readonly KeyPart[]) => string,
    shared: boolean,
  ): Promise<Map<string, ChunkList>> {
    const live = new Map<string, ChunkList>();
    const prefix = [this.#prefix, "b"];
    for await (const record of this.#kv.list<[KeyPart[], number]>({ prefix })) {
      const id = record.key[2] as string;
      const [key, count] = record.value;
      const entry = await this.#kv.get(entryOf(key));
      const stored: StoredValue | undefined = entry.versionstamp === null ? undefined : fromEntry(entry.value);
      if (stored?.chunks?.id === id) live.set(idOf(key), { id, count });
      else if (!shared || Date.now() - parseInt(id) > ABANDONED_MS) await this.remove({ id, count });
    }
    return live;
  }

  #record(id: string): Deno.KvKey {
    return [this.#prefix, "b", id];
  }

  #chunk(id: string, n: number): Deno.KvKey {
    return [this.#prefix, "c", id, n];
  }
}
