/**
 * The identity of a store: the same for every path that names it.
 *
 * @module
 */

import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { CacheError } from "../cache_error.ts";
import { registeredStores } from "./registered_stores.ts";

/**
 * The identity of the store at a path; undefined for `":memory:"`, where each Cache has a store of its own.
 *
 * @throws {CacheError} If the path leads through a symlink and `followSymlinks` is false.
 */
export async function storeIdentity(path: string | undefined, followSymlinks: boolean): Promise<string | undefined> {
  if (path === ":memory:") return undefined;
  if (path === undefined || isUrl(path)) return path ?? "";
  if (registeredStores.has(path)) return path;
  if (!followSymlinks) await refuseSymlinks(path);
  return await realPath(resolve(path));
}

/** Whether a path is the URL of a remote store. */
export function isUrl(path: string): boolean {
  return /^https?:\/\//.test(path);
}

/**
 * Refuses a path if it, or a file that SQLite or the lock puts beside it, is a symlink. Does not look above a relative
 * path, nor at the folders in the root folder: those are the system's, and macOS has symlinks at /tmp and /var.
 */
async function refuseSymlinks(path: string): Promise<void> {
  const file = resolve(path);
  const start = isAbsolute(path) ? "/" : Deno.cwd();
  const checked = [`${file}.lock`, `${file}-wal`, `${file}-shm`];
  for (let folder = file; folder.startsWith(start) && folder !== start; folder = dirname(folder)) {
    if (dirname(dirname(folder)) === dirname(folder)) break;
    checked.push(folder);
  }
  for (const one of checked) {
    if (await unlessMissing(() => Deno.lstat(one)).then((info) => info?.isSymlink)) {
      throw new CacheError(
        "path",
        `${path} leads through a symlink, ${one}: use the real path, or allow it with followSymlinks: true`,
      );
    }
  }
}

/** The path without symlinks. The last parts of the path need not exist yet. */
async function realPath(file: string): Promise<string> {
  const real = await unlessMissing(() => Deno.realPath(file));
  if (real !== undefined) return real;
  const target = await unlessMissing(() => Deno.readLink(file)); // a symlink to a file that does not exist
  const folder = dirname(file);
  if (target !== undefined) return await realPath(resolve(folder, target));
  return folder === file ? file : join(await realPath(folder), basename(file));
}

/** Undefined if there is no such file, or the program may not look there: it lies above what was granted. */
async function unlessMissing<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const { NotFound, NotCapable, NotADirectory, InvalidData } = Deno.errors;
    if ([NotFound, NotCapable, NotADirectory].some((type) => error instanceof type)) return undefined;
    // readLink() of a file that is not a link.
    if (error instanceof InvalidData || (error as { code?: string }).code === "EINVAL") return undefined;
    throw error;
  }
}
