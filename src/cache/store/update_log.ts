/**
 * The last updates of a Cache, numbered, in the same atomics as the values.
 *
 * @module
 */

import type { Write } from "./write.ts";
import type { KeyPart } from "../cache_key.ts";
import type { RetryingKv } from "./retrying_kv.ts";
import { fromEntry, type StoredValue, toEntry } from "./stored_value.ts";

/** How large a value may be that is kept twice: a key stands beside it, in an entry of 65,536 bytes. */
const WHOLE_BYTES = 60_000;

/** An update as it is read again. */
export interface LoggedUpdate {
  readonly sequence: number;
  readonly key: readonly KeyPart[];
  /** The value; undefined when the key was deleted, `"large"` when it is too large to be kept twice. */
  readonly stored: StoredValue | undefined | "large";
  /** The version of the store that it made. */
  readonly versionstamp: string;
}

/** Which updates the log holds. */
export interface LogState {
  /** The log's identity: a store that is wiped, another file and another prefix have another. Empty before the first. */
  readonly id: string;
  /** The number of the oldest update that is kept; one more than the last when none is. */
  readonly first: number;
  /** The number of the last update; 0 when there was none. */
  readonly last: number;
  /** The version of the store at the last update. */
  readonly versionstamp: string | null;
}

/** How many updates are removed in one atomic. */
const TRIMMED_AT_ONCE = 500;
const NONE: LogState = { id: "", first: 1, last: 0, versionstamp: null };

/** Reads and writes the log. */
export class UpdateLog {
  readonly #kv: RetryingKv;
  readonly #prefix: string;
  readonly #limit: number;
  readonly #shared: boolean;
  /** As this process knows it; others may have written to a shared store since. */
  #known = NONE;
  #doubtful = false;

  /** @param limit how many updates are kept */
  constructor(kv: RetryingKv, prefix: string, limit: number, shared: boolean) {
    this.#kv = kv;
    this.#prefix = prefix;
    this.#limit = limit;
    this.#shared = shared;
  }

  /** Finds where it ends, or begins it; removes what is more than the limit, and what a log without a state has left. */
  async open(): Promise<void> {
    for (;;) {
      const state = this.#known = await this.stored();
      const first = Math.min(state.last - this.#limit + 1, state.first + TRIMMED_AT_ONCE);
      if (state.id !== "" && first <= state.first) return;
      // Another process may be first; then once more.
      const atomic = this.#kv.atomic().check({ key: this.#stateKey, versionstamp: state.versionstamp });
      if (state.id === "") {
        const left = this.#kv.list({ prefix: [this.#prefix, "u"] }, { limit: TRIMMED_AT_ONCE });
        const keys = (await Array.fromAsync(left)).map(({ key }) => key);
        for (const key of keys) atomic.delete(key);
        if (keys.length < TRIMMED_AT_ONCE) atomic.set(this.#stateKey, [newId(), 1, 0]);
      } else {
        for (let sequence = state.first; sequence < first; sequence++) atomic.delete(this.#key(sequence));
        atomic.set(this.#stateKey, [state.id, first, state.last]);
      }
      await atomic.commit();
    }
  }

  /** Which updates there are; asks the store when others write to it, or a commit may have been made. */
  async state(): Promise<LogState> {
    if (!this.#shared && !this.#doubtful) return this.#known;
    const state = await this.stored();
    // A commit may have been made while it was read.
    if (state.last >= this.#known.last) this.#known = state;
    return state;
  }

  /** As `UpdateLog.state`, for who adds to it next: in a store that is not shared, one at a time. */
  async next(): Promise<LogState> {
    const state = await this.state();
    this.#doubtful = false;
    return state;
  }

  /** Which updates there are in the store. */
  async stored(): Promise<LogState> {
    const { value, versionstamp } = await this.#kv.get<[string, number, number]>(this.#stateKey);
    if (value === null) return NONE;
    const [id, first, last] = value;
    return { id, first, last, versionstamp };
  }

  /** Notes that a commit has failed, and may have been made all the same. */
  doubt(): void {
    this.#doubtful = true;
  }

  /**
   * Adds updates to an atomic, and takes out what is over the limit: one for each at most, as room is made for.
   *
   * @returns what the log is when the atomic is committed
   */
  append(atomic: Deno.AtomicOperation, updates: readonly Write[], state: LogState): LogState {
    let { id, first, last } = state;
    // The store was wiped while it was open.
    if (id === "") id = newId();
    for (const { key, stored } of updates) {
      last++;
      const value = stored === undefined ? [key, 0] : stored.bytes > WHOLE_BYTES ? [key, 2] : [key, 1, toEntry(stored)];
      atomic.set(this.#key(last), value);
      if (last - first >= this.#limit) atomic.delete(this.#key(first++));
    }
    if (this.#shared) atomic.check({ key: this.#stateKey, versionstamp: state.versionstamp });
    atomic.set(this.#stateKey, [id, first, last]);
    return { id, first, last, versionstamp: null };
  }

  /** Notes what the log is, now that an atomic is committed. */
  committed(state: LogState): void {
    if (!this.#shared) this.#known = state;
  }

  /** Reads some updates on from a number; fewer when the log ends, or has lost the first. */
  async read(from: number, limit: number): Promise<LoggedUpdate[]> {
    const found: LoggedUpdate[] = [];
    const range = { prefix: [this.#prefix, "u"], start: this.#key(from) };
    for await (const { key, value, versionstamp } of this.#kv.list<[KeyPart[], number, unknown]>(range, { limit })) {
      const [at, kind, entry] = value;
      found.push({
        sequence: key[2] as number,
        key: at,
        stored: kind === 0 ? undefined : kind === 2 ? "large" : fromEntry(entry),
        versionstamp,
      });
    }
    return found;
  }

  get #stateKey(): Deno.KvKey {
    return [this.#prefix, "s"];
  }

  #key(sequence: number): Deno.KvKey {
    return [this.#prefix, "u", sequence];
  }
}

function newId(): string {
  return crypto.randomUUID().slice(0, 8);
}
