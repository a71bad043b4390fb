/**
 * Group commit: writes that come while another commit is under way share the next one.
 *
 * Deno KV makes some 3,000 commits a second, each with a sync of the disk, whatever is in it. So what is written goes
 * into the newest group, which keeps the latest value of each key. Groups are committed one after the other, in the
 * order in which they began, and each is one atomic: the disk shows a prefix of what was accepted. Only the newest
 * group takes a newer value of a key that it has: in an older one that value would overtake the writes of other keys
 * that were accepted before it.
 *
 * A group that can't be committed fails its own writes; those behind it go on. The disk then shows what was accepted
 * without that group.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Settlement } from "../../stream/settlement.ts";
import type { Write } from "../store/write.ts";

/** What an atomic may hold: 1,000 mutations, 819,200 bytes, of which 81,920 are keys; with some room. */
const LIMITS = { mutations: 990, bytes: 780_000, keyBytes: 78_000 };
/**
 * The next group to be committed takes no more new keys than so many: while it is written, the writers that the one
 * before woke up fill another. Groups further back take what an atomic holds, since more values of a key meet there.
 */
const ENOUGH = 500;
/** A group takes no more when its values hold so much memory; most of that lies in chunks, outside of the atomic. */
const GROUP_BYTES = 8 * 1024 * 1024;
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
  /** Settles when the group is on disk, or can't be. */
  readonly promise: Promise<void>;
  readonly state: "waiting" | "committing" | "committed" | "failed";
  /** Ends an account together with the group. The account begins once, however often it is given. */
  owe(account: Settlement): void;
}

interface Cost {
  mutations: number;
  bytes: number;
  keyBytes: number;
}

class Open implements Group, Cost {
  readonly writes = new Map<string, Write>();
  readonly updates: Write[] = [];
  state: Group["state"] = "waiting";
  mutations = 0;
  bytes = 0;
  keyBytes = 0;
  /** How many writes it was given; someone may wait for each. */
  count = 0;
  /** About how much memory they hold, with what lies in chunks. */
  held = 0;
  readonly #owed = new Set<Settlement>();
  readonly #settling = Promise.withResolvers<void>();
  readonly promise = this.#settling.promise;

  constructor() {
    this.promise.catch(() => {}); // each who waits for it gets the error
  }

