/**
 * A Cache on a store whose calls fail when a test wants them to.
 *
 * @module
 */

import { Cache, type CacheOptions } from "@slipstream/slipstream";

/** A Cache on a faulty store, and the same store without the faults. */
export interface FaultyCache<V> {
  readonly cache: Cache<V>;
  readonly kv: Deno.Kv;
}

/**
 * Opens both. Before each call of the store, `faultOf` returns the message of the error to throw, or undefined. An
 * error that begins with "after" is thrown after the commit took effect. At "resent" the commit is sent twice, as
 * Deno's client of a remote store does when the connection breaks.
 *
 * @param path a URL for a remote store
 * @param betweenSends called after the commit took effect, before it is sent again
 */
export async function openFaulty<V = number>(
  faultOf: (call: "get" | "getMany" | "delete" | "commit" | "next") => string | undefined,
  options: CacheOptions = {},
  path = ":memory:",
  betweenSends: (kv: Deno.Kv) => Promise<unknown> = () => Promise.resolve(),
): Promise<FaultyCache<V>> {
  const kv = await Deno.openKv(":memory:");
  const check = async (call: Parameters<typeof faultOf>[0]) => {
    await new Promise((resolve) => setTimeout(resolve, 0)); // so that other writes are accepted meanwhile
    const message = faultOf(call);
    if (message !== undefined && /^(after|resent)/.test(message)) return new Error(message);
    if (message !== undefined) throw new Error(message);
  };
  const faulty = {
    close() {},
    get: async (key: Deno.KvKey) => (await check("get"), await kv.get(key)),
    getMany: async (keys: Deno.KvKey[]) => (await check("getMany"), await kv.getMany(keys)),
    delete: async (key: Deno.KvKey) => (await check("delete"), await kv.delete(key)),
    atomic() {
      const atomic = kv.atomic();
      const commit = atomic.commit.bind(atomic);
      return Object.assign(atomic, {
        commit: async () => {
          const later = await check("commit");
          const result = await commit();
          if (later?.message === "resent") {
            await betweenSends(kv);
            return await commit();
          }
          if (later !== undefined) throw later;
          return result;
        },
      });
    },
    list(selector: Deno.KvListSelector, options: Deno.KvListOptions) {
      const listed = kv.list(selector, options);
      return {
        get cursor() {
          return listed.cursor;
        },
        next: async () => (await check("next"), await listed.next()),
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
  };
  const openKv = Object.getOwnPropertyDescriptor(Deno, "openKv")!;
  Object.defineProperty(Deno, "openKv", { value: () => Promise.resolve(faulty), configurable: true });
  try {
    const cache = new Cache<V>(path, options);
    await cache.has("open");
    return { cache, kv };
  } finally {
    Object.defineProperty(Deno, "openKv", openKv);
  }
}
