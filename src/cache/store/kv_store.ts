/**
 * The KV stores that are open in this process. Each is locked and opened once, and closed by its last user.
 *
 * @module
 */

import { dirname } from "node:path";
import { CacheError, diskError } from "../cache_error.ts";
import { registeredStores } from "./registered_stores.ts";
import { RetryingKv, retryWhile } from "./retrying_kv.ts";
import { isUrl } from "./store_identity.ts";

/** How long to ask a remote store again that can't be reached, before opening it fails. */
const MAX_UNREACHABLE_MS = 5_000;

/** An open store. */
export interface KvStore {
  readonly kv: RetryingKv;
  /** Releases the store. The last user to do so closes it. */
  release(): void;
}

/** A store that is open, or being opened. */
interface OpenStore {
  users: number;
  readonly shared: boolean;
  readonly opening: Promise<{ kv: RetryingKv; lock?: Deno.FsFile }>;
}

const openStores = new Map<string, OpenStore>();

/** Forgets an open store without closing it: one of a program that a simulation has made to crash. */
export function forgetKvStore(identity: string): void {
  openStores.delete(identity);
}

/**
 * Opens a store, or joins those who have it open in this process.
 *
 * @param identity what `storeIdentity()` returns for the path
 * @throws {CacheError} If KV is not enabled, the store can't be opened, or it is in use by another process or, in this
 *   one, with another value of `shared`.
 */
export async function openKvStore(
  path: string | undefined,
  identity: string | undefined,
  shared: boolean,
): Promise<KvStore> {
  if (typeof Deno.openKv !== "function" && !registeredStores.has(path ?? "")) {
    throw new CacheError(
      "unstable",
      'A Cache needs Deno KV: run with --unstable-kv, or put "unstable": ["kv"] into deno.json',
    );
  }
  if (identity === undefined) {
    const kv = new RetryingKv(await Deno.openKv(":memory:"), ":memory:", shared);
    return { kv, release: () => kv.close() };
  }
  let entry = openStores.get(identity);
  if (entry === undefined) {
    entry = { users: 0, shared, opening: openStore(path, identity, shared) };
    openStores.set(identity, entry);
  } else if (entry.shared !== shared) {
    throw new CacheError(
      "in-use",
      `${
        path ?? "The default store"
      } is open in this process with shared: ${entry.shared}: use the same value everywhere`,
    );
  }
  const joined = entry;
  joined.users++;
  /** Counts one user less; returns whether that was the last one. */
  const leave = () => {
    if (--joined.users > 0) return false;
    if (openStores.get(identity) === joined) openStores.delete(identity);
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
  const openRegistered = path === undefined ? undefined : registeredStores.get(path);
  if (openRegistered !== undefined) return { kv: new RetryingKv(await openRegistered(), name, shared) };
  try {
    if (path === undefined) return { kv: new RetryingKv(await Deno.openKv(), name, shared) };
    if (isUrl(path)) return { kv: new RetryingKv(await openRemote(path), name, shared) };
    return await openFile(path, file, shared);
  } catch (error) {
    // Deno's own error names the permission that is missing.
    if (error instanceof CacheError || error instanceof Deno.errors.NotCapable) throw error;
    const known = diskError(error, name);
    if (known instanceof CacheError) throw known;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CacheError("path", `The Cache ${name} can't be opened: ${reason}`, { cause: error });
  }
}

/**
 * Opens a remote store. Deno asks its server only once, so a server that is busy or can't be reached is asked again
 * here.
 *
 * @throws {TypeError} The last error of Deno: after five seconds, or at once if the server refuses.
 */
function openRemote(url: string): Promise<Deno.Kv> {
  return retryWhile(/failed to connect|responded with status (429|5\d\d)/, MAX_UNREACHABLE_MS, () => Deno.openKv(url));
}

/**
 * Releases a lock. Closing the file is not enough: a child process that another thread starts at this moment has the
 * file open too, until it runs its own program, and would hold the lock for that long.
 */
function unlock(lock: Deno.FsFile): void {
  lock.unlockSync();
  lock.close();
}

async function openFile(path: string, file: string, shared: boolean) {
  await Deno.mkdir(dirname(file), { recursive: true });
  const lock = await Deno.open(`${file}.lock`, { read: true, write: true, create: true });
  try {
    // The system releases the lock when the process ends, also when it is killed.
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
