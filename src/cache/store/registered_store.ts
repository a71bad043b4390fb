/**
 * Stores that a test hands in: an imitation of Deno KV under a path of its own, without a change to anything global.
 *
 * @module
 */

import { forgetEngines } from "../engine/engine.ts";
import { forgetKvStore, registered } from "./kv_store.ts";

/** What the paths of such stores begin with. */
const SCHEME = "memory-kv:";

/** A path at which Caches find a store. */
export interface RegisteredStore extends Disposable {
  /** The path, for `new Cache(path)`. */
  readonly path: string;
  /**
   * Ends it. Caches that have it open keep what they have and are forgotten, so a program that was made to crash need
   * not close them, and costs nothing more.
   */
  [Symbol.dispose](): void;
}

/**
 * Has Caches with the path `memory-kv:NAME` use a store, as if it were a file: those of one prefix share an engine, and
 * one that is `shared` asks the store at each read. No permission is asked for, and no `--unstable-kv`.
 *
 * @param name any text, not in use
 * @param open called when the first Cache opens the path, and again after the last one has closed it
 * @throws {TypeError} If the name is in use.
 */
export function registerStore(name: string, open: () => Deno.Kv | Promise<Deno.Kv>): RegisteredStore {
  const path = SCHEME + name;
  if (registered.has(path)) throw new TypeError(`A store is registered at ${path}`);
  registered.set(path, open);
  return {
    path,
    [Symbol.dispose]() {
      if (registered.get(path) !== open) return;
      registered.delete(path);
      forgetKvStore(path);
      forgetEngines(path);
    },
  };
}
