/**
 * A topic with a configuration of its own: the addon's `Topic`.
 *
 * @module
 */

import { isObject } from "./arguments.ts";
import { type ConfObject, newTopicConf } from "../ffi/client_conf.ts";
import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";

/** A name, and what differs from the producer's topic configuration. */
export class TopicHandle {
  readonly #name: string;
  readonly #conf: ConfObject | null;

  /** @throws {Error} With librdkafka's text, if it refuses the configuration. */
  constructor(name: string, conf?: ConfObject | null) {
    if (arguments.length < 1) throw new Error("topic name is required");
    if (typeof name !== "string") throw new Error("Topic name must be a string");
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
   * The configuration for `rd_kafka_topic_new`, which takes it; NULL when there is none.
   *
   * @internal
   */
  newConf(): Pointer {
    return this.#conf === null ? null : newTopicConf(this.#conf);
  }
}
