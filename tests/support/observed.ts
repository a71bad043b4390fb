/**
 * A Cache whose disk is compared after each commit with the accepted writes: it must show a prefix of them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Cache } from "../../src/cache/cache.ts";
import { type CacheOptions, checkOptions } from "../../src/cache/cache_options.ts";
import type { Engine } from "../../src/cache/engine/engine.ts";
import { openEngine } from "../../src/cache/engine/open_engine.ts";
import type { Group } from "../../src/cache/engine/group_commit.ts";
import { idOf, type KeyPart } from "../../src/cache/cache_key.ts";
import { registerStore } from "./registered_store.ts";
import { decode, fromEntry } from "../../src/cache/store/stored_value.ts";
import type { Write } from "../../src/cache/store/write.ts";
import { type CommitFate, MemoryKv, type Mutation, type Snapshot } from "./memory_kv.ts";

/** Each write of a program has a value of its own: a number, or bytes that begin with that number. */
export type Value = number | Uint8Array;

/** The bytes of a large value. */
export function large(n: number): Uint8Array {
  const value = new Uint8Array(70_000);
  new DataView(value.buffer).setUint32(0, n);
  return value;
}

/** The number of a value. */
export function numberOf(value: unknown): number {
  return value instanceof Uint8Array ? new DataView(value.buffer, value.byteOffset).getUint32(0) : value as number;
}

interface Accepted {
  readonly writes: readonly (readonly [id: string, n: number | undefined])[];
  readonly group: Group;
}

let stores = 0;

/** A Cache, its disk, and the accepted writes in order. */
export class Observed implements AsyncDisposable {
  readonly cache: Cache<Value>;
  readonly engine: Engine;
  readonly disk: MemoryKv;
  /** The accepted writes, in order. */
  readonly accepted: Accepted[] = [];
  /** The first violation that was found. */
  violation: string | undefined;
  readonly #store: Disposable;
  readonly #release: () => Promise<void>;
  readonly #onDisk: Map<string, number>;
  readonly #chunks: Map<string, Uint8Array>;
  /** The state after the first `#applied` accepted writes. */
  readonly #state: Map<string, number>;
  #applied = 0;
  readonly #tookEffect = new Set<Group>();
  readonly #ended = new Map<number, number>();
  /** Transactions of a shared store that are committing, by their number, and how many writes were accepted before. */
  readonly #transactions = new Map<number, { readonly writes: readonly Write[]; readonly after: number }>();

