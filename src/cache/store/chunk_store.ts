/**
 * Values that are too large for one entry of KV, cut into chunks.
 *
 * The chunks are written first, under an id of their own. The entry of the value, which points at them, is written
 * last: so the value exists as a whole or not at all. A record for each id is written before its chunks and removed
 * after them. It shows which chunks to remove when a process was killed in between.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import type { RetryingKv } from "./retrying_kv.ts";
import { CHUNK_BYTES, type ChunkList, fromEntry, type StoredValue } from "./stored_value.ts";

/** How many chunks fit into an atomic, which KV limits to 819,200 bytes. */
const CHUNKS_PER_ATOMIC = 12;
/** How many keys KV reads in one call. */
const KEYS_PER_CALL = 10;
/** How many chunks to remove in one atomic. */
const REMOVED_PER_ATOMIC = 500;
/** How long chunks outlive an entry that expires, so that no reader of the entry finds them missing. */
const AFTER_EXPIRY_MS = 60_000;
/**
 * In a shared store, chunks without an entry may belong to another process that is still writing; after this, they do
 * not.
 */
const ABANDONED_MS = 600_000;

/** The chunks of all large values of one prefix. */
export class ChunkStore {
  readonly #kv: RetryingKv;
  readonly #prefix: string;

  /** @param prefix the prefix of the Cache */
  constructor(kv: RetryingKv, prefix: string) {
    this.#kv = kv;
    this.#prefix = prefix;
  }

  /**
   * Writes the chunks of a value, before its entry is written.
   *
   * @param expiresAt when the entry will expire, in milliseconds since the epoch; 0 for never
   */
  async write(key: readonly KeyPart[], { id, count }: ChunkList, data: Uint8Array, expiresAt: number): Promise<void> {
    const options = expiresAt > 0 ? { expireIn: Math.max(0, expiresAt - Date.now()) + AFTER_EXPIRY_MS } : {};
    for (let from = 0; from < count; from += CHUNKS_PER_ATOMIC) {
      const atomic = this.#kv.atomic();
      if (from === 0) atomic.set(this.#recordKey(id), [key, count], options);
      for (let n = from; n < Math.min(count, from + CHUNKS_PER_ATOMIC); n++) {
        atomic.set(this.#chunkKey(id, n), data.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES), options);
      }
      await atomic.commit();
    }
  }

  /** Reads the bytes of a value; undefined if a chunk is missing, because the value was replaced meanwhile. */
  async read({ id, count }: ChunkList): Promise<Uint8Array | undefined> {
    const chunks: Uint8Array[] = [];
    for (let from = 0; from < count; from += KEYS_PER_CALL) {
      const length = Math.min(KEYS_PER_CALL, count - from);
      const keys = Array.from({ length }, (_, n) => this.#chunkKey(id, from + n));
      for (const { value } of await this.#kv.getMany<Uint8Array>(keys)) {
        if (value === null) return undefined;
        chunks.push(value);
      }
    }
    const data = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      data.set(chunk, at);
      at += chunk.length;
    }
    return data;
  }

  /** Removes chunks that no entry points at any more. */
  async remove({ id, count }: ChunkList): Promise<void> {
    for (let from = 0; from < count; from += REMOVED_PER_ATOMIC) {
      const atomic = this.#kv.atomic();
      for (let n = from; n < Math.min(count, from + REMOVED_PER_ATOMIC); n++) atomic.delete(this.#chunkKey(id, n));
      await atomic.commit();
    }
    await this.#kv.delete(this.#recordKey(id));
  }

  /**
   * Removes the chunks that no entry points at, which a killed process has left.
   *
   * @returns the chunks in use, by the id that `idOf` returns for their key
   */
  async recover(
    entryKey: (key: readonly KeyPart[]) => Deno.KvKey,
    idOf: (key: readonly KeyPart[]) => string,
    shared: boolean,
  ): Promise<Map<string, ChunkList>> {
    const inUse = new Map<string, ChunkList>();
    const prefix = [this.#prefix, "b"];
    for await (const record of this.#kv.list<[KeyPart[], number]>({ prefix })) {
      const id = record.key[2] as string;
      const [key, count] = record.value;
      const entry = await this.#kv.get(entryKey(key));
      const stored: StoredValue | undefined = entry.versionstamp === null ? undefined : fromEntry(entry.value);
      if (stored?.chunks?.id === id) inUse.set(idOf(key), { id, count });
      // The id begins with the time at which it was made.
      else if (!shared || Date.now() - parseInt(id) > ABANDONED_MS) await this.remove({ id, count });
    }
    return inUse;
  }

  #recordKey(id: string): Deno.KvKey {
    return [this.#prefix, "b", id];
  }

  #chunkKey(id: string, n: number): Deno.KvKey {
    return [this.#prefix, "c", id, n];
  }
}
