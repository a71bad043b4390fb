/**
 * An imitation of Deno KV in memory, for simulations: fast, without timers, and with control over each commit.
 *
 * @module
 */

import { serialize } from "node:v8";
import { encodeKey } from "./kv_key.ts";

/** The fate of a commit. */
export type CommitFate =
  /** It takes effect, unless a check fails. */
  | "made"
  /** It neither takes effect nor is answered, as if the program ended before. */
  | "never"
  /** It rejects; with `made`, it takes effect all the same. */
  | { readonly error: unknown; readonly made?: boolean };

/** A change that a commit makes. */
export interface Mutation {
  readonly key: Deno.KvKey;
  /** The value; undefined to delete. */
  readonly value: unknown;
}

/** The contents of a disk at one moment. */
export type Snapshot = ReadonlyMap<string, Entry>;

/** The options of a `MemoryKv`. */
export interface MemoryKvOptions {
  /** What is on the disk. @default {nothing} */
  readonly from?: Snapshot;
  /** Whether to refuse keys, values, commits and reads that are too large for Deno KV. @default {true} */
  readonly limits?: boolean;
  /**
   * Decides the fate of each commit, at once or with a promise. Commits that are decided meanwhile come first.
   *
   * @default {every commit takes effect, within microtasks}
   */
  readonly onCommit?: (mutations: readonly Mutation[]) => CommitFate | Promise<CommitFate>;
  /** Called when a commit has changed the disk, before it is answered. */
  readonly onMade?: (mutations: readonly Mutation[]) => void;
}

interface Entry {
  readonly key: Deno.KvKey;
  readonly value: unknown;
  readonly versionstamp: string;
  readonly expiresAt: number;
}

/**
 * A disk that can be opened as Deno KV. It has `get`, `getMany`, `set`, `delete`, `list`, `atomic` with checks, sets
 * and deletes, and `close`; keys have the order that they have in Deno KV. An entry with `expireIn` is gone when its
 * time is over according to `Date.now()`.
 */
export class MemoryKv {
  readonly #entries: Map<string, Entry>;
  /** The encoded keys, in order. */
  readonly #order: string[];
  readonly #limits: boolean;
  readonly #onCommit: MemoryKvOptions["onCommit"];
  readonly #onMade: MemoryKvOptions["onMade"];
  #version: number;
  #crashed = false;
  readonly #unanswered = Promise.withResolvers<never>();
  /** How many commits were begun. */
  commits = 0;

  constructor({ from = new Map(), limits = true, onCommit, onMade }: MemoryKvOptions = {}) {
    this.#entries = new Map(from);
    this.#order = [...from.keys()].sort();
    this.#unanswered.promise.catch(() => {});
    this.#limits = limits;
    this.#onCommit = onCommit;
    this.#onMade = onMade;
    let last = "0";
    for (const { versionstamp } of from.values()) if (versionstamp > last) last = versionstamp;
    this.#version = parseInt(last.slice(0, 16), 16);
  }

