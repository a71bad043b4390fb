/**
 * Finds the npm package `@confluentinc/kafka-javascript`, which contains librdkafka's sources, in Deno's cache.
 *
 * @module
 */

import Module from "node:module";
import { runModule } from "./commands.ts";

/**
 * The package's folder. Deno downloads the package if it is not in the cache.
 *
 * Deno has no way to ask for the folder of a package, so the package is loaded until it requests its addon: the requesting
 * file is in the folder. That ends the load, so it happens in another process.
 *
 * @throws {Error} If the package can't be downloaded.
 */
export async function packageFolder(): Promise<string> {
  return await runModule(import.meta.url);
}

if (import.meta.main) {
  const module = Module as unknown as {
    _load: (request: string, parent: { filename: string }, isMain: boolean) => unknown;
  };
  const original = module._load;
  module._load = function (this: unknown, request, parent, isMain) {
    if (request !== "bindings") return original.call(this, request, parent, isMain);
    // The file that requests the addon lies at the top of the package.
    console.log(parent.filename.replace(/[/\\][^/\\]+$/, ""));
    Deno.exit(0);
  };
  await import("@confluentinc/kafka-javascript");
}
