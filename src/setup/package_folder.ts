/**
 * Where Deno keeps the npm package `@confluentinc/kafka-javascript`, which carries librdkafka's sources.
 *
 * @module
 */

import Module from "node:module";
import { runModule } from "./commands.ts";

/**
 * The package's folder; Deno fetches the package when it is not there yet.
 *
 * Deno does not tell, but the package itself does: when it asks for its addon. A program of its own finds out, since
 * the package's loading breaks there.
 *
 * @throws {Error} If the package can't be fetched.
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
    // The package asks for its addon in a file at its top: that is all there is to know.
    console.log(parent.filename.replace(/[/\\][^/\\]+$/, ""));
    Deno.exit(0);
  };
  await import("@confluentinc/kafka-javascript");
}
