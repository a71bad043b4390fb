/**
 * Loads the npm client on Deno: its own JavaScript, over the addon of this room.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { register } from "./register.ts";

/** The exports of `@confluentinc/kafka-javascript`. */
export type KafkaJavascript = typeof import("@confluentinc/kafka-javascript");

export type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  ProducerGlobalConfig,
  ProducerTopicConfig,
} from "@confluentinc/kafka-javascript/types/config.d.ts";

let loaded: Promise<KafkaJavascript> | undefined;

/**
 * Loads the npm client, once in a process. Opens librdkafka first.
 *
 * @throws {LibraryError} If there is no librdkafka that can be used.
 */
export function loadKafkaJavascript(): Promise<KafkaJavascript> {
  return loaded ??= load().catch((error) => {
    // The next call tries again: librdkafka may be installed by then.
    loaded = undefined;
    throw error;
  });
}

async function load(): Promise<KafkaJavascript> {
  openLibrary();
  // The package requires its addon while it is loaded; the registration ends after that.
  using _registration = register();
  const imported = await import("@confluentinc/kafka-javascript") as { default?: KafkaJavascript } & KafkaJavascript;
  return imported.default ?? imported;
}
