/**
 * The npm client on Deno: its own JavaScript over our binding.
 *
 * @module
 */

import Module from "node:module";
import { newBinding } from "./binding.ts";

/** What `@confluentinc/kafka-javascript` exports. */
export type KafkaJavascript = typeof import("@confluentinc/kafka-javascript");

export type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  ProducerGlobalConfig,
  ProducerTopicConfig,
} from "@confluentinc/kafka-javascript/types/config.d.ts";

type Load = (request: string, parent: unknown, isMain: boolean) => unknown;

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
  const binding = newBinding();
  // The package asks for its addon in one place, while it is loaded: answer there, and nowhere else.
  const module = Module as unknown as { _load: Load };
  const original = module._load;
  module._load = function (this: unknown, request, parent, isMain) {
    return request === "bindings" ? () => binding : original.call(this, request, parent, isMain);
  };
  try {
    const imported = await import("@confluentinc/kafka-javascript") as { default?: KafkaJavascript } & KafkaJavascript;
    return imported.default ?? imported;
  } finally {
    module._load = original;
  }
}
