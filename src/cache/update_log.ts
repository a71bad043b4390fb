/**
 * The last updates of a Cache, numbered, in the same atomics as the values.
 *
 * @module
 */

import type { Write } from "./write.ts";
import type { KeyPart } from "./key.ts";
import type { PatientKv } from "./patient_kv.ts";
import { fromEntry, type Stored, toEntry } from "./value.ts";

/** How large a value may be that is kept twice: a key stands beside it, in an entry of 65,536 bytes. */
const WHOLE_BYTES = 60_000;

/** An update as it is read again. */
export interface Logged {
  readonly sequence: number;
  readonly key: readonly KeyPart[];
  /** The value; undefined when the key was deleted, `"large"` when it is too large to be kept twice. */
  readonly stored: Stored | undefined | "large";
}

/** What the next update is numbered after. */
export interface Last {
  readonly sequence: number;
  readonly versionstamp: string | null;
}

/** Reads and writes the log. */
export class UpdateLog {
  readonly #kv: PatientKv;
  readonly #prefix: string;
  readonly #limit: number;
  readonly #shared: boolean;
  #sequence = 0;
  #doubtful = false;

  /** @param limit how many updates are kept */
  constructor(kv: PatientKv, prefix: string, limit: number, shared: boolean) {
    this.#kv = kv;
    this.#prefix = prefix;
    this.#limit = limit;
    this.#shared = shared;
  }

  /** Finds where it ends, and drops what is more than the limit. */
  async open(): Promise<void> {
    const { sequence } = await this.#read();
    this.#sequence = sequence;
    const old = { start: this.#key(0), end: this.#key(Math.max(0, sequence - this.#limit + 1)) };
    let atomic = this.#kv.atomic();
    let count = 0;
    for await (const { key } of this.#kv.list(old)) {
      atomic.delete(key);
      if (++count % 500 === 0) {
        await atomic.commit();
        atomic = this.#kv.atomic();
      }
    }
    if (count % 500 !== 0) await atomic.commit();
  }

  /** The number of the last update that this process knows of. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The number of the last update; asks the store when others write to it, or a commit may have been made. */
  async last(): Promise<Last> {
    if (!this.#shared && !this.#doubtful) return { sequence: this.#sequence, versionstamp: null };
    const last = await this.#read();
    this.#doubtful = false;
    this.committed(last.sequence);
    return last;
  }

  /** Notes that a commit has failed, and may have been made all the same. */
  doubt(): void {
    this.#doubtful = true;
  }

  /** Adds updates to an atomic, and takes out what is over the limit. */
  append(atomic: Deno.AtomicOperation, updates: readonly Write[], last: Last): void {
    let { sequence } = last;
    for (const { key, stored } of updates) {
      sequence++;
      const value = stored === undefined ? [key, 0] : stored.bytes > WHOLE_BYTES ? [key, 2] : [key, 1, toEntry(stored)];
      atomic.set(this.#key(sequence), value);
      if (sequence > this.#limit) atomic.delete(this.#key(sequence - this.#limit));
    }
    if (this.#shared) atomic.check({ key: this.#counter, versionstamp: last.versionstamp });
    atomic.set(this.#counter, sequence);
  }

  /** Notes that updates up to a number are on disk. */
  committed(sequence: number): void {
    this.#sequence = Math.max(this.#sequence, sequence);
  }

  /** Reads some updates on from a number; fewer when the log ends, or has lost the first. */
  async read(from: number, limit: number): Promise<Logged[]> {
    const found: Logged[] = [];
    const range = { prefix: [this.#prefix, "u"], start: this.#key(from) };
    for await (const { key, value } of this.#kv.list<[KeyPart[], number, unknown]>(range, { limit })) {
      const [at, kind, entry] = value;
      found.push({
        sequence: key[2] as number,
        key: at,
        stored: kind === 0 ? undefined : kind === 2 ? "large" : fromEntry(entry),
      });
    }
    return found;
  }

  async #read(): Promise<Last> {
    const { value, versionstamp } = await this.#kv.get<number>(this.#counter);
    return { sequence: value ?? 0, versionstamp };
  }

  get #counter(): Deno.KvKey {
    return [this.#prefix, "s"];
  }

  #key(sequence: number): Deno.KvKey {
    return [this.#prefix, "u", sequence];
  }
}
