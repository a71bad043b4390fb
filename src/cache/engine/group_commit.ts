/**
 * Group commit: writes that come while another commit is under way share the next one.
 *
 * Deno KV makes about 3,000 commits a second, each with a sync of the disk, however much is in it. So a write goes into
 * the newest group, which keeps the latest value of each key. Groups are committed one after the other, in the order in
 * which they began, and each is one atomic: the disk shows a prefix of the accepted writes. Only the newest group lets
 * a newer value of a key replace an older one. In an older group, that value would reach the disk before writes of
 * other keys that were accepted before it.
 *
 * If a group can't be committed, its own writes fail, and the groups behind it go on. The disk then shows what was
 * accepted, without that group.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Settlement } from "../../protocol/settlement.ts";
import type { Write } from "../store/write.ts";

/** What a group may hold. KV limits an atomic to 1,000 mutations and 819,200 bytes, 81,920 of them keys. */
const ATOMIC_LIMITS = { mutations: 990, bytes: 780_000, keyBytes: 78_000 };
/**
 * The group that is committed next is closed at so many mutations. Writers that resume after the current commit then fill
 * another group while this one is written. Groups further back fill to the limit of an atomic, because there more values
 * replace older ones of the same key.
 */
const NEXT_GROUP_MUTATIONS = 500;
/** How much memory the values of a group may take. Large values lie in chunks, outside the atomic. */
const MAX_GROUP_BYTES = 8 * 1024 * 1024;
/** About how many bytes an entry of KV takes beside its key and value. */
const ENTRY_BYTES = 32;
/** The length of a key of the log, without the prefix of the Cache. */
const LOG_KEY_BYTES = 12;
/** How many updates a group may publish. Without a log, the limits of an atomic do not bound them. */
const MAX_GROUP_UPDATES = 10_000;
/** How much may wait for the disk before writers have to wait. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const MAX_WAITING_WRITES = 50_000;

/** Writes that are committed together. */
export interface Group {
  /** The latest write of each key. */
  readonly writes: Map<string, Write>;
  /** Every write that is published, in order: several of one key, if it was written several times. */
  readonly updates: Write[];
  /** Resolves when the group is on disk; rejects if it can't be committed. */
  readonly promise: Promise<void>;
  readonly state: "waiting" | "committing" | "committed" | "failed";
  /** Counts the group in a settlement as one accepted value, which settles when the group is committed or has failed. */
  endWithGroup(settlement: Settlement): void;
}

/** What writes take of an atomic. */
interface Cost {
  mutations: number;
  bytes: number;
  keyBytes: number;
}

/** A group that takes writes, or is waiting to be committed. */
class OpenGroup implements Group, Cost {
  readonly writes = new Map<string, Write>();
  readonly updates: Write[] = [];
  state: Group["state"] = "waiting";
  mutations = 0;
  bytes = 0;
  keyBytes = 0;
  /** How many writes it was given, replaced ones included. */
  count = 0;
  /** About how much memory its values take, large values included. */
  memoryBytes = 0;
  readonly #settlements = new Set<Settlement>();
  readonly #settling = Promise.withResolvers<void>();
  readonly promise = this.#settling.promise;

  constructor() {
    this.promise.catch(() => {}); // those who await it get the error; perhaps nobody does
  }

