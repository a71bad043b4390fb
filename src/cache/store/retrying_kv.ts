/**
 * Deno KV that waits while another process writes to the file, instead of saying that it is locked.
 *
 * @module
 */

import { ofStore } from "../cache_error.ts";

/** How long another process may keep the file to itself before the error surfaces. */
const PATIENCE_MS = 60_000;

/** What a Cache asks of Deno KV. Errors of its disk are CacheErrors that name the store. */
export class RetryingKv {
  readonly #kv: Deno.Kv;
  readonly #name: string;
  readonly #shared: boolean;

  /**
   * @param name what errors call it
   * @param shared whether others may write to it between two batches of a list
   */
  constructor(kv: Deno.Kv, name: string, shared: boolean) {
    this.#kv = kv;
    this.#name = name;
    this.#shared = shared;
  }

  get<T = unknown>(key: Deno.KvKey): Promise<Deno.KvEntryMaybe<T>> {
    return this.#ask(() => this.#kv.get<T>(key));
  }

  getMany<T = unknown>(keys: readonly Deno.KvKey[]): Promise<Deno.KvEntryMaybe<T>[]> {
    return this.#ask(() => this.#kv.getMany<T[]>(keys));
  }

  delete(key: Deno.KvKey): Promise<void> {
    return this.#ask(() => this.#kv.delete(key));
  }

  /** Its commit may be called again: what is locked has not been written. */
  atomic(): Deno.AtomicOperation {
    const atomic = this.#kv.atomic();
    const commit = atomic.commit.bind(atomic);
    return Object.assign(atomic, { commit: () => this.#ask(commit) });
  }

  list<T = unknown>(selector: Deno.KvListSelector, options: Deno.KvListOptions = {}): AsyncIterable<Deno.KvEntry<T>> {
    if (this.#shared) return this.#listOn<T>(selector, options);
    const listed = this.#kv.list<T>(selector, options);
    const next = () =>
      listed.next().catch((error) => {
        throw ofStore(error, this.#name);
      });
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  close(): void {
    this.#kv.close();
  }

  /** Goes on with a new list where one has come to a locked file. */
  async *#listOn<T>(selector: Deno.KvListSelector, { limit = Infinity, ...options }: Deno.KvListOptions) {
    let last: Deno.KvKey | undefined;
    const list = () =>
      this.#kv.list<T>(last === undefined ? selector : behind(selector, last, options.reverse === true), {
        ...options,
        ...(limit < Infinity && { limit }),
      });
    for (let listed = list(); limit > 0; limit--) {
      const { value, done } = await this.#ask(async () => {
        try {
          return await listed.next();
        } catch (error) {
          listed = list();
          throw error;
        }
      });
      if (done) return;
      last = value.key;
      yield value;
    }
  }

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await retryWhileLocked(call);
    } catch (error) {
      throw ofStore(error, this.#name);
    }
  }
}

/**
 * What a list has left behind a key. A cursor can't say it: Deno's is empty, as if there were none, behind a key with
 * which all keys of the range begin.
 */
function behind(selector: Deno.KvListSelector, key: Deno.KvKey, reverse: boolean): Deno.KvListSelector {
  const { prefix, start, end } = selector as { prefix?: Deno.KvKey; start?: Deno.KvKey; end?: Deno.KvKey };
  // No key is between one and the same with an empty part more.
  const next = [...key, new Uint8Array()];
  if (reverse) return start === undefined ? { prefix: prefix!, end: key } : { start, end: key };
  return end === undefined ? { prefix: prefix!, start: next } : { start: next, end };
}

/** Waits a little longer each time, never two processes as long as each other. */
export function backOff(attempt: number): Promise<void> {
  const most = Math.min(100, 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * most));
}

/** Calls again while SQLite says that the file is locked, which means that nothing was written. */
export async function retryWhileLocked<T>(call: () => Promise<T>): Promise<T> {
  const started = Date.now();
  for (let attempt = 0;; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!/database (table )?is locked/.test(String(error)) || Date.now() - started > PATIENCE_MS) throw error;
      await backOff(attempt);
    }
  }
}
