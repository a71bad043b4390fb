/**
 * Trying a librdkafka in a program of its own, so that a bad one can do no harm to this one.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { runModule } from "./commands.ts";

/**
 * Opens a librdkafka in a program of its own.
 *
 * @returns its version
 * @throws {Error} If it can't be used: says why.
 */
export async function verify(path: string): Promise<string> {
  return await runModule(import.meta.url, { env: { LIBRDKAFKA_PATH: path } });
}

if (import.meta.main) console.log(openLibrary().version);
