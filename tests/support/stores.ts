/**
 * Where the Caches of a test keep their state: a file or memory; with `DENO_KV_URL` set, a server of remote Deno KV.
 *
 * @module
 */

import { startDenokv } from "../../tools/denokv.ts";

/** Whether the stores of tests are remote: `deno task test:remote`. */
export const REMOTE: boolean = Deno.env.has("DENO_KV_URL");

/** A store of a test's own. */
export interface TestStore extends AsyncDisposable {
  /** For `new Cache(path)` and `Deno.openKv(path)`. */
  readonly path: string;
}

/**
 * A store that nobody has used: a file that is not there yet, or a server of its own.
 *
 * @param where `"memory"` where a test opens the store once, so that it need not be a file
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

/** A test about the file itself, such as its locks: a remote store has none. */
export function fileTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: REMOTE, fn });
}