  endWithGroup(settlement: Settlement): void {
    if (this.#settlements.has(settlement)) return;
    this.#settlements.add(settlement);
    settlement.accepted();
  }

  /** Reports that it is on disk; with a failure, that it can't be committed. */
  end(failure?: { readonly error: unknown }): void {
    this.state = failure === undefined ? "committed" : "failed";
    if (failure === undefined) this.#settling.resolve();
    else this.#settling.reject(failure.error);
    for (const settlement of this.#settlements) settlement.settled(failure);
    this.#settlements.clear();
  }
}

/** The options of a GroupCommit. */
export interface GroupCommitOptions {
  /** Commits a group; rejects if that fails. */
  readonly commit: (group: Group) => Promise<void>;
  /** The length of the parts that stand before each key in KV, in bytes. */
  readonly prefixBytes: number;
  /** Whether updates are written to a log. */
  readonly logged: boolean;
}

/** Collects writes into groups and commits the groups in order. */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  /** The groups that are not committed yet, oldest first. */
  readonly #groups: OpenGroup[] = [];
  #bytes = 0;
  #count = 0;

  /** Starts nothing before the first write. */
  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** About how many bytes of memory the groups take that are not committed yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds writes that belong together to one group: the newest, or a new one.
   *
   * @param updates those of the writes that are published
   * @throws {RangeError} If one atomic can't hold them.
   */
  add(writes: readonly Write[], updates: readonly Write[]): Group {
    const newest = this.#groups.at(-1);
    if (updates.length === 0 && newest !== undefined && this.#replace(newest, writes)) return newest;
    let group = newest?.state === "waiting" && this.#fits(newest, writes, updates) ? newest : undefined;
    if (group === undefined) {
      this.checkSize(writes, updates);
      group = new OpenGroup();
      this.#groups.push(group);
      if (this.#groups.length === 1) setImmediate(() => this.#run());
    }
    const { memoryBytes } = group;
    for (const write of writes) {
      const replaced = group.writes.get(write.id);
      if (replaced !== undefined) {
        this.#weigh(group, replaced, -1);
        // A group that publishes its writes keeps the replaced value too.
        if (group.updates.length === 0) group.memoryBytes -= bytesInMemory(replaced);
      }
      this.#weigh(group, write, 1);
      group.memoryBytes += bytesInMemory(write);
      group.writes.set(write.id, write);
    }
    for (const update of updates) {
      group.updates.push(update);
      if (this.#options.logged) this.#weighLogged(group, update);
    }
    group.count += writes.length;
    this.#bytes += group.memoryBytes - memoryBytes;
    this.#count += writes.length;
    return group;
  }

  /**
   * Refuses a transaction that one atomic can't hold.
   *
   * @param reads the keys whose versions it checks
   * @throws {RangeError} If it is too large.
   */
  checkSize(writes: readonly Write[], updates: readonly Write[], reads: readonly { keyBytes: number }[] = []): void {
    const { mutations, bytes, keyBytes } = this.#costOf(writes, updates);
    const readBytes = reads.reduce((sum, read) => sum + this.#options.prefixBytes + read.keyBytes, 0);
    const fits = mutations <= ATOMIC_LIMITS.mutations && bytes + readBytes <= ATOMIC_LIMITS.bytes &&
      keyBytes + readBytes <= ATOMIC_LIMITS.keyBytes;
    if (fits) return;
    throw new RangeError(
      "A transaction must fit into one atomic of Deno KV (990 changes, 780,000 bytes, 78,000 bytes of keys): this one has " +
        `${writes.length} writes of ${bytes} bytes, and ${keyBytes + readBytes} bytes of keys. Use several`,
    );
  }

  /** The fast path of `add()`: a newer value of a key replaces the one in the newest group. */
  #replace(newest: OpenGroup, writes: readonly Write[]): boolean {
    if (writes.length !== 1 || newest.state !== "waiting" || newest.updates.length > 0) return false;
    const write = writes[0]!;
    const replaced = newest.writes.get(write.id);
    if (replaced === undefined) return false;
    const more = bytesInEntry(write.stored) - bytesInEntry(replaced.stored);
    if (newest.bytes + more > ATOMIC_LIMITS.bytes || newest.memoryBytes >= MAX_GROUP_BYTES) return false;
    const moreMemory = bytesInMemory(write) - bytesInMemory(replaced);
    newest.writes.set(write.id, write);
    newest.bytes += more;
    newest.memoryBytes += moreMemory;
    newest.count++;
    this.#bytes += moreMemory;
    this.#count++;
    return true;
  }

  /** Whether `add()` would put writes into this group. */
  wouldJoin(group: Group, writes: readonly Write[], updates: readonly Write[]): boolean {
    return group.state === "waiting" && group === this.#groups.at(-1) &&
      this.#fits(group as OpenGroup, writes, updates);
  }

  /** What writers have to wait for before they write more; undefined while there is room. */
  room(): Promise<void> | undefined {
    if (this.#bytes < MAX_WAITING_BYTES && this.#count < MAX_WAITING_WRITES) return undefined;
    return this.#groups[0]!.promise.catch(() => {});
  }

  /** Waits until everything added so far is committed or has failed. */
  async flush(): Promise<void> {
    await Promise.allSettled(this.#groups.map(({ promise }) => promise));
  }

  /** What writes and updates take of an empty atomic. */
  #costOf(writes: readonly Write[], updates: readonly Write[]): Cost {
    const cost = { mutations: 0, bytes: 0, keyBytes: 0 };
    for (const write of writes) this.#weigh(cost, write, 1);
    if (this.#options.logged) { for (const update of updates) this.#weighLogged(cost, update); }
    return cost;
  }

  /** Adds what a write takes to a cost; with -1, subtracts it. */
  #weigh(cost: Cost, { keyBytes, stored }: Write, sign: 1 | -1): void {
    const bytes = this.#options.prefixBytes + keyBytes;
    cost.mutations += sign;
    cost.keyBytes += sign * bytes;
    cost.bytes += sign * (bytes + ENTRY_BYTES + bytesInEntry(stored));
  }

  #weighLogged(cost: Cost, { keyBytes, stored }: Write): void {
    // Its entry in the log, which holds the key too, and the removal of the oldest entry.
    cost.mutations += 2;
    cost.keyBytes += 2 * (this.#options.prefixBytes + LOG_KEY_BYTES);
    cost.bytes += 2 * (this.#options.prefixBytes + LOG_KEY_BYTES) + keyBytes + ENTRY_BYTES + bytesInEntry(stored);
  }

  /** Whether a group has room for writes. */
  #fits(group: OpenGroup, writes: readonly Write[], updates: readonly Write[]): boolean {
    const cost = this.#costOf(writes, updates);
    for (const { id } of group.writes.size === 0 ? [] : writes) {
      const replaced = group.writes.get(id);
      if (replaced !== undefined) this.#weigh(cost, replaced, -1);
    }
    const enough = this.#groups.length > 2 ? ATOMIC_LIMITS.mutations : NEXT_GROUP_MUTATIONS;
    return (cost.mutations <= 0 || group.mutations < enough) &&
      group.mutations + cost.mutations <= ATOMIC_LIMITS.mutations &&
      group.bytes + cost.bytes <= ATOMIC_LIMITS.bytes &&
      group.keyBytes + cost.keyBytes <= ATOMIC_LIMITS.keyBytes &&
      group.memoryBytes < MAX_GROUP_BYTES &&
      group.updates.length < MAX_GROUP_UPDATES;
  }

  /** Commits the groups, until there are none. */
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
      this.#bytes -= group.memoryBytes;
      this.#count -= group.count;
    }
  }
}

/** How many bytes of a value are in its entry. Those of a large value are in chunks. */
function bytesInEntry(stored: Write["stored"]): number {
  return stored === undefined || stored.chunks ? 0 : stored.bytes;
}

/** About how much memory a write takes. */
function bytesInMemory({ keyBytes, stored }: Write): number {
  return keyBytes + ENTRY_BYTES + (stored?.bytes ?? 0);
}
