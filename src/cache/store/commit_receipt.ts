/**
 * Receipts: they show whether a commit to a remote store took effect whose answer was lost.
 *
 * Deno's client of a remote store sends a commit again whenever the connection breaks or the server answers with status
 * 5xx. If the first one took effect, the checks of the second fail, and the client answers that nothing was written. A
 * commit without checks would take effect twice, and overwrite what others have written in between.
 *
 * So each commit sets an entry of its own, the receipt, to a number of its own, and checks the version of that entry.
 * Nobody else writes the entry. Therefore the commit takes effect once at most, and the number in the entry shows
 * whether it did.
 *
 * @module
 */

import type { RetryingKv } from "./retrying_kv.ts";

/**
 * How long a receipt stays after its last commit: longer than any outage during which a commit is sent again. It
 * expires by itself, because removing it when the Cache closes would keep a program from ending while its store can't
 * be reached.
 */
const KEPT_MS = 24 * 3_600_000;

/** The receipt of one commit at a time. */
export class CommitReceipt {
  readonly #kv: RetryingKv;
  readonly #key: Deno.KvKey;
  #number = 0;
  #versionstamp: string | null = null;

  /** @param key the entry of the receipt */
  constructor(kv: RetryingKv, key: Deno.KvKey) {
    this.#kv = kv;
    this.#key = key;
  }

  /** Adds the receipt to a commit: one check and one set. */
  addTo(atomic: Deno.AtomicOperation): void {
    atomic.check({ key: this.#key, versionstamp: this.#versionstamp });
    atomic.set(this.#key, ++this.#number, { expireIn: KEPT_MS });
  }

  /** Notes the version that the commit has made. */
  committed(versionstamp: string): void {
    this.#versionstamp = versionstamp;
  }

  /** Asks the store whether the last commit took effect; returns the version that it made, or undefined. */
  async find(): Promise<string | undefined> {
    const { value, versionstamp } = await this.#kv.get<number>(this.#key);
    this.#versionstamp = versionstamp;
    return versionstamp !== null && value === this.#number ? versionstamp : undefined;
  }
}

/** The receipts of an engine: as many as it makes commits at the same time. */
export class CommitReceipts {
  readonly #kv: RetryingKv;
  readonly #prefix: Deno.KvKey;
  readonly #idle: CommitReceipt[] = [];
  #count = 0;

  /** @param prefix the prefix of the Cache */
  constructor(kv: RetryingKv, prefix: string) {
    this.#kv = kv;
    this.#prefix = [prefix, "f", crypto.randomUUID()];
  }

  /** Makes a commit with a receipt that no other commit is using. */
  async with<T>(commit: (receipt: CommitReceipt) => Promise<T>): Promise<T> {
    const receipt = this.#idle.pop() ?? new CommitReceipt(this.#kv, [...this.#prefix, this.#count++]);
    try {
      return await commit(receipt);
    } finally {
      this.#idle.push(receipt);
    }
  }
}
