/**
 * What a Cache has read or written lately, within a number of bytes.
 *
 * @module
 */

import type { Stored } from "./value.ts";

/** Says that a key is known not to be there. */
export const ABSENT: unique symbol = Symbol("absent") as never;

/** A value, or the knowledge that there is none. */
export type Known = Stored | typeof ABSENT;

interface Slot {
  known: Known;
  readonly bytes: number;
  used: boolean;
}

/** What an entry costs beside its key and value, about. */
const ENTRY_BYTES = 150;

/** Entries by id, of which those not used for long give way first. */
export class Memory {
  readonly #slots = new Map<string, Slot>();
  readonly #limit: number;
  #bytes = 0;

  /** @param limit how many bytes the entries may take together */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** About how many bytes it holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What is known of a key; undefined when nothing is. */
  get(id: string): Known | undefined {
    const slot = this.#slots.get(id);
    if (slot === undefined) return undefined;
    slot.used = true;
    return slot.known;
  }

  /** Remembers, and forgets others as it must. */
  set(id: string, known: Known): void {
    this.delete(id);
    const bytes = ENTRY_BYTES + 2 * id.length + (known === ABSENT ? 0 : known.bytes);
    // One value may not drive out all the others.
    if (bytes > this.#limit / 4) return;
    this.#slots.set(id, { known, bytes, used: false });
    this.#bytes += bytes;
    // The second chance: what was used since it came to the front goes to the back, once.
    for (const [oldest, slot] of this.#slots) {
      if (this.#bytes <= this.#limit) break;
      this.#slots.delete(oldest);
      if (slot.used) {
        slot.used = false;
        this.#slots.set(oldest, slot);
      } else this.#bytes -= slot.bytes;
    }
  }

  /** Forgets a key. */
  delete(id: string): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    this.#slots.delete(id);
    this.#bytes -= slot.bytes;
  }
}
