/**
 * Fences: they tell whether a commit was made whose answer was lost.
 *
 * Deno's client of a remote store sends a commit again whenever the connection breaks or the server answers 5xx. If the
 * first one was made, the second finds its checks failed, and the client answers that nothing was written; without
 * checks it would be made twice, over what others have written in between. So each commit writes a number of its own
 * into an entry that nobody else writes, its fence, and checks the version of that entry: it is made once at most, and
 * the number there tells whether it was.
 *
 * @module
 */

import type { RetryingKv } from "./retrying_kv.ts";

/**
 * How long a fence stays after its last commit: longer than any outage, over which a commit may be sent again. Nobody
 * removes it before, since asking a store that can't be reached keeps a program from ending.
 */
const KEPT_MS = 24 * 3_600_000;

/** The fence of one commit at a time. */
export class CommitReceipt {
  readonly #kv: RetryingKv;
  readonly #key: Deno.KvKey;
  #number = 0;
  #versionstamp: string | null = null;

  /** @param key its entry */
  constructor(kv: RetryingKv, key: Deno.KvKey) {
    this.#kv = kv;
    this.#key = key;
  }

  /** Adds the fence to a commit: one check and one set. */
  guard(atomic: Deno.AtomicOperation): void {
    atomic.check({ key: this.#key, versionstamp: this.#versionstamp });
    atomic.set(this.#key, ++this.#number, { expireIn: KEPT_MS });
  }

  /** The commit that it guards was made. */
  made(versionstamp: string): void {
    this.#versionstamp = versionstamp;
  }

  /** Asks the store whether the commit was made that it has guarded last; its version if so. */
  async lookUp(): Promise<string | undefined> {
    const { value, versionstamp } = await this.#kv.get<number>(this.#key);
    this.#versionstamp = versionstamp;
    return versionstamp !== null && value === this.#number ? versionstamp : undefined;
  }
}

/** The fences of an engine: as many as it makes commits at the same time. */
export class CommitReceipts {
  readonly #kv: RetryingKv;
  readonly #prefix: Deno.KvKey;
  readonly #idle: CommitReceipt[] = [];
  #count = 0;

  /** @param prefix the Cache's */
  constructor(kv: RetryingKv, prefix: string) {
    this.#kv = kv;
    this.#prefix = [prefix, "f", crypto.randomUUID()];
  }

  /** Runs a commit with a fence of its own. */
  async with<T>(commit: (fence: CommitReceipt) => Promise<T>): Promise<T> {
    const fence = this.#idle.pop() ?? new CommitReceipt(this.#kv, [...this.#prefix, this.#count++]);
    try {
      return await commit(fence);
    } finally {
      this.#idle.push(fence);
    }
  }
}
