/**
 * Deno KV that waits while another process writes to the file, instead of saying that it is locked.
 *
 * @module
 */

/** How long another process may keep the file to itself before the error surfaces. */
const PATIENCE_MS = 60_000;

/** What a Cache asks of Deno KV. */
export class PatientKv {
  readonly #kv: Deno.Kv;
  readonly #shared: boolean;

  /** @param shared whether others may write to it between two batches of a list */
  constructor(kv: Deno.Kv, shared: boolean) {
    this.#kv = kv;
    this.#shared = shared;
  }

  get<T = unknown>(key: Deno.KvKey): Promise<Deno.KvEntryMaybe<T>> {
    return patiently(() => this.#kv.get<T>(key));
  }

  getMany<T = unknown>(keys: readonly Deno.KvKey[]): Promise<Deno.KvEntryMaybe<T>[]> {
    return patiently(() => this.#kv.getMany<T[]>(keys));
  }

  delete(key: Deno.KvKey): Promise<void> {
    return patiently(() => this.#kv.delete(key));
  }

  /** Its commit may be called again: what is locked has not been written. */
  atomic(): Deno.AtomicOperation {
    const atomic = this.#kv.atomic();
    const commit = atomic.commit.bind(atomic);
    return Object.assign(atomic, { commit: () => patiently(commit) });
  }

  list<T = unknown>(selector: Deno.KvListSelector, options: Deno.KvListOptions = {}): AsyncIterable<Deno.KvEntry<T>> {
    return this.#shared ? this.#listOn<T>(selector, options) : this.#kv.list<T>(selector, options);
  }

  close(): void {
    this.#kv.close();
  }

  /** Goes on with a new list where one has come to a locked file. */
  async *#listOn<T>(selector: Deno.KvListSelector, { limit = Infinity, ...options }: Deno.KvListOptions) {
    let cursor: string | undefined;
    const next = () =>
      this.#kv.list<T>(selector, {
        ...options,
        ...(limit < Infinity && { limit }),
        ...(cursor !== undefined && { cursor }),
      });
    for (let [listed, begun] = [next(), false];;) {
      const { value, done } = await patiently(async () => {
        try {
          return await listed.next();
        } catch (error) {
          if (begun) cursor = listed.cursor;
          [listed, begun] = [next(), false];
          throw error;
        }
      });
      if (done) return;
      begun = true;
      limit--;
      yield value;
      if (limit === 0) return;
    }
  }
}

/** Waits a little longer each time, never two processes as long as each other. */
export function backOff(attempt: number): Promise<void> {
  const most = Math.min(100, 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * most));
}

/** Calls again while SQLite says that the file is locked, which means that nothing was written. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
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
