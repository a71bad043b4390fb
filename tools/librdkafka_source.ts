/**
 * Reads librdkafka's sources, which are in the package of the npm client.
 *
 * @module
 */

import { join } from "node:path";
import { packageFolder } from "../src/setup/package_folder.ts";

/** The folder of librdkafka's sources. */
export async function sourceFolder(): Promise<string> {
  return join(await packageFolder(), "deps", "librdkafka");
}

/** Reads a file of librdkafka's sources, such as `src/rdkafka.h`. */
export async function readSource(path: string): Promise<string> {
  return await Deno.readTextFile(join(await sourceFolder(), path));
}
