/**
 * The KV store under a Cache: found, checked, locked and opened once in a process, closed when nobody uses it.
 *
 * @module
 */

import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { CacheError, ofStore } from "../cache_error.ts";
import { backOff, RetryingKv } from "./retrying_kv.ts";

/** For how long a remote store is asked again before it counts as one that can't be opened. */
const REMOTE_PATIENCE_MS = 5_000;

/** An open store and who may write to it. */
export interface KvStore {
  readonly kv: RetryingKv;
  /** Gives it back; the last one to do so closes it. */
  release(): void;
}

interface Open {
  users: number;
  readonly shared: boolean;
  readonly opening: Promise<{ kv: RetryingKv; lock?: Deno.FsFile }>;
}

const open = new Map<string, Open>();

/** Stores that are neither files nor remote, by path; `registered_store.ts` says what for. */
export const registered: Map<string, () => Deno.Kv | Promise<Deno.Kv>> = new Map();

/** Forgets who has a store open, such as a program that a simulation has let crash: the next one opens it anew. */
export function forgetKvStore(name: string): void {
  open.delete(name);
}

/**
 * What a store goes by, by whatever path it is named; undefined for a store in memory, of which each is its own.
 *
 * @throws {CacheError} If its path goes through a symlink that is not to be followed.
 */
export async function storeIdentity(path: string | undefined, followSymlinks: boolean): Promise<string | undefined> {
  if (path === ":memory:") return undefined;
  if (path === undefined || isUrl(path)) return path ?? "";
  if (registered.has(path)) return path;
  if (!followSymlinks) await refuseSymlinks(path);
  return await realPath(resolve(path));
}

/** Whether it is a remote store. */
export function isUrl(path: string): boolean {
  return /^https?:\/\//.test(path);
}

/**
 * Opens a store, or joins those in this process who have it open.
 *
 * @param name what it goes by
 * @throws {CacheError} If it is in use by another process, or KV is not enabled.
 */
export async function openKvStore(
  path: string | undefined,
  name: string | undefined,
  shared: boolean,
): Promise<KvStore> {
  if (typeof Deno.openKv !== "function" && !registered.has(path ?? "")) {
    throw new CacheError(
      "unstable",
      'A Cache needs Deno KV: run with --unstable-kv, or put "unstable": ["kv"] into deno.json',
    );
  }
  if (name === undefined) {
    const kv = new RetryingKv(await Deno.openKv(":memory:"), ":memory:", shared);
    return { kv, release: () => kv.close() };
  }
  let entry = open.get(name);
  if (entry === undefined) {
    entry = { users: 0, shared, opening: openStore(path, name, shared) };
    open.set(name, entry);
  } else if (entry.shared !== shared) {
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
    if (open.get(name) === joined) open.delete(name);
    return true;
  };
  try {
    const { kv, lock } = await joined.opening;
    return {
      kv,
      release: () => {
        if (!leave()) return;
        kv.close();
        if (lock !== undefined) unlock(lock);
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}

async function openStore(path: string | undefined, file: string, shared: boolean) {
  const name = path ?? "on the default store";
  const openRegistered = path === undefined ? undefined : registered.get(path);
  if (openRegistered !== undefined) return { kv: new RetryingKv(await openRegistered(), name, shared) };
  try {
    if (path === undefined) return { kv: new RetryingKv(await Deno.openKv(), name, shared) };
    if (isUrl(path)) return { kv: new RetryingKv(await openRemote(path), name, shared) };
    return await openFile(path, file, shared);
  } catch (error) {
    // Deno says itself what permission is missing.
    if (error instanceof CacheError || error instanceof Deno.errors.NotCapable) throw error;
    const known = ofStore(error, name);
    if (known instanceof CacheError) throw known;
    const why = error instanceof Error ? error.message : String(error);
    throw new CacheError("path", `The Cache ${name} can't be opened: ${why}`, { cause: error });
  }
}

/**
 * Opens a remote store. Deno asks its server once; a server that can't be reached, or is busy, is asked again here.
 *
 * @throws {TypeError} What Deno said last, when nothing has come for five seconds; at once if the server refuses.
 */
async function openRemote(url: string): Promise<Deno.Kv> {
  const started = Date.now();
  for (let attempt = 0;; attempt++) {
    try {
      return await Deno.openKv(url);
    } catch (error) {
      const isPassing = /failed to connect|responded with status (429|5\d\d)/.test(String(error));
      if (!isPassing || Date.now() - started > REMOTE_PATIENCE_MS) throw error;
      await backOff(attempt);
    }
  }
}

/**
 * Gives a lock back. Closing the file is not enough: a process that another thread starts at this moment has the file
 * open too until it runs its own program, and would keep the lock for as long.
 */
function unlock(lock: Deno.FsFile): void {
  lock.unlockSync();
  lock.close();
}

async function openFile(path: string, file: string, shared: boolean) {
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
    return { kv: new RetryingKv(await Deno.openKv(file), path, shared), lock };
  } catch (error) {
    unlock(lock);
    throw error;
  }
}

/**
 * Looks at what the caller named, and at what SQLite and the lock put beside it; not above a relative path. What lies
 * in the root folder is the system's: macOS has /tmp and /var as symlinks.
 */
async function refuseSymlinks(path: string): Promise<void> {
  const file = resolve(path);
  const start = isAbsolute(path) ? "/" : Deno.cwd();
  const places = [`${file}.lock`, `${file}-wal`, `${file}-shm`];
  for (let place = file; place.startsWith(start) && place !== start; place = dirname(place)) {
    if (dirname(dirname(place)) === dirname(place)) break;
    places.push(place);
  }
  for (const place of places) {
    if (await unlessAway(() => Deno.lstat(place)).then((info) => info?.isSymlink)) {
      throw new CacheError(
        "path",
        `${path} leads through a symlink, ${place}: name the real path, or allow it with followSymlinks: true`,
      );
    }
  }
}

/** Where a path ends up; what is not there yet goes by the name that it will be made with. */
async function realPath(file: string): Promise<string> {
  const real = await unlessAway(() => Deno.realPath(file));
  if (real !== undefined) return real;
  const target = await unlessAway(() => Deno.readLink(file)); // to what is not there
  const folder = dirname(file);
  if (target !== undefined) return await realPath(resolve(folder, target));
  return folder === file ? file : join(await realPath(folder), basename(file));
}

/** Nothing, when there is nothing, or the program may not look: above what it was granted. */
async function unlessAway<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const { NotFound, NotCapable, NotADirectory, InvalidData } = Deno.errors;
    if ([NotFound, NotCapable, NotADirectory].some((type) => error instanceof type)) return undefined;
    // Whoever reads a link where there is none.
    if (error instanceof InvalidData || (error as { code?: string }).code === "EINVAL") return undefined;
    throw error;
  }
}
