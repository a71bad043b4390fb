/**
 * The addon's `Topic`: a topic's name with a configuration of its own.
 *
 * @module
 */

import { isObject, requireCount, requireString } from "./arguments.ts";
import { type ConfObject, newTopicConf } from "../ffi/client_conf.ts";
import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";

/** A topic's name, and the properties in which it differs from the producer's topic configuration. */
export class TopicHandle {
  readonly #name: string;
  readonly #conf: ConfObject | null;

  /** @throws {Error} With librdkafka's text, if it refuses the configuration. */
  constructor(name: string, conf?: ConfObject | null) {
    requireCount(arguments.length, 1, "topic name is required");
    requireString(name, "Topic name must be a string");
    if (conf !== undefined && conf !== null && !isObject(conf)) {
      throw new Error("Configuration data must be specified");
    }
    this.#name = name;
    this.#conf = conf ? { ...conf } : null;
    if (this.#conf !== null) openLibrary().symbols.rd_kafka_topic_conf_destroy(newTopicConf(this.#conf));
  }

  name(): string {
    return this.#name;
  }

  /**
   * Makes the configuration for `rd_kafka_topic_new`, which takes ownership of it; NULL when the topic has none.
   *
   * @internal
   */
  newConf(): Pointer {
    return this.#conf === null ? null : newTopicConf(this.#conf);
  }
}
