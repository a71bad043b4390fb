/**
 * The log of updates: the last updates of a Cache, numbered, each committed together with its value.
 *
 * @module
 */

import type { Write } from "./write.ts";
import type { KeyPart } from "../cache_key.ts";
import type { RetryingKv } from "./retrying_kv.ts";
import { fromEntry, type StoredValue, toEntry } from "./stored_value.ts";

/** Up to this size, the log holds a copy of the value. Its entry of at most 65,536 bytes also holds the key. */
const MAX_COPIED_BYTES = 60_000;

/** An update in the log. */
export interface LoggedUpdate {
  readonly sequence: number;
  readonly key: readonly KeyPart[];
  /** The value; undefined if the key was removed, `"large"` if the value is too large for the log. */
  readonly stored: StoredValue | undefined | "large";
  /** The version of the store that the update was committed with. */
  readonly versionstamp: string;
}

/** The state of the log. */
export interface LogState {
  /**
   * Identifies the log: a wiped store, another file and another prefix have other logs. Empty if there is no log yet.
   */
  readonly id: string;
  /** The number of the oldest update that the log holds; `last + 1` if it holds none. */
  readonly first: number;
  /** The number of the last update; 0 before the first. */
  readonly last: number;
  /** The version of the entry that holds this state; null if there is none. */
  readonly versionstamp: string | null;
}

/** How many updates to remove in one atomic. */
const REMOVED_PER_ATOMIC = 500;
const NO_LOG: LogState = { id: "", first: 1, last: 0, versionstamp: null };

/** Appends updates to the log and reads them. */
export class UpdateLog {
  readonly #kv: RetryingKv;
  readonly #prefix: string;
  readonly #limit: number;
  readonly #shared: boolean;
  /** The state after the last commit of this process. In a shared store, others may have appended since. */
  #known = NO_LOG;
  /** Whether a commit has failed that may have taken effect all the same, so that `#known` may be wrong. */
  #isUncertain = false;

  /** @param limit how many updates the log keeps */
  constructor(kv: RetryingKv, prefix: string, limit: number, shared: boolean) {
    this.#kv = kv;
    this.#prefix = prefix;
    this.#limit = limit;
    this.#shared = shared;
  }

  /** Reads the state, or makes a new log. Removes updates above the limit, and those of a log whose state is gone. */
  async open(): Promise<void> {
    for (;;) {
      const state = this.#known = await this.readState();
      const first = Math.min(state.last - this.#limit + 1, state.first + REMOVED_PER_ATOMIC);
      if (state.id !== "" && first <= state.first) return;
      // If another process changes the state first, the check fails, and the loop reads it again.
      const atomic = this.#kv.atomic().check({ key: this.#stateKey, versionstamp: state.versionstamp });
      if (state.id === "") {
        const leftover = this.#kv.list({ prefix: [this.#prefix, "u"] }, { limit: REMOVED_PER_ATOMIC });
        const keys = (await Array.fromAsync(leftover)).map(({ key }) => key);
        for (const key of keys) atomic.delete(key);
        if (keys.length < REMOVED_PER_ATOMIC) atomic.set(this.#stateKey, [newId(), 1, 0]);
      } else {
        for (let sequence = state.first; sequence < first; sequence++) atomic.delete(this.#key(sequence));
        atomic.set(this.#stateKey, [state.id, first, state.last]);
      }
      await atomic.commit();
    }
  }

  /** The state: from the store if other processes write to it or a failed commit may have taken effect. */
  async state(): Promise<LogState> {
    if (!this.#shared && !this.#isUncertain) return this.#known;
    const state = await this.readState();
    // A commit that ended while the state was read has set a later one.
    if (state.last >= this.#known.last) this.#known = state;
    return state;
  }

  /** The state, for the commit that appends to the log. In a store that is not shared, commits come one at a time. */
  async stateForAppend(): Promise<LogState> {
    const state = await this.state();
    this.#isUncertain = false;
    return state;
  }

  /** Reads the state from the store. */
  async readState(): Promise<LogState> {
    const { value, versionstamp } = await this.#kv.get<[string, number, number]>(this.#stateKey);
    if (value === null) return NO_LOG;
    const [id, first, last] = value;
    return { id, first, last, versionstamp };
  }

  /** Notes that a commit has failed, which may have taken effect all the same. */
  commitFailed(): void {
    this.#isUncertain = true;
  }

  /**
   * Adds updates to an atomic, and removes the oldest ones above the limit: at most one for each that is added, as
   * `GroupCommit` counts.
   *
   * @param state what `stateForAppend()` has returned
   * @returns the state of the log once the atomic is committed
   */
  append(atomic: Deno.AtomicOperation, updates: readonly Write[], state: LogState): LogState {
    let { id, first, last } = state;
    // The store was wiped while it was open: a new log begins.
    if (id === "") id = newId();
    for (const { key, stored } of updates) {
      last++;
      const value = stored === undefined
        ? [key, 0]
        : stored.bytes > MAX_COPIED_BYTES
        ? [key, 2]
        : [key, 1, toEntry(stored)];
      atomic.set(this.#key(last), value);
      if (last - first >= this.#limit) atomic.delete(this.#key(first++));
    }
    if (this.#shared) atomic.check({ key: this.#stateKey, versionstamp: state.versionstamp });
    atomic.set(this.#stateKey, [id, first, last]);
    return { id, first, last, versionstamp: null };
  }

  /** Notes the state that a commit has made. */
  committed(state: LogState): void {
    if (!this.#shared) this.#known = state;
  }

  /** Reads up to `limit` updates, from a number on. Begins later if the log no longer holds that number. */
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
