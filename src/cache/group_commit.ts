/**
 * Group commit: writes that come while another commit is under way share the next one.
 *
 * Deno KV makes some 3,000 commits a second, each with a sync of the disk, whatever is in it. So what is written goes
 * into an open group, of which each key has the latest value; groups are committed one after the other.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Write } from "./write.ts";

/** What an atomic may hold: 1,000 mutations, 819,200 bytes, of which 81,920 are keys; with some room. */
const LIMITS = { mutations: 990, bytes: 780_000, keyBytes: 78_000 };
/** A group of many takes no more than so many: while it is written, those that the one before woke up fill the next. */
const ENOUGH = 500;
/** Each entry of KV carries this much beside its key and value, about. */
const ENTRY_BYTES = 32;
/** A key of the log, behind the prefix. */
const LOG_KEY_BYTES = 12;
/** How many updates of the same keys a group may publish, when they are in no log. */
const UPDATES = 10_000;
/** How much may wait before writers do. */
const BACKLOG_BYTES = 32 * 1024 * 1024;
const BACKLOG_WRITES = 50_000;

/** Writes that are committed together. */
export interface Group {
  /** The latest write of each key. */
  readonly writes: Map<string, Write>;
  /** Every write that is published, in order. */
  readonly updates: Write[];
  /** Settles when it is on disk, or can't be. */
  readonly promise: Promise<void>;
  state: "waiting" | "committing" | "committed" | "failed";
}

interface Cost {
  mutations: number;
  bytes: number;
  keyBytes: number;
}

interface Open extends Group, Cost {
  /** How much of the backlog it is. */
  count: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** How groups are made. */
export interface GroupCommitOptions {
  /** Writes a group; throws when it can't. */
  readonly commit: (group: Group) => Promise<void>;
  /** How many bytes of a key in KV stand before the Cache's own. */
  readonly prefixBytes: number;
  /** Whether updates are written to a log. */
  readonly logged: boolean;
  /** How many different keys a group may have. */
  readonly maxKeys: number;
}

/** Collects writes into groups, and has them committed in order. */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #groups: Open[] = [];
  #running = false;
  #bytes = 0;
  #count = 0;

  /** Nothing runs before there is something to write. */
  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /**
   * Takes writes that belong together, into one group.
   *
   * @param updates those of the writes that are published
   * @throws {RangeError} If they are more than an atomic can hold.
   */
  add(writes: readonly Write[], updates: readonly Write[]): Group {
    const cost = this.#costOf(writes, updates);
    let group = this.#groups.at(-1);
    // The first is being committed when it runs; it takes no more.
    if (
      group === undefined || (this.#running && this.#groups.length === 1) || !this.#fits(group, cost, writes.length)
    ) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      promise.catch(() => {}); // those who wait for it are told
      group = {
        writes: new Map(),
        updates: [],
        promise,
        resolve,
        reject,
        state: "waiting",
        mutations: 0,
        bytes: 0,
        keyBytes: 0,
        count: 0,
      };
      if (!this.#fits(group, cost, writes.length)) {
        throw new RangeError(
          `A transaction must fit into one atomic of Deno KV (1,000 changes, 800 KB, 80 KB of keys; ` +
            `${this.#options.maxKeys} keys here): it has ${writes.length} writes of ${cost.bytes} bytes, ${cost.keyBytes} of keys`,
        );
      }
      this.#groups.push(group);
      if (this.#groups.length === 1) setImmediate(() => this.#run());
    }
    const before = group.bytes;
    for (const write of writes) {
      const replaced = group.writes.get(write.id);
      if (replaced !== undefined) this.#weigh(group, [replaced], -1);
      group.writes.set(write.id, write);
    }
    for (const update of updates) group.updates.push(update);
    group.mutations += cost.mutations;
    group.bytes += cost.bytes;
    group.keyBytes += cost.keyBytes;
    const count = Math.max(writes.length, updates.length);
    group.count += count;
    this.#bytes += group.bytes - before;
    this.#count += count;
    return group;
  }

  /** Whether {@linkcode GroupCommit.add} would put writes into a certain group, which has not begun to be committed. */
  joins(group: Group, writes: readonly Write[], updates: readonly Write[]): boolean {
    return group.state === "waiting" && group === this.#groups.at(-1) &&
      this.#fits(group as Open, this.#costOf(writes, updates), writes.length);
  }

  /**
   * Puts a newer value into a group that waits and has the key already, so that a busy key is written once a commit.
   * It may overtake writes of other keys, so not for what is published.
   *
   * @returns whether there was room
   */
  replace(given: Group, write: Write): boolean {
    const group = given as Open;
    const replaced = group.writes.get(write.id);
    if (group.state !== "waiting" || replaced === undefined) return false;
    const more = (write.stored?.bytes ?? 0) - (replaced.stored?.bytes ?? 0);
    if (more > 0 && group.bytes + more > LIMITS.bytes) return false;
    const before = group.bytes;
    this.#weigh(group, [replaced], -1);
    this.#weigh(group, [write], 1);
    this.#bytes += group.bytes - before;
    group.writes.set(write.id, write);
    return true;
  }

  /** What to wait for before writing more; undefined while there is room. */
  room(): Promise<void> | undefined {
    if (this.#bytes < BACKLOG_BYTES && this.#count < BACKLOG_WRITES) return undefined;
    return this.#groups[0]!.promise.catch(() => {});
  }

  /** Waits for everything taken so far, whatever becomes of it. */
  async flush(): Promise<void> {
    await Promise.allSettled(this.#groups.map(({ promise }) => promise));
  }

  #costOf(writes: readonly Write[], updates: readonly Write[]): Cost {
    const cost = { mutations: 0, bytes: 0, keyBytes: 0 };
    this.#weigh(cost, writes, 1);
    if (!this.#options.logged) return cost;
    for (const { keyBytes, stored } of updates) {
      // An entry of its own that holds the key, and makes room by removing an old one.
      cost.mutations += 2;
      cost.keyBytes += 2 * (this.#options.prefixBytes + LOG_KEY_BYTES);
      cost.bytes += 2 * (this.#options.prefixBytes + LOG_KEY_BYTES) + keyBytes + ENTRY_BYTES + inEntry(stored);
    }
    return cost;
  }

  #weigh(cost: Cost, writes: readonly Write[], sign: 1 | -1): void {
    for (const { keyBytes, stored } of writes) {
      const bytes = this.#options.prefixBytes + keyBytes;
      cost.mutations += sign;
      cost.keyBytes += sign * bytes;
      cost.bytes += sign * (bytes + ENTRY_BYTES + inEntry(stored));
    }
  }

  #fits(group: Open, cost: Cost, keys: number): boolean {
    return group.mutations < ENOUGH &&
      group.mutations + cost.mutations <= LIMITS.mutations &&
      group.bytes + cost.bytes <= LIMITS.bytes &&
      group.keyBytes + cost.keyBytes <= LIMITS.keyBytes &&
      group.writes.size + keys <= this.#options.maxKeys &&
      group.updates.length < UPDATES;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let group = this.#groups[0]; group !== undefined; group = this.#groups[0]) {
      group.state = "committing";
      try {
        await this.#options.commit(group);
        group.state = "committed";
        group.resolve();
      } catch (error) {
        group.state = "failed";
        group.reject(error);
      }
      this.#groups.shift();
      this.#bytes -= group.bytes;
      this.#count -= group.count;
    }
    this.#running = false;
  }
}

/** How many bytes of a value are in its entry; chunks are not. */
function inEntry(stored: Write["stored"]): number {
  return stored === undefined || stored.chunks ? 0 : stored.bytes;
}
