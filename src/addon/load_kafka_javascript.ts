/**
 * The npm client on Deno: its own JavaScript over our addon.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { register } from "./register.ts";

/** What `@confluentinc/kafka-javascript` exports. */
export type KafkaJavascript = typeof import("@confluentinc/kafka-javascript");

export type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  ProducerGlobalConfig,
  ProducerTopicConfig,
} from "@confluentinc/kafka-javascript/types/config.d.ts";

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
  openLibrary();
  // The package asks for its addon while it is loaded: answer then, and not for good.
  using _registration = register();
  const imported = await import("@confluentinc/kafka-javascript") as { default?: KafkaJavascript } & KafkaJavascript;
  return imported.default ?? imported;
}
