/**
 * Answering requests for the npm client's addon, wherever they come from.
 *
 * @module
 */

import Module from "node:module";
import { addon } from "./addon.ts";

type Load = (this: unknown, request: string, parent: unknown, isMain: boolean) => unknown;

const ADDON = "confluent-kafka-javascript";
/** The addon's file, asked for by its path; a folder that is called as the addon is not it. */
const ADDON_FILE =
  /(^|[\\/])(build[\\/](Release|Debug)[\\/]confluent-kafka-javascript|confluent-kafka-javascript\.node)$/;

/**
 * From now on CommonJS modules that ask for the npm client's addon get the addon: by
 * `require("bindings")("confluent-kafka-javascript")`, or by the path of its file. Requests for anything else, other
 * addons too, go where they went before.
 *
 * So a copy of the npm client that was never built (a checkout, a fork, a `node_modules` whose install scripts did not
 * run) loads as if it had been, and its test suite runs on Deno. Opens nothing: the addon does, when it is used.
 *
 * @returns What takes it back when it is disposed of; modules that are loaded keep what they got. It may be dropped:
 * the registration then lasts.
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
      if (name === ADDON || name === `${ADDON}.node`) return addon;
      // Not ours: the package `bindings` itself, whether it is there or not.
      return (original.call(this, request, parent, isMain) as (options: unknown) => unknown)(options);
    };
  };
  module._load = answer;
  return {
    [Symbol.dispose]() {
      ended = true;
      // Another one may have come later: it goes on, over this one, which passes everything on.
      if (module._load === answer) module._load = original;
    },
  };
}
