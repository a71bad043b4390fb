/**
 * Reads of entries from KV, up to ten in one call: one by one, they take four times as long.
 *
 * @module
 */

import { type CheckedKey, idOf, type KeyPart, showKey } from "../cache_key.ts";
import type { KvCommitter } from "./kv_committer.ts";
import type { RetryingKv } from "./retrying_kv.ts";
import { ABSENT, fromEntry, isExpired, type StoredValue, type ValueOrAbsent } from "./stored_value.ts";

/** How many keys KV reads in one call. */
const KEYS_PER_CALL = 10;

/** A read that waits for its call. */
interface WaitingRead {
  readonly key: CheckedKey;
  readonly resolve: (value: ValueOrAbsent) => void;
  readonly reject: (reason: unknown) => void;
}

/** An entry with the version of the store that wrote it. */
export interface VersionedEntry {
  readonly id: string;
  readonly key: readonly KeyPart[];
  readonly stored: StoredValue;
  readonly versionstamp: string;
}

/** Reads entries, and the chunks of large values. */
export class EntryReader {
  readonly #kv: RetryingKv;
  readonly #committer: KvCommitter;
  #waiting: WaitingRead[] = [];

  /** @param committer knows the keys of the entries in KV */
  constructor(kv: RetryingKv, committer: KvCommitter) {
    this.#kv = kv;
    this.#committer = committer;
  }

  /** Reads a key, in one call with others that are read in the same turn of the event loop. */
  read(key: CheckedKey): Promise<ValueOrAbsent> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  /**
   * Reads a key with its version.
   *
   * @returns the value, its version, and as `pointer` what the entry itself holds: for a large value, where its chunks
   *   are
   * @throws {Error} If a chunk of the value is missing in the store.
   */
  async readVersioned(
    key: readonly KeyPart[],
  ): Promise<{ value: ValueOrAbsent; versionstamp: string | null; pointer: ValueOrAbsent }> {
    let previous: string | null | undefined;
    for (;;) {
      const { value: entry, versionstamp } = await this.#kv.get(this.#committer.entryKey(key));
      const pointer = versionstamp === null ? ABSENT : fromEntry(entry);
      const value = await this.withChunks(pointer);
      if (value !== undefined) return { value, versionstamp, pointer };
      // The value was replaced between the two reads, so read again. If the entry is unchanged, a chunk is lost.
      if (versionstamp === previous) throw new Error(`A chunk of the value of ${showKey(key)} is missing in the store`);
      previous = versionstamp;
    }
  }

  /**
   * Reads the entries on disk whose keys begin with some parts, or are exactly these parts. Each entry is as it is when
   * this reader comes to it: what is committed meanwhile shows in some entries and not in others.
   */
  async *list(prefix: readonly KeyPart[]): AsyncGenerator<VersionedEntry, void, undefined> {
    if (prefix.length > 0) {
      const { value, versionstamp } = await this.readVersioned(prefix);
      const entry = versionedEntry(prefix, value, versionstamp);
      if (entry !== undefined) yield entry;
    }
    const listed = this.#kv.list<unknown>({ prefix: this.#committer.entryKey(prefix) }, { batchSize: 500 });
    for await (const { key, value, versionstamp } of listed) {
      const parts = key.slice(2) as KeyPart[];
      const whole = await this.withChunks(fromEntry(value));
      const again = whole === undefined ? await this.readVersioned(parts) : undefined;
      const entry = versionedEntry(parts, again?.value ?? whole!, again?.versionstamp ?? versionstamp);
      if (entry !== undefined) yield entry;
    }
  }

  /** Reads the chunks of a value, if it is large; undefined if the value was replaced meanwhile. */
  async withChunks(value: ValueOrAbsent): Promise<ValueOrAbsent | undefined> {
    if (value === ABSENT || value.chunks === undefined) return value;
    const data = await this.#committer.chunks.read(value.chunks);
    return data && { ...value, data, bytes: data.length } satisfies StoredValue;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < waiting.length; from += KEYS_PER_CALL) {
      void this.#readTogether(waiting.slice(from, from + KEYS_PER_CALL));
    }
  }

  async #readTogether(reads: readonly WaitingRead[]): Promise<void> {
    try {
      const entries = await this.#kv.getMany(reads.map(({ key }) => this.#committer.entryKey(key.parts)));
      await Promise.all(entries.map(async ({ value: entry, versionstamp }, n) => {
        const { key, resolve } = reads[n]!;
        const value = await this.withChunks(versionstamp === null ? ABSENT : fromEntry(entry));
        resolve(value ?? (await this.readVersioned(key.parts)).value);
      }));
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }
}

function versionedEntry(
  key: readonly KeyPart[],
  value: ValueOrAbsent,
  versionstamp: string | null,
): VersionedEntry | undefined {
  if (value === ABSENT || versionstamp === null || isExpired(value)) return undefined;
  return { id: idOf(key), key, stored: value, versionstamp };
}
