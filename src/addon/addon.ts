/**
 * What `require("bindings")("confluent-kafka-javascript")` answers: the native half of the npm client, over FFI.
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
import { Topic } from "./topic_handle.ts";

/** The features librdkafka was built with, comma-separated. */
function features(): string {
  const { symbols } = openLibrary();
  const conf = newConf({}, null);
  const text = new Uint8Array(1024), size = new BigUint64Array([BigInt(text.length)]);
  symbols.rd_kafka_conf_get(conf, new TextEncoder().encode("builtin.features\0"), text, size);
  symbols.rd_kafka_conf_destroy(conf);
  return readText(text);
}

/** A class that says in the addon's words that it must be called with `new`. */
// deno-lint-ignore no-explicit-any -- a class of any constructor
function constructed<T extends new (...args: any[]) => object>(type: T): T {
  return new Proxy(type, {
    apply() {
      throw new Error("non-constructor invocation not supported");
    },
  });
}

/** The exports of the addon. */
export interface Binding {
  readonly KafkaConsumer: typeof KafkaConsumer;
  readonly Producer: typeof Producer;
  readonly AdminClient: typeof AdminClient;
  readonly Topic: typeof Topic;
  readonly topic: Readonly<Record<string, number>>;
  readonly librdkafkaVersion: string;
  features(): string;
  err2str(code: number): string;
}

/**
 * The binding, one for the process. It opens nothing by itself: its functions, its version and its clients do.
 *
 * The first use of them throws a `LibraryError` if there is no librdkafka that can be used.
 */
export const binding: Binding = {
  KafkaConsumer: constructed(KafkaConsumer),
  Producer: constructed(Producer),
  AdminClient: constructed(AdminClient),
  Topic: constructed(Topic),
  topic: {
    "RdKafka::Topic::PARTITION_UA": -1,
    "RdKafka::Topic::OFFSET_BEGINNING": -2,
    "RdKafka::Topic::OFFSET_END": -1,
    "RdKafka::Topic::OFFSET_STORED": -1000,
    "RdKafka::Topic::OFFSET_INVALID": -1001,
  },
  // Whatever is no number counts as 0.
  err2str: (code) => err2str(Number(code) | 0),
  features,
  get librdkafkaVersion() {
    return readCString(openLibrary().symbols.rd_kafka_version_str());
  },
};
