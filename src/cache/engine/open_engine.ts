/**
 * The engines that are open in this process: one for all Caches with the same store and prefix.
 *
 * @module
 */

import { CacheError } from "../cache_error.ts";
import { storeIdentity } from "../store/store_identity.ts";
import { Engine, type EngineOptions } from "./engine.ts";

const engines = new Map<string, { users: number; options: EngineOptions; opening: Promise<Engine> }>();

/**
 * Opens an engine, or joins the Caches that have it open.
 *
 * @returns the engine, and a function that releases it; the last user to do so closes it
 * @throws {CacheError} If the store can't be opened, or is open in this process with other options.
 */
export async function openEngine(
  path: string | undefined,
  options: EngineOptions,
): Promise<{ engine: Engine; release: () => Promise<void> }> {
  const store = await storeIdentity(path, options.followSymlinks);
  if (store === undefined) {
    const engine = await Engine.open(path, store, options);
    return { engine, release: () => engine.close() };
  }
  const name = JSON.stringify([store, options.prefix]);
  let entry = engines.get(name);
  if (entry === undefined) {
    entry = { users: 0, options, opening: Engine.open(path, store, options) };
    engines.set(name, entry);
  } else refuseOtherOptions(path, entry.options, options);
  const joined = entry;
  joined.users++;
  try {
    const engine = await joined.opening;
    return {
      engine,
      release: async () => {
        // Flush before the count goes down: a Cache that is opened meanwhile joins this engine and finds the writes.
        await engine.groups.flush();
        if (--joined.users > 0) return;
        if (engines.get(name) === joined) engines.delete(name);
        await engine.close();
      },
    };
  } catch (error) {
    if (--joined.users === 0 && engines.get(name) === joined) engines.delete(name);
    throw error;
  }
}

/**
 * Forgets the engines of a store without closing them: those of a program that a simulation has made to crash.
 *
 * @param store what `storeIdentity()` returns for it
 */
export function forgetEngines(store: string): void {
  for (const name of engines.keys()) if (JSON.parse(name)[0] === store) engines.delete(name);
}

function refuseOtherOptions(path: string | undefined, open: EngineOptions, wanted: EngineOptions): void {
  const store = path ?? "The default store";
  if (open.logLimit !== wanted.logLimit) {
    const limit = open.logLimit === 0 ? "without a log" : `with log: { limit: ${open.logLimit} }`;
    throw new CacheError("in-use", `${store} is open in this process ${limit}: use the same log everywhere`);
  }
  if (open.shared !== wanted.shared) {
    const text = `${store} is open in this process with shared: ${open.shared}: use the same value everywhere`;
    throw new CacheError("in-use", text);
  }
}