  owe(account: Settlement): void {
    if (this.#owed.has(account)) return;
    this.#owed.add(account);
    account.accepted();
  }

  /** It is on disk; with a failure, it can't be. */
  end(failure?: { readonly error: unknown }): void {
    this.state = failure === undefined ? "committed" : "failed";
    if (failure === undefined) this.#settling.resolve();
    else this.#settling.reject(failure.error);
    for (const account of this.#owed) account.settled(failure);
    this.#owed.clear();
  }
}

/** How groups are made. */
export interface GroupCommitOptions {
  /** Writes a group; throws when it can't. */
  readonly commit: (group: Group) => Promise<void>;
  /** How many bytes of a key in KV stand before the Cache's own. */
  readonly prefixBytes: number;
  /** Whether updates are written to a log. */
  readonly logged: boolean;
}

/** Collects writes into groups, and has them committed in order. */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #groups: Open[] = [];
  #bytes = 0;
  #count = 0;

  /** Nothing runs before there is something to write. */
  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** About how many bytes of memory the groups hold that are not committed yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes writes that belong together, into one group: the newest, or a new one.
   *
   * @param updates those of the writes that are published
   * @throws {RangeError} If they are more than an atomic can hold.
   */
  add(writes: readonly Write[], updates: readonly Write[]): Group {
    const newest = this.#groups.at(-1);
    if (updates.length === 0 && newest !== undefined && this.#replace(newest, writes)) return newest;
    let group = newest?.state === "waiting" && this.#fits(newest, writes, updates) ? newest : undefined;
    if (group === undefined) {
      this.checkSize(writes, updates);
      group = new Open();
      this.#groups.push(group);
      if (this.#groups.length === 1) setImmediate(() => this.#run());
    }
    const { held } = group;
    for (const write of writes) {
      const replaced = group.writes.get(write.id);
      if (replaced !== undefined) {
        this.#weigh(group, replaced, -1);
        // A value that is to be published is still held.
        if (group.updates.length === 0) group.held -= heldBytes(replaced);
      }
      this.#weigh(group, write, 1);
      group.held += heldBytes(write);
      group.writes.set(write.id, write);
    }
    for (const update of updates) {
      group.updates.push(update);
      if (this.#options.logged) this.#weighLogged(group, update);
    }
    group.count += writes.length;
    this.#bytes += group.held - held;
    this.#count += writes.length;
    return group;
  }

  /**
   * Refuses what no atomic can hold.
   *
   * @param reads the keys whose versions it checks
   * @throws {RangeError} If it is more than that.
   */
  checkSize(writes: readonly Write[], updates: readonly Write[], reads: readonly { keyBytes: number }[] = []): void {
    const { mutations, bytes, keyBytes } = this.#costOf(writes, updates);
    const readBytes = reads.reduce((sum, read) => sum + this.#options.prefixBytes + read.keyBytes, 0);
    const fits = mutations <= LIMITS.mutations && bytes + readBytes <= LIMITS.bytes &&
      keyBytes + readBytes <= LIMITS.keyBytes;
    if (fits) return;
    throw new RangeError(
      "A transaction must fit into one atomic of Deno KV (1,000 changes, 800 KB, 80 KB of keys): " +
        `it has ${writes.length} writes of ${bytes} bytes, and ${keyBytes + readBytes} bytes of keys`,
    );
  }

  /** What a busy key does most: a newer value takes the place of the one in the newest group, and nothing else changes. */
  #replace(newest: Open, writes: readonly Write[]): boolean {
    if (writes.length !== 1 || newest.state !== "waiting" || newest.updates.length > 0) return false;
    const write = writes[0]!;
    const replaced = newest.writes.get(write.id);
    if (replaced === undefined) return false;
    const more = inEntry(write.stored) - inEntry(replaced.stored);
    if (newest.bytes + more > LIMITS.bytes || newest.held >= GROUP_BYTES) return false;
    const held = heldBytes(write) - heldBytes(replaced);
    newest.writes.set(write.id, write);
    newest.bytes += more;
    newest.held += held;
    newest.count++;
    this.#bytes += held;
    this.#count++;
    return true;
  }

  /** Whether `GroupCommit.add` would put writes into a certain group, which has not begun to be committed. */
  joins(group: Group, writes: readonly Write[], updates: readonly Write[]): boolean {
    return group.state === "waiting" && group === this.#groups.at(-1) && this.#fits(group as Open, writes, updates);
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
    for (const write of writes) this.#weigh(cost, write, 1);
    if (this.#options.logged) { for (const update of updates) this.#weighLogged(cost, update); }
    return cost;
  }

  #weigh(cost: Cost, { keyBytes, stored }: Write, sign: 1 | -1): void {
    const bytes = this.#options.prefixBytes + keyBytes;
    cost.mutations += sign;
    cost.keyBytes += sign * bytes;
    cost.bytes += sign * (bytes + ENTRY_BYTES + inEntry(stored));
  }

  #weighLogged(cost: Cost, { keyBytes, stored }: Write): void {
    // An entry of its own that holds the key, and makes room by removing an old one.
    cost.mutations += 2;
    cost.keyBytes += 2 * (this.#options.prefixBytes + LOG_KEY_BYTES);
    cost.bytes += 2 * (this.#options.prefixBytes + LOG_KEY_BYTES) + keyBytes + ENTRY_BYTES + inEntry(stored);
  }

  #fits(group: Open, writes: readonly Write[], updates: readonly Write[]): boolean {
    const cost = this.#costOf(writes, updates);
    for (const { id } of group.writes.size === 0 ? [] : writes) {
      const replaced = group.writes.get(id);
      if (replaced !== undefined) this.#weigh(cost, replaced, -1);
    }
    const enough = this.#groups.length > 2 ? LIMITS.mutations : ENOUGH;
    return (cost.mutations <= 0 || group.mutations < enough) &&
      group.mutations + cost.mutations <= LIMITS.mutations &&
      group.bytes + cost.bytes <= LIMITS.bytes &&
      group.keyBytes + cost.keyBytes <= LIMITS.keyBytes &&
      group.held < GROUP_BYTES &&
      group.updates.length < UPDATES;
  }

  async #run(): Promise<void> {
    for (let group = this.#groups[0]; group !== undefined; group = this.#groups[0]) {
      group.state = "committing";
      let failure: { readonly error: unknown } | undefined;
      try {
        await this.#options.commit(group);
      } catch (error) {
        failure = { error };
      }
      group.end(failure);
      this.#groups.shift();
      this.#bytes -= group.held;
      this.#count -= group.count;
    }
  }
}

/** How many bytes of a value are in its entry; chunks are not. */
function inEntry(stored: Write["stored"]): number {
  return stored === undefined || stored.chunks ? 0 : stored.bytes;
}

/** About how much memory a write holds. */
function heldBytes({ keyBytes, stored }: Write): number {
  return keyBytes + ENTRY_BYTES + (stored?.bytes ?? 0);
}
