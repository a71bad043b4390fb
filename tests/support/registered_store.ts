/**
 * Registers an imitation of Deno KV at a path of its own, without a change to anything global.
 *
 * @module
 */

import { forgetEngines } from "../../src/cache/engine/open_engine.ts";
import { forgetKvStore } from "../../src/cache/store/kv_store.ts";
import { registeredStores } from "../../src/cache/store/registered_stores.ts";

/** What the paths of registered stores begin with. */
const SCHEME = "memory-kv:";

/** A registered store. */
export interface RegisteredStore extends Disposable {
  /** The path for `new Cache(path)`. */
  readonly path: string;
  /**
   * Unregisters the store. Caches that have it open keep it and are forgotten: a program that a test makes to crash
   * need not close them.
   */
  [Symbol.dispose](): void;
}

/**
 * Makes Caches with the path `memory-kv:NAME` use a store, as if it were a file: Caches of one prefix share an engine,
 * and a `shared` Cache asks the store at each read. Needs no permission and no `--unstable-kv`.
 *
 * @param name any text that is not in use
 * @param open called when the first Cache opens the path, and again after the last one has closed it
 * @throws {TypeError} If the name is in use.
 */
export function registerStore(name: string, open: () => Deno.Kv | Promise<Deno.Kv>): RegisteredStore {
  const path = SCHEME + name;
  if (registeredStores.has(path)) throw new TypeError(`A store is registered at ${path} already: choose another name`);
  registeredStores.set(path, open);
  return {
    path,
    [Symbol.dispose]() {
      if (registeredStores.get(path) !== open) return;
      registeredStores.delete(path);
      forgetKvStore(path);
      forgetEngines(path);
    },
  };
}
