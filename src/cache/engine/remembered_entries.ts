/**
 * What a Cache has read or written lately, within a number of bytes; when that is all there is, no one asks the disk.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import { type Ordered, SortedByKey } from "./sorted_by_key.ts";
import type { StoredValue } from "../store/stored_value.ts";

/** Says that a key is known not to be there. */
export const ABSENT: unique symbol = Symbol("absent") as never;

/** A value, or the knowledge that there is none. */
export type ValueOrAbsent = StoredValue | typeof ABSENT;

/** A key and what is known of it. */
export interface Remembered extends Ordered {
  readonly id: string;
  known: ValueOrAbsent;
  bytes: number;
  used: boolean;
}

/** What an entry costs beside its key and value, about. */
const ENTRY_BYTES = 200;

/** Entries by id, of which those not used for long give way first. */
export class RememberedEntries {
  readonly #entries = new Map<string, Remembered>();
  readonly #limit: number;
  #bytes = 0;
  #complete = false;
  #forgotten = 0;
  /** Made when it is first asked for, while everything is here. */
  #order: SortedByKey<Remembered> | undefined;

  /** @param limit how many bytes the entries may take together */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** About how many bytes it holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether what is not here is not on disk either. */
  get complete(): boolean {
    return this.#complete;
  }

  /** How often something was forgotten. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /**
   * Says that everything on disk is here, as someone has seen to who began when so much was forgotten: if more is by
   * now, it is not.
   */
  markComplete(forgotten: number): void {
    this.#complete = forgotten === this.#forgotten;
  }

  /** What is known of a key; undefined when nothing is. */
  get(id: string): ValueOrAbsent | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return this.#complete ? ABSENT : undefined;
    entry.used = true;
    return entry.known;
  }

  /** Remembers, and forgets others as it must. */
  set(id: string, key: readonly KeyPart[], known: ValueOrAbsent): void {
    const entry = this.#entries.get(id);
    if (known === ABSENT && this.#complete) {
      if (entry !== undefined) this.#drop(entry);
      return;
    }
    const bytes = bytesOf(id, known);
    // One value may not drive out all the others.
    if (bytes > this.#limit / 4) return this.delete(id);
    if (entry === undefined) this.#insert({ id, key, known, bytes, used: false });
    else {
      this.#bytes += bytes - entry.bytes;
      entry.known = known;
      entry.bytes = bytes;
      entry.used = true;
    }
    if (this.#bytes > this.#limit) this.#makeRoom();
  }

  /** Remembers what someone came by, if it is new and there is room. */
  offer(id: string, key: readonly KeyPart[], known: ValueOrAbsent): void {
    if (this.#entries.has(id)) return;
    const bytes = bytesOf(id, known);
    if (bytes > this.#limit / 4 || this.#bytes + bytes > this.#limit) this.#forgotten++;
    else this.#insert({ id, key, known, bytes, used: false });
  }

  /** Forgets a key. */
  delete(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#drop(entry);
    this.#forget();
  }

  /** The keys in order, while everything is here. */
  get order(): SortedByKey<Remembered> {
    if (!this.#complete) throw new Error("What is not complete has no order");
    for (const entry of this.#order === undefined ? this.#entries.values() : []) {
      if (entry.known === ABSENT) this.#drop(entry);
    }
    return this.#order ??= new SortedByKey([...this.#entries.values()]);
  }

  #insert(entry: Remembered): void {
    this.#entries.set(entry.id, entry);
    this.#bytes += entry.bytes;
    this.#order?.add(entry);
  }

  #drop(entry: Remembered): void {
    this.#entries.delete(entry.id);
    this.#bytes -= entry.bytes;
    this.#order?.remove(entry);
  }

  #forget(): void {
    this.#forgotten++;
    this.#complete = false;
    this.#order = undefined;
  }

  #makeRoom(): void {
    this.#forget();
    // The second chance: what was used since it came to the front goes to the back, once.
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#limit) break;
      this.#entries.delete(oldest);
      if (entry.used) {
        entry.used = false;
        this.#entries.set(oldest, entry);
      } else this.#bytes -= entry.bytes;
    }
  }
}

function bytesOf(id: string, known: ValueOrAbsent): number {
  return ENTRY_BYTES + 2 * id.length + (known === ABSENT ? 0 : known.bytes);
}