  private constructor(
    parts: { cache: Cache<Value>; engine: Engine; disk: MemoryKv; store: Disposable; release: () => Promise<void> },
    observing: { onMade: (mutations: readonly Mutation[]) => void },
  ) {
    ({ cache: this.cache, engine: this.engine, disk: this.disk, store: this.#store, release: this.#release } = parts);
    [this.#onDisk, this.#chunks] = [new Map(), new Map()];
    this.#read(this.disk.entries());
    this.#state = new Map(this.#onDisk);
    observing.onMade = (mutations) => this.#checkDisk(mutations);
    const write = this.engine.write.bind(this.engine);
    this.engine.write = (writes, updates) => {
      const group = write(writes, updates);
      this.accepted.push({
        writes: writes.map((some) => [some.id, some.stored && numberOf(decode(some.stored))]),
        group,
      });
      return group;
    };
    const commit = this.engine.committer.commit.bind(this.engine.committer);
    this.engine.committer.commit = (writes, updates, checks) => {
      if (checks !== undefined && writes[0]?.stored !== undefined) {
        const n = numberOf(decode(writes[0].stored));
        this.#transactions.set(n, { writes, after: this.#ended.get(n)! });
      }
      return commit(writes, updates, checks);
    };
  }

  /** Opens a Cache on a disk. */
  static async open(
    options: CacheOptions,
    onCommit: (mutations: readonly Mutation[]) => CommitFate | Promise<CommitFate>,
    from?: Snapshot,
  ): Promise<Observed> {
    const observing = { onMade: (_: readonly Mutation[]) => {} };
    const disk = new MemoryKv({ ...(from && { from }), onCommit, onMade: (mutations) => observing.onMade(mutations) });
    const store = registerStore(`observed-${stores++}`, () => disk.open());
    const { engine, release } = await openEngine(store.path, checkOptions(store.path, options));
    return new Observed({ cache: new Cache(store.path, options), engine, disk, store, release }, observing);
  }

  /** How many of the accepted writes may be on disk: some of the last may leave the same state as those before. */
  get onDisk(): number {
    let most = this.#applied;
    const state = new Map(this.#state);
    for (let at = this.#applied; at < this.accepted.length; at++) {
      this.#apply(state, this.accepted[at]!);
      if (this.#isOnDisk(state)) most = at + 1;
    }
    return most;
  }

  /** Whether a group has failed, and its commit did not take effect. */
  isLost(group: Group): boolean {
    return group.state === "failed" && !this.#tookEffect.has(group);
  }

  /** Notes that the function of a transaction that writes `n` has ended: writes accepted by now come before it. */
  functionEnded(n: number): number {
    this.#ended.set(n, this.accepted.length);
    return n;
  }

  /** Whether a transaction of a shared store is committing, or has failed. */
  isCommitting(n: number): boolean {
    return this.#transactions.has(n);
  }

  /** What is on disk, by id. */
  state(): ReadonlyMap<string, number> {
    return this.#onDisk;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.cache.close(), this.#release()]);
    this.#store[Symbol.dispose]();
  }

  /** Makes the program crash; returns the contents of the disk. */
  crash(): Snapshot {
    this.disk.crashAndReject(new Error("crashed"));
    this.#store[Symbol.dispose]();
    return this.disk.snapshot();
  }

  /** Checks the disk after a commit. */
  #checkDisk(mutations: readonly Mutation[]): void {
    if (!this.#read(mutations)) return;
    const written = new Set(mutations.map(({ key, value }) => key[1] === "v" ? value : undefined));
    for (const [n, { writes, after }] of this.#transactions) {
      if (!written.has(n)) continue;
      this.#transactions.delete(n);
      while (this.#applied < after) this.#apply(this.#state, this.accepted[this.#applied++]!);
      for (const { id, stored } of writes) put(this.#state, id, stored && numberOf(decode(stored)));
      if (!this.#isOnDisk(this.#state)) {
        this.violation ??= `transaction ${n} is on disk before what was accepted before it`;
      }
      return;
    }
    // Several prefixes may leave the same state, because removing a missing key changes nothing. Take the longest one
    // that ends with the group that is committing.
    let end = this.#applied;
    const state = new Map(this.#state);
    for (let at = this.#applied; at < this.accepted.length; at++) {
      const { group } = this.accepted[at]!;
      if (group.state === "committing") this.#tookEffect.add(group);
      this.#apply(state, this.accepted[at]!);
      if (this.#isOnDisk(state) && (end === this.#applied || group.state === "committing")) end = at + 1;
    }
    while (this.#applied < end) this.#apply(this.#state, this.accepted[this.#applied++]!);
    if (!this.#isOnDisk(this.#state)) {
      this.violation ??= `the disk shows no prefix of ${this.accepted.length} accepted writes`;
    }
  }

  #apply(state: Map<string, number>, { writes, group }: Accepted): void {
    if (this.isLost(group)) return;
    for (const [id, n] of writes) put(state, id, n);
  }

  #isOnDisk(state: ReadonlyMap<string, number>): boolean {
    if (state.size !== this.#onDisk.size) return false;
    for (const [id, n] of state) if (this.#onDisk.get(id) !== n) return false;
    return true;
  }

  /** Applies changes of the disk; returns whether entries have changed. */
  #read(mutations: readonly Mutation[]): boolean {
    let changed = false;
    for (const { key, value } of mutations) {
      if (key[1] === "c") {
        if (value !== undefined) this.#chunks.set(key.slice(2).join(), value as Uint8Array);
        else this.#chunks.delete(key.slice(2).join());
      } else if (key[1] === "v") {
        changed = true;
        put(this.#onDisk, idOf(key.slice(2) as KeyPart[]), value === undefined ? undefined : this.#numberIn(value));
      }
    }
    return changed;
  }

  #numberIn(entry: unknown): number {
    const stored = fromEntry(entry);
    const { chunks } = stored;
    if (chunks === undefined) return numberOf(decode(stored));
    const parts = Array.from({ length: chunks.count }, (_, n) => this.#chunks.get(`${chunks.id},${n}`));
    assert.ok(parts.every((part) => part !== undefined), "an entry is on disk before its chunks");
    return numberOf(decode({ ...stored, data: new Uint8Array(parts.flatMap((part) => [...part!])) }));
  }
}

function put(state: Map<string, number>, id: string, n: number | undefined): void {
  if (n === undefined) state.delete(id);
  else state.set(id, n);
}
