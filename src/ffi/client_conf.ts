/**
 * Makes a `rd_kafka_conf_t` from the configuration objects of the npm client, and a client from it.
 *
 * @module
 */

import { openLibrary } from "./library.ts";
import { cString, type Pointer, readText } from "./memory.ts";

/** A configuration object of the npm client. Its functions are callbacks of the npm client, and not passed to librdkafka. */
export type ConfObject = Readonly<Record<string, unknown>>;

const ERROR_TEXT_BYTES = 512;

/**
 * Makes a client's configuration. The caller owns it.
 *
 * @throws {Error} If librdkafka refuses a name or a value; the message is librdkafka's.
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
  // From here on conf owns it.
  if (topic !== null) symbols.rd_kafka_conf_set_default_topic_conf(conf, topic);
  return conf;
}

/**
 * Makes a topic's configuration. The caller owns it.
 *
 * @throws {Error} If librdkafka refuses a name or a value; the message is librdkafka's.
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
    // A number as a name comes from an array in place of an object: the package's addon ignores it.
    if (typeof value === "function" || /^(?:0|[1-9]\d*)$/.test(name)) continue;
    // A template throws for a symbol, where String() would turn it into a text.
    if (set(cString(name), cString(`${value}`), text, BigInt(text.length)) !== 0) throw new Error(readText(text));
  }
}

/** Makes a client, which then owns the configuration. If it fails, the configuration is freed. */
export function newClient(type: "producer" | "consumer", conf: Pointer): { rk: Pointer } | { error: string } {
  const { symbols } = openLibrary();
  const text = new Uint8Array(ERROR_TEXT_BYTES);
  const rk = symbols.rd_kafka_new(type === "producer" ? 0 : 1, conf, text, BigInt(text.length));
  if (rk !== null) return { rk };
  symbols.rd_kafka_conf_destroy(conf);
  return { error: readText(text) };
}

/** The value of a property, as librdkafka writes it; `""` if there is no such property. */
export function confValue(conf: Pointer, name: string): string {
  const text = new Uint8Array(ERROR_TEXT_BYTES), size = new BigUint64Array([BigInt(ERROR_TEXT_BYTES)]);
  return openLibrary().symbols.rd_kafka_conf_get(conf, cString(name), text, size) === 0 ? readText(text) : "";
}
