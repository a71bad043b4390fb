/**
 * The entries that a Cache keeps in memory, up to a number of bytes. While they are all entries, reads need no disk.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import { ABSENT, type ValueOrAbsent } from "../store/stored_value.ts";
import { type Keyed, SortedByKey } from "./sorted_by_key.ts";

/** A key with its value, or with the knowledge that it does not exist. */
interface RememberedEntry extends Keyed {
  readonly id: string;
  value: ValueOrAbsent;
  bytes: number;
  /** Whether it was read or written since it last came to the back of the eviction order. */
  used: boolean;
}

/** About how many bytes an entry takes beside its key and value. */
const ENTRY_BYTES = 200;

/** Entries by id. When they take too many bytes, those not used for longest are evicted. */
export class RememberedEntries {
  readonly #entries = new Map<string, RememberedEntry>();
  readonly #limitBytes: number;
  #bytes = 0;
  #complete = false;
  #evictions = 0;
  /** Made when it is first needed; kept while the entries are complete. */
  #sorted: SortedByKey<RememberedEntry> | undefined;

  /** @param limitBytes how many bytes the entries may take together */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** About how many bytes the entries take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether these are all entries of the Cache: a key that is not here does not exist. */
  get complete(): boolean {
    return this.#complete;
  }

  /** How often an entry was evicted or did not fit. */
  get evictions(): number {
    return this.#evictions;
  }

  /**
   * Declares the entries complete, after a reader has added everything that is on disk.
   *
   * @param evictions what `evictions` was when the reader began; if it has grown, the entries are not complete
   */
  markComplete(evictions: number): void {
    this.#complete = evictions === this.#evictions;
  }

  /** The value of a key, or `ABSENT`; undefined if this key is not remembered. */
  get(id: string): ValueOrAbsent | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return this.#complete ? ABSENT : undefined;
    entry.used = true;
    return entry.value;
  }

  /** Remembers the value of a key, and evicts others if there is no room. */
  set(id: string, key: readonly KeyPart[], value: ValueOrAbsent): void {
    const entry = this.#entries.get(id);
    if (value === ABSENT && this.#complete) {
      if (entry !== undefined) this.#remove(entry);
      return;
    }
    const bytes = bytesOf(id, value);
    // One large value would evict all others.
    if (bytes > this.#limitBytes / 4) return this.delete(id);
    if (entry === undefined) this.#insert({ id, key, value, bytes, used: false });
    else {
      this.#bytes += bytes - entry.bytes;
      entry.value = value;
      entry.bytes = bytes;
      entry.used = true;
    }
    if (this.#bytes > this.#limitBytes) this.#makeRoom();
  }

  /** Remembers a value read from disk, unless the key is remembered already or there is no room. */
  addIfRoom(id: string, key: readonly KeyPart[], value: ValueOrAbsent): void {
    if (this.#entries.has(id)) return;
    const bytes = bytesOf(id, value);
    if (bytes > this.#limitBytes / 4 || this.#bytes + bytes > this.#limitBytes) this.#evictions++;
    else this.#insert({ id, key, value, bytes, used: false });
  }

  /** Evicts a key. */
  delete(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#remove(entry);
    this.#onEviction();
  }

  /** The entries in the order of their keys. Only while `complete`. */
  get sorted(): SortedByKey<RememberedEntry> {
    if (!this.#complete) throw new Error("Only complete entries are sorted");
    for (const entry of this.#sorted === undefined ? this.#entries.values() : []) {
      if (entry.value === ABSENT) this.#remove(entry);
    }
    return this.#sorted ??= new SortedByKey([...this.#entries.values()]);
  }

  #insert(entry: RememberedEntry): void {
    this.#entries.set(entry.id, entry);
    this.#bytes += entry.bytes;
    this.#sorted?.add(entry);
  }

  #remove(entry: RememberedEntry): void {
    this.#entries.delete(entry.id);
    this.#bytes -= entry.bytes;
    this.#sorted?.remove(entry);
  }

  #onEviction(): void {
    this.#evictions++;
    this.#complete = false;
    this.#sorted = undefined;
  }

  #makeRoom(): void {
    this.#onEviction();
    // Second-chance eviction: an entry that was used goes to the back of the order once, instead of being evicted.
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#limitBytes) break;
      this.#entries.delete(oldest);
      if (entry.used) {
        entry.used = false;
        this.#entries.set(oldest, entry);
      } else this.#bytes -= entry.bytes;
    }
  }
}

function bytesOf(id: string, value: ValueOrAbsent): number {
  return ENTRY_BYTES + 2 * id.length + (value === ABSENT ? 0 : value.bytes);
}
