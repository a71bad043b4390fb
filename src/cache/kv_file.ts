/**
 * The KV store under a Cache: found, checked, locked and opened once in a process, closed when nobody uses it.
 *
 * @module
 */

import { dirname, isAbsolute, resolve, sep } from "node:path";
import { CacheError } from "./cache_error.ts";

/** An open store and who may write to it. */
export interface KvFile {
  readonly kv: Deno.Kv;
  /** Gives it back; the last one to do so closes it. */
  release(): void;
}

/** How a store is opened. */
export interface KvFileOptions {
  readonly shared: boolean;
  readonly followSymlinks: boolean;
}

interface Open {
  users: number;
  readonly shared: boolean;
  readonly opening: Promise<{ kv: Deno.Kv; lock?: Deno.FsFile }>;
}

const open = new Map<string, Open>();

/** What a store goes by; undefined for a store in memory, of which each is its own. */
export function storeName(path: string | undefined): string | undefined {
  if (path === ":memory:") return undefined;
  return path === undefined || isUrl(path) ? path ?? "" : resolve(path);
}

/** Whether it is a remote store. */
export function isUrl(path: string): boolean {
  return /^https?:\/\//.test(path);
}

/**
 * Opens a store, or joins those in this process who have it open.
 *
 * @throws {CacheError} If it is in use by another process, its path goes through a symlink, or KV is not enabled.
 */
export async function openKvFile(path: string | undefined, options: KvFileOptions): Promise<KvFile> {
  if (typeof Deno.openKv !== "function") {
    throw new CacheError(
      "unstable",
      'A Cache needs Deno KV: run with --unstable-kv, or put "unstable": ["kv"] into deno.json',
    );
  }
  const name = storeName(path);
  if (name === undefined) {
    const kv = await Deno.openKv(":memory:");
    return { kv, release: () => kv.close() };
  }
  let entry = open.get(name);
  if (entry === undefined) {
    entry = { users: 0, shared: options.shared, opening: openStore(path, options) };
    open.set(name, entry);
  } else if (entry.shared !== options.shared) {
    throw new CacheError(
      "in-use",
      `${
        path ?? "The default store"
      } is open in this process with shared: ${entry.shared}; use it the same way everywhere`,
    );
  }
  const joined = entry;
  joined.users++;
  const leave = () => {
    if (--joined.users > 0) return false;
    open.delete(name);
    return true;
  };
  try {
    const { kv, lock } = await joined.opening;
    return {
      kv,
      release: () => {
        if (!leave()) return;
        kv.close();
        lock?.close(); // and the lock with it
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}

async function openStore(path: string | undefined, { shared, followSymlinks }: KvFileOptions) {
  if (path === undefined || isUrl(path)) return { kv: await Deno.openKv(path) };
  const file = resolve(path);
  if (!followSymlinks) await refuseSymlinks(path);
  await Deno.mkdir(dirname(file), { recursive: true });
  const lock = await Deno.open(`${file}.lock`, { read: true, write: true, create: true });
  try {
    // The system gives the lock back when the process ends, however it ends.
    if (!await lock.tryLock(!shared)) {
      throw new CacheError(
        "in-use",
        `${path} is in use by another process` +
          (shared
            ? ", which owns it: open it with shared: true there too"
            : ": close it there, or open it with shared: true in both"),
      );
    }
    return { kv: await Deno.openKv(file), lock };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Looks at what the caller named, and at what SQLite and the lock put beside it; not above a relative path. */
async function refuseSymlinks(path: string): Promise<void> {
  const file = resolve(path);
  const start = isAbsolute(path) ? "/" : Deno.cwd();
  const places = [`${file}.lock`, `${file}-wal`, `${file}-shm`];
  for (let place = file; place.startsWith(start) && place !== start; place = dirname(place)) {
    places.push(place);
    if (dirname(place) === place || !place.includes(sep)) break;
  }
  for (const place of places) {
    try {
      if ((await Deno.lstat(place)).isSymlink) {
        throw new CacheError(
          "path",
          `${path} leads through a symlink, ${place}: name the real path, or allow it with followSymlinks: true`,
        );
      }
    } catch (error) {
      // Above the folder that the program was granted there is nothing for it to look at.
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable)) throw error;
    }
  }
}
