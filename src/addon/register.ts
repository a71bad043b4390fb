/**
 * Answers requests of CommonJS modules for the npm client's native addon.
 *
 * @module
 */

import Module from "node:module";
import { addon } from "./addon.ts";

type Load = (this: unknown, request: string, parent: unknown, isMain: boolean) => unknown;

const ADDON_NAME = "confluent-kafka-javascript";
/** The path of the native addon's file. A folder of the same name does not match. */
const ADDON_FILE =
  /(^|[\\/])(build[\\/](Release|Debug)[\\/]confluent-kafka-javascript|confluent-kafka-javascript\.node)$/;

/**
 * Makes `require()` answer requests for the npm client's native addon with the addon of this room. CommonJS modules make
 * such requests by `require("bindings")("confluent-kafka-javascript")`, or by the path of the addon's file. All other
 * requests, also for other addons, are answered as before.
 *
 * A copy of the npm client whose native addon was never built (a checkout, a fork, a `node_modules` whose install scripts
 * did not run) then loads as if it had been built, and its test suite runs on Deno. librdkafka is not opened before the
 * addon is used.
 *
 * @returns The registration. Disposing of it ends it; modules that are loaded keep the addon. If it is never disposed of,
 * it lasts as long as the process.
 */
export function register(): Disposable {
  const module = Module as unknown as { _load: Load };
  const original = module._load;
  let ended = false;
  const answer: Load = function (request, parent, isMain) {
    if (ended) return original.call(this, request, parent, isMain);
    if (ADDON_FILE.test(request)) return addon;
    if (request !== "bindings") return original.call(this, request, parent, isMain);
    return (options: unknown) => {
      const name = typeof options === "string" ? options : (options as { bindings?: unknown } | null)?.bindings;
      if (name === ADDON_NAME || name === `${ADDON_NAME}.node`) return addon;
      // Another addon: the package `bindings` itself answers, if it is installed.
      return (original.call(this, request, parent, isMain) as (options: unknown) => unknown)(options);
    };
  };
  module._load = answer;
  return {
    [Symbol.dispose]() {
      ended = true;
      // A later registration calls this one, which from now on passes every request on.
      if (module._load === answer) module._load = original;
    },
  };
}
