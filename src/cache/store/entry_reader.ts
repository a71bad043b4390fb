/**
 * Reads that go to the disk, ten at a time: one by one they take four times as long.
 *
 * @module
 */

import type { Committer } from "./committer.ts";
import { type CheckedKey, idOf, type KeyPart, showKey } from "../cache_key.ts";
import { ABSENT, type ValueOrAbsent } from "../engine/remembered_entries.ts";
import type { RetryingKv } from "./retrying_kv.ts";
import type { Entry } from "../engine/scan.ts";
import { fromEntry, isExpired, type StoredValue } from "./stored_value.ts";

const AT_ONCE = 10;

interface Waiting {
  readonly key: CheckedKey;
  readonly resolve: (known: ValueOrAbsent) => void;
  readonly reject: (reason: unknown) => void;
}

/** An entry, and the version of the store that it was written with. */
export interface Versioned extends Entry {
  readonly id: string;
  readonly versionstamp: string;
}

/** Reads entries and the chunks they point at. */
export class EntryReader {
  readonly #kv: RetryingKv;
  readonly #committer: Committer;
  #waiting: Waiting[] = [];

  /** @param committer says where things lie */
  constructor(kv: RetryingKv, committer: Committer) {
    this.#kv = kv;
    this.#committer = committer;
  }

  /** Reads a key, together with others that are asked for now. */
  read(key: CheckedKey): Promise<ValueOrAbsent> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  /**
   * Reads a key with its version.
   *
   * @throws {Error} If a part of its value is missing in the store.
   */
  async readVersioned(
    key: readonly KeyPart[],
  ): Promise<{ known: ValueOrAbsent; versionstamp: string | null; pointer: ValueOrAbsent }> {
    let before: string | null | undefined;
    for (;;) {
      const { value, versionstamp } = await this.#kv.get(this.#committer.entryKey(key));
      const pointer = versionstamp === null ? ABSENT : fromEntry(value);
      const known = await this.resolve(pointer);
      if (known !== undefined) return { known, versionstamp, pointer };
      // Replaced meanwhile, and to be read again; unless it is still the same.
      if (versionstamp === before) throw new Error(`A part of the value of ${showKey(key)} is missing in the store`);
      before = versionstamp;
    }
  }

  /**
   * Walks over the entries on disk whose keys begin with some parts, or are those parts: each as it is when the walk
   * comes by, with its version. What is committed meanwhile is in some and not in others.
   */
  async *list(prefix: readonly KeyPart[]): AsyncGenerator<Versioned, void, undefined> {
    if (prefix.length > 0) {
      const { known, versionstamp } = await this.readVersioned(prefix);
      const own = versioned(prefix, known, versionstamp);
      if (own !== undefined) yield own;
    }
    const listed = this.#kv.list<unknown>({ prefix: this.#committer.entryKey(prefix) }, { batchSize: 500 });
    for await (const { key, value, versionstamp } of listed) {
      const parts = key.slice(2) as KeyPart[];
      const known = await this.resolve(fromEntry(value));
      const now = known === undefined ? await this.readVersioned(parts) : undefined;
      const found = versioned(parts, now?.known ?? known!, now?.versionstamp ?? versionstamp);
      if (found !== undefined) yield found;
    }
  }

  /** Adds the bytes from the chunks; undefined when the value was replaced meanwhile. */
  async resolve(known: ValueOrAbsent): Promise<ValueOrAbsent | undefined> {
    if (known === ABSENT || known.chunks === undefined) return known;
    const data = await this.#committer.chunks.read(known.chunks);
    return data && { ...known, data, bytes: data.length } satisfies StoredValue;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < waiting.length; from += AT_ONCE) void this.#readSome(waiting.slice(from, from + AT_ONCE));
  }

  async #readSome(some: readonly Waiting[]): Promise<void> {
    try {
      const entries = await this.#kv.getMany(some.map(({ key }) => this.#committer.entryKey(key.parts)));
      await Promise.all(entries.map(async ({ value, versionstamp }, n) => {
        const { key, resolve } = some[n]!;
        const known = await this.resolve(versionstamp === null ? ABSENT : fromEntry(value));
        resolve(known ?? (await this.readVersioned(key.parts)).known);
      }));
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }
}

function versioned(key: readonly KeyPart[], known: ValueOrAbsent, versionstamp: string | null): Versioned | undefined {
  if (known === ABSENT || versionstamp === null || isExpired(known)) return undefined;
  return { id: idOf(key), key, stored: known, versionstamp };
}
