/**
 * Stores for the Caches of a test: a file or memory, or with `DENO_KV_URL` set a server of remote Deno KV.
 *
 * @module
 */

import { startDenokv } from "../../tools/denokv.ts";

/** Whether tests use remote stores: `deno task test:remote`. */
export const REMOTE: boolean = Deno.env.has("DENO_KV_URL");

/** A store for one test. */
export interface TestStore extends AsyncDisposable {
  /** For `new Cache(path)` and `Deno.openKv(path)`. */
  readonly path: string;
}

/**
 * A new store: a file that does not exist yet, or a new server.
 *
 * @param where `"memory"` if the test opens the store only once
 */
export async function freshStore(where: "file" | "memory" = "file"): Promise<TestStore> {
  if (REMOTE) {
    const server = await startDenokv({ token: Deno.env.get("DENO_KV_ACCESS_TOKEN")! });
    return { path: server.url, [Symbol.asyncDispose]: server.stop };
  }
  if (where === "memory") return { path: ":memory:", async [Symbol.asyncDispose]() {} };
  const folder = await Deno.makeTempDir();
  return {
    path: `${folder}/state/cache`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** A test about the file itself, such as its locks. It is ignored on a remote store. */
export function fileTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: REMOTE, fn });
}