  /** The contents, with which another disk can begin. */
  snapshot(): Snapshot {
    return new Map(this.#entries);
  }

  /** The entries in order. */
  entries(): { readonly key: Deno.KvKey; readonly value: unknown }[] {
    return this.#order.map((encoded) => this.#entries.get(encoded)!);
  }

  /** From now on nothing changes, and no call is answered, not even those under way. */
  crash(): void {
    this.#crashed = true;
  }

  /** Crashes, and rejects every call that was not answered, so that the rest of the program ends. */
  crashAndReject(error: unknown): void {
    this.#crashed = true;
    this.#unanswered.reject(error);
  }

  /** Opens it, as `Deno.openKv()` does. Those who have it open see each other's commits. */
  open(): Deno.Kv {
    let closed = false;
    const ask = async <T>(answer: () => T): Promise<T> => {
      if (closed) throw new Deno.errors.BadResource("Bad resource ID");
      return this.#crashed ? await this.#unanswered.promise : await answer();
    };
    const commit = (checks: readonly Deno.AtomicCheck[], mutations: readonly (Mutation & { expireIn: number })[]) =>
      ask(() => this.#commit(checks, mutations));
    const kv = {
      get: (key: Deno.KvKey) => ask(() => this.#get(key)),
      getMany: (keys: readonly Deno.KvKey[]) =>
        ask(() => {
          this.#refuse(keys.length > 10, "Too many ranges (max 10)");
          return keys.map((key) => this.#get(key));
        }),
      set: (key: Deno.KvKey, value: unknown, { expireIn = Infinity } = {}) =>
        commit([], [{ key, value: this.#copyIn(value), expireIn }]),
      delete: async (key: Deno.KvKey) => void await commit([], [{ key, value: undefined, expireIn: Infinity }]),
      atomic: () => {
        const checks: Deno.AtomicCheck[] = [];
        const mutations: (Mutation & { expireIn: number })[] = [];
        const atomic = {
          check: (...some: Deno.AtomicCheck[]) => (checks.push(...some), atomic),
          set: (key: Deno.KvKey, value: unknown, { expireIn = Infinity } = {}) => {
            mutations.push({ key, value: this.#copyIn(value), expireIn });
            return atomic;
          },
          delete: (key: Deno.KvKey) => (mutations.push({ key, value: undefined, expireIn: Infinity }), atomic),
          commit: () => commit(checks, mutations),
        };
        return atomic;
      },
      list: (selector: Deno.KvListSelector, options?: Deno.KvListOptions) => this.#list(ask, selector, options),
      close: () => {
        if (closed) throw new Deno.errors.BadResource("Bad resource ID");
        closed = true;
      },
      [Symbol.dispose]: () => void (closed = true),
    };
    return kv as unknown as Deno.Kv;
  }

  #get(key: Deno.KvKey) {
    const encoded = encodeKey(key);
    this.#refuse(encoded.length > 2049, "Key too large for read (max 2049 bytes)");
    const entry = this.#alive(encoded);
    return entry === undefined ? { key, value: null, versionstamp: null } : copyOut(entry);
  }

  #alive(encoded: string): Entry | undefined {
    const entry = this.#entries.get(encoded);
    if (entry === undefined || entry.expiresAt > Date.now()) return entry;
    this.#put(encoded, undefined);
  }

  async #commit(checks: readonly Deno.AtomicCheck[], mutations: readonly (Mutation & { expireIn: number })[]) {
    const sizes = mutations.map(({ key, value }) => {
      if (key.length === 0) throw new TypeError("key cannot be empty");
      const [keyBytes, valueBytes] = [encodeKey(key).length, this.#limits ? sizeOf(value) : 0];
      this.#refuse(keyBytes > 2048, "Key too large for write (max 2048 bytes)");
      this.#refuse(valueBytes > 65_536, "Value too large (max 65536 bytes)");
      return { keyBytes, bytes: keyBytes + valueBytes };
    });
    this.#refuse(checks.length > 100, "Too many checks (max 100)");
    this.#refuse(mutations.length > 1000, "Too many mutations (max 1000)");
    this.#refuse(sizes.reduce((sum, { bytes }) => sum + bytes, 0) > 819_200, "Total mutation size too large");
    this.#refuse(sizes.reduce((sum, { keyBytes }) => sum + keyBytes, 0) > 81_920, "Total key size too large");
    this.commits++;
    const decided = this.#onCommit?.(mutations) ?? "made";
    const fate = typeof decided === "object" && "then" in decided ? await decided : decided;
    if (this.#crashed || fate === "never") return await this.#unanswered.promise;
    if (typeof fate === "object" && !fate.made) throw fate.error;
    const ok = checks.every(({ key, versionstamp }) =>
      (this.#alive(encodeKey(key))?.versionstamp ?? null) === versionstamp
    );
    if (!ok) return { ok: false };
    const versionstamp = (++this.#version).toString(16).padStart(16, "0") + "0000";
    for (const { key, value, expireIn } of mutations) {
      const entry = { key, value, versionstamp, expiresAt: Date.now() + expireIn };
      this.#put(encodeKey(key), value === undefined ? undefined : entry);
    }
    this.#onMade?.(mutations);
    if (this.#crashed) return await this.#unanswered.promise;
    if (typeof fate === "object") throw fate.error;
    return { ok: true, versionstamp };
  }

  #put(encoded: string, entry: Entry | undefined): void {
    const there = this.#entries.has(encoded);
    if (entry === undefined) {
      if (there) this.#order.splice(this.#find(encoded), 1);
      this.#entries.delete(encoded);
      return;
    }
    if (!there) this.#order.splice(this.#find(encoded), 0, encoded);
    this.#entries.set(encoded, entry);
  }

  /** Where a key is in the order, or would be. */
  #find(encoded: string): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#order[middle]! < encoded) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Lists in batches. Each batch sees the commits before it. */
  #list(
    ask: <T>(answer: () => T) => Promise<T>,
    selector: Deno.KvListSelector,
    { limit = Infinity, reverse = false, batchSize = Math.min(100, limit), cursor }: Deno.KvListOptions = {},
  ) {
    let [first, end] = rangeOf(selector);
    const batch: ReturnType<typeof copyOut>[] = [];
    let [left, last, done] = [limit, "", false];
    const from = (encoded: string) => reverse ? end = encoded : first = `${encoded}\0`;
    const shared = sharedStart(first, end);
    // Deno's cursor leaves out the bytes that both ends of the range share. If nothing is left, the list begins again.
    if (cursor) from(shared + atob(cursor));
    const read = () => {
      this.#refuse(batchSize > 1000, "Too many entries (max 1000)");
      let [low, high] = [this.#find(first), this.#find(end)];
      while (batch.length < Math.min(batchSize, left) && low < high) {
        const entry = this.#alive(this.#order[reverse ? --high : low]!);
        if (entry !== undefined) batch.push(copyOut(entry));
        // Expired entries are not in the order any more.
        if (!reverse) entry === undefined ? high-- : low++;
      }
      if (batch.length < batchSize) done = true;
      if (batch.length > 0) from(encodeKey(batch.at(-1)!.key));
      batch.reverse(); // the next one is taken from its end
    };
    const iterator = {
      get cursor() {
        if (last === "") throw new Error("Cannot get cursor before first iteration");
        return btoa(last.slice(shared.length));
      },
      async next() {
        if (batch.length === 0 && !done && left > 0) await ask(read);
        const value = left > 0 ? batch.pop() : undefined;
        if (value === undefined) return { value: undefined, done: true };
        left--;
        last = encodeKey(value.key);
        return { value, done: false };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #copyIn(value: unknown): unknown {
    if (value === undefined) throw new TypeError("the imitation takes no undefined");
    return copy(value);
  }

  #refuse(condition: boolean, message: string): void {
    if (condition && this.#limits) throw new TypeError(message);
  }
}

/** The first encoded key of a range, and the first that is behind it. */
function rangeOf(selector: Deno.KvListSelector): [first: string, end: string] {
  const { prefix, start, end } = selector as { prefix?: Deno.KvKey; start?: Deno.KvKey; end?: Deno.KvKey };
  const within = prefix && encodeKey(prefix);
  const [first, last] = [start && encodeKey(start), end && encodeKey(end)];
  if (within !== undefined) {
    if (first?.startsWith(within) === false) throw new TypeError("Start key is not in the keyspace defined by prefix");
    if (last?.startsWith(within) === false) throw new TypeError("End key is not in the keyspace defined by prefix");
  } else if (first! > last!) throw new TypeError("Start key is greater than end key");
  return [first ?? `${within}\0`, last ?? `${within}\xff`];
}

function copyOut({ key, value, versionstamp }: Entry) {
  return { key: key.map((part) => copy(part) as Deno.KvKeyPart), value: copy(value), versionstamp };
}

function copy(value: unknown): unknown {
  if (typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(`${String(value)} could not be cloned`);
  }
  if (typeof value !== "object" || value === null) return value;
  return value instanceof Uint8Array ? value.slice() : structuredClone(value);
}

function sizeOf(value: unknown): number {
  if (value === undefined) return 0;
  return typeof value === "number" || typeof value === "boolean" ? 10 : serialize(value).length;
}

function sharedStart(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return one.slice(0, length);
}
