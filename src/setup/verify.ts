/**
 * Opens a librdkafka on trial in another process, which a bad library may crash.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { runModule } from "./commands.ts";

/**
 * Opens a librdkafka in another process.
 *
 * @returns its version
 * @throws {Error} If it can't be used. The message says why.
 */
export async function verify(path: string): Promise<string> {
  return await runModule(import.meta.url, { env: { LIBRDKAFKA_PATH: path } });
}

if (import.meta.main) console.log(openLibrary().version);
