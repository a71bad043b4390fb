/**
 * The npm client on Deno: its own JavaScript over our binding.
 *
 * @module
 */

import Module from "node:module";
import { nativeBinding } from "./binding.ts";

/** What `@confluentinc/kafka-javascript` exports. */
export type KafkaJavascript = typeof import("@confluentinc/kafka-javascript");

export type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  ProducerGlobalConfig,
  ProducerTopicConfig,
} from "@confluentinc/kafka-javascript/types/config.d.ts";

type Load = (request: string, parent: unknown, isMain: boolean) => unknown;
type Loader = { _load: Load };

const ADDON = "confluent-kafka-javascript";

let loaded: Promise<KafkaJavascript> | undefined;

/**
 * Loads the npm client, once. Opens librdkafka first.
 *
 * @throws {LibraryError} If there is no librdkafka that can be used.
 */
export function loadKafkaJavascript(): Promise<KafkaJavascript> {
  return loaded ??= load().catch((error) => {
    // Whoever installs librdkafka and asks again gets another chance.
    loaded = undefined;
    throw error;
  });
}

async function load(): Promise<KafkaJavascript> {
  using _registration = register();
  const imported = await import("@confluentinc/kafka-javascript") as { default?: KafkaJavascript } & KafkaJavascript;
  return imported.default ?? imported;
}

/**
 * Lets `require("bindings")("confluent-kafka-javascript")` answer the binding, in every CommonJS module that is loaded
 * from now on; other addons are left alone. With it, a copy of the package runs without its addon: its own test suite,
 * say, by `deno run -A --preload` of a module that calls this. Opens librdkafka.
 *
 * @returns What takes it back when it is disposed of. It may be dropped: the registration then lasts.
 * @throws {LibraryError} If there is no librdkafka that can be used.
 */
export function register(): Disposable {
  const binding = nativeBinding(), module = Module as unknown as Loader;
  const original = module._load;
  const load: Load = function (this: unknown, request, parent, isMain) {
    if (request !== "bindings") return original.call(this, request, parent, isMain);
    return (addon: unknown) => {
      if (addon === ADDON) return binding;
      return (original.call(this, request, parent, isMain) as (addon: unknown) => unknown)(addon);
    };
  };
  module._load = load;
  return {
    [Symbol.dispose]() {
      // Another one that came later goes on, over this one.
      if (module._load === load) module._load = original;
    },
  };
}
