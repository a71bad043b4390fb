/**
 * Deno KV that tries again while another process has the file locked.
 *
 * @module
 */

import { diskError } from "../cache_error.ts";

/** How long to try again before the error is thrown. */
const MAX_LOCKED_MS = 60_000;

/** The part of Deno KV that a Cache uses. It throws errors of the disk as CacheErrors that name the store. */
export class RetryingKv {
  readonly #kv: Deno.Kv;
  readonly #name: string;
  readonly #shared: boolean;

  /**
   * @param name what error messages call the store
   * @param shared whether other processes may lock the file between two batches of a list
   */
  constructor(kv: Deno.Kv, name: string, shared: boolean) {
    this.#kv = kv;
    this.#name = name;
    this.#shared = shared;
  }

  get<T = unknown>(key: Deno.KvKey): Promise<Deno.KvEntryMaybe<T>> {
    return this.#call(() => this.#kv.get<T>(key));
  }

  getMany<T = unknown>(keys: readonly Deno.KvKey[]): Promise<Deno.KvEntryMaybe<T>[]> {
    return this.#call(() => this.#kv.getMany<T[]>(keys));
  }

  delete(key: Deno.KvKey): Promise<void> {
    return this.#call(() => this.#kv.delete(key));
  }

  /** Its commit is tried again too: a commit that found the file locked has written nothing. */
  atomic(): Deno.AtomicOperation {
    const atomic = this.#kv.atomic();
    const commit = atomic.commit.bind(atomic);
    return Object.assign(atomic, { commit: () => this.#call(commit) });
  }

  list<T = unknown>(selector: Deno.KvListSelector, options: Deno.KvListOptions = {}): AsyncIterable<Deno.KvEntry<T>> {
    if (this.#shared) return this.#listAgainWhenLocked<T>(selector, options);
    const listed = this.#kv.list<T>(selector, options);
    const next = () =>
      listed.next().catch((error) => {
        throw diskError(error, this.#name);
      });
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  close(): void {
    this.#kv.close();
  }

  /** A list ends when it finds the file locked. A new list then begins behind the last entry of the old one. */
  async *#listAgainWhenLocked<T>(
    selector: Deno.KvListSelector,
    { limit = Infinity, ...options }: Deno.KvListOptions,
  ) {
    let last: Deno.KvKey | undefined;
    const list = () =>
      this.#kv.list<T>(last === undefined ? selector : selectBehind(selector, last, options.reverse === true), {
        ...options,
        ...(limit < Infinity && { limit }),
      });
    for (let listed = list(); limit > 0; limit--) {
      const { value, done } = await this.#call(async () => {
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

  async #call<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await retryWhileLocked(call);
    } catch (error) {
      throw diskError(error, this.#name);
    }
  }
}

/**
 * The rest of a list behind a key. A cursor can't express it: behind a key with which all keys of the range begin,
 * Deno's cursor is empty, which means the start of the list.
 */
function selectBehind(selector: Deno.KvListSelector, key: Deno.KvKey, reverse: boolean): Deno.KvListSelector {
  const { prefix, start, end } = selector as { prefix?: Deno.KvKey; start?: Deno.KvKey; end?: Deno.KvKey };
  // The next possible key: no key sorts between a key and the same key with an empty part added.
  const next = [...key, new Uint8Array()];
  if (reverse) return start === undefined ? { prefix: prefix!, end: key } : { start, end: key };
  return end === undefined ? { prefix: prefix!, start: next } : { start: next, end };
}

/** Waits for a random time whose maximum doubles with each attempt, up to 100 ms. */
export function backOff(attempt: number): Promise<void> {
  const maxMs = Math.min(100, 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * maxMs));
}

/** Calls a function again while SQLite reports that the file is locked, which means that nothing was written. */
export function retryWhileLocked<T>(call: () => Promise<T>): Promise<T> {
  return retryWhile(/database (table )?is locked/, MAX_LOCKED_MS, call);
}

/**
 * Calls a function again while it rejects with an error that may pass.
 *
 * @param mayPass matches the text of such an error
 * @param maxMs how long to try again before the error is thrown, in milliseconds
 */
export async function retryWhile<T>(mayPass: RegExp, maxMs: number, call: () => Promise<T>): Promise<T> {
  const started = Date.now();
  for (let attempt = 0;; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!mayPass.test(String(error)) || Date.now() - started > maxMs) throw error;
      await backOff(attempt);
    }
  }
}
