/**
 * The addon: what `require("bindings")("confluent-kafka-javascript")` returns to the npm client's JavaScript. It does over
 * Deno FFI what the package's native addon does in C++.
 *
 * @module
 */

import { AdminClient } from "./admin_client.ts";
import { newConf } from "../ffi/client_conf.ts";
import { KafkaConsumer } from "./kafka_consumer.ts";
import { openLibrary } from "../ffi/library.ts";
import { readCString, readText } from "../ffi/memory.ts";
import { err2str } from "../ffi/native_error.ts";
import { Producer } from "./producer.ts";
import { TopicHandle } from "./topic_handle.ts";

/** The features that librdkafka was built with, separated by commas. */
function features(): string {
  const { symbols } = openLibrary();
  const conf = newConf({}, null);
  const text = new Uint8Array(1024), size = new BigUint64Array([BigInt(text.length)]);
  symbols.rd_kafka_conf_get(conf, new TextEncoder().encode("builtin.features\0"), text, size);
  symbols.rd_kafka_conf_destroy(conf);
  return readText(text);
}

/** Makes a class throw the native addon's error when it is called without `new`. */
// deno-lint-ignore no-explicit-any -- a class of any constructor
function requireNew<T extends new (...args: any[]) => object>(type: T): T {
  return new Proxy(type, {
    apply() {
      throw new Error("non-constructor invocation not supported");
    },
  });
}

/** The exports of the addon: the same as those of the native addon. */
export interface Addon {
  readonly KafkaConsumer: typeof KafkaConsumer;
  readonly Producer: typeof Producer;
  readonly AdminClient: typeof AdminClient;
  readonly Topic: typeof TopicHandle;
  readonly topic: Readonly<Record<string, number>>;
  readonly librdkafkaVersion: string;
  features(): string;
  err2str(code: number): string;
}

/**
 * The addon. There is one in a process.
 *
 * librdkafka is opened by the first use of a class, a function or `librdkafkaVersion`, which throws a `LibraryError` if
 * there is no librdkafka that can be used.
 */
export const addon: Addon = {
  KafkaConsumer: requireNew(KafkaConsumer),
  Producer: requireNew(Producer),
  AdminClient: requireNew(AdminClient),
  Topic: requireNew(TopicHandle),
  topic: {
    "RdKafka::Topic::PARTITION_UA": -1,
    "RdKafka::Topic::OFFSET_BEGINNING": -2,
    "RdKafka::Topic::OFFSET_END": -1,
    "RdKafka::Topic::OFFSET_STORED": -1000,
    "RdKafka::Topic::OFFSET_INVALID": -1001,
  },
  // A code that is not a number counts as 0.
  err2str: (code) => err2str(Number(code) | 0),
  features,
  get librdkafkaVersion() {
    return readCString(openLibrary().symbols.rd_kafka_version_str());
  },
};
