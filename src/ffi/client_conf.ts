/**
 * A `rd_kafka_conf_t` from the npm client's configuration objects.
 *
 * @module
 */

import { openLibrary } from "./library.ts";
import { cString, type Pointer, readText } from "./memory.ts";

/** A configuration object as the npm client has it: function values are callbacks and not librdkafka's. */
export type ConfObject = Readonly<Record<string, unknown>>;

const ERROR_TEXT_BYTES = 512;

/**
 * Makes a configuration, which the caller owns.
 *
 * @throws {Error} With librdkafka's text, if it refuses a name or a value.
 */
export function newConf(globalConf: ConfObject, topicConf: ConfObject | null | undefined): Pointer {
  const { symbols } = openLibrary();
  const conf = symbols.rd_kafka_conf_new();
  const topic = topicConf ? symbols.rd_kafka_topic_conf_new() : null;
  try {
    setAll(globalConf, (...args) => symbols.rd_kafka_conf_set(conf, ...args));
    if (topic !== null) setAll(topicConf!, (...args) => symbols.rd_kafka_topic_conf_set(topic, ...args));
  } catch (error) {
    symbols.rd_kafka_conf_destroy(conf);
    if (topic !== null) symbols.rd_kafka_topic_conf_destroy(topic);
    throw error;
  }
  // Owned by conf from here on.
  if (topic !== null) symbols.rd_kafka_conf_set_default_topic_conf(conf, topic);
  return conf;
}

/**
 * Makes a topic's configuration, which the caller owns.
 *
 * @throws {Error} With librdkafka's text, if it refuses a name or a value.
 */
export function newTopicConf(values: ConfObject): Pointer {
  const { symbols } = openLibrary();
  const conf = symbols.rd_kafka_topic_conf_new();
  try {
    setAll(values, (...args) => symbols.rd_kafka_topic_conf_set(conf, ...args));
  } catch (error) {
    symbols.rd_kafka_topic_conf_destroy(conf);
    throw error;
  }
  return conf;
}

type Buffer8 = Uint8Array<ArrayBuffer>;

function setAll(
  values: ConfObject,
  set: (name: Buffer8, value: Buffer8, text: Buffer8, size: bigint) => number,
): void {
  const text = new Uint8Array(ERROR_TEXT_BYTES);
  for (const [name, value] of Object.entries(values)) {
    // What has a number for its name is left out, too: an element of an array.
    if (typeof value === "function" || /^(?:0|[1-9]\d*)$/.test(name)) continue;
    // A symbol has no text, and concatenation says so where String() would make one up.
    if (set(cString(name), cString(`${value}`), text, BigInt(text.length)) !== 0) throw new Error(readText(text));
  }
}

/** Makes a client of the configuration, which is then librdkafka's; frees it when that fails. */
export function newClient(type: "producer" | "consumer", conf: Pointer): { rk: Pointer } | { error: string } {
  const { symbols } = openLibrary();
  const text = new Uint8Array(ERROR_TEXT_BYTES);
  const rk = symbols.rd_kafka_new(type === "producer" ? 0 : 1, conf, text, BigInt(text.length));
  if (rk !== null) return { rk };
  symbols.rd_kafka_conf_destroy(conf);
  return { error: readText(text) };
}

/** What a configuration has under a name, as librdkafka writes it; empty if it has no such property. */
export function confValue(conf: Pointer, name: string): string {
  const text = new Uint8Array(ERROR_TEXT_BYTES), size = new BigUint64Array([BigInt(ERROR_TEXT_BYTES)]);
  return openLibrary().symbols.rd_kafka_conf_get(conf, cString(name), text, size) === 0 ? readText(text) : "";
}
