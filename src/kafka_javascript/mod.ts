/**
 * The official Kafka client, `npm:@confluentinc/kafka-javascript`, on Deno: its own JavaScript and types, unchanged,
 * over librdkafka by FFI instead of the package's native addon.
 *
 * - `KafkaJS` is the promise API, `Producer`, `KafkaConsumer` and
 *   `AdminClient` the callback API; the package's documentation holds for both.
 * - Importing this module opens librdkafka, as importing the package on Node loads its addon; it needs `--allow-ffi`,
 *   `--allow-env`, `--allow-read` and `--allow-sys`. Nothing else in slipstream opens it before it is used.
 * - Clients share one native thread that waits; a process ends by itself when all are disconnected.
 *
 * @example Write a message and read it
 * ```ts
 * import assert from "node:assert/strict";
 * import { KafkaJS } from "@slipstream/slipstream/kafka-javascript";
 * import { LocalBroker } from "@slipstream/slipstream/testing";
 *
 * await using broker = await LocalBroker.start();
 * const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: [broker.bootstrapServers], logLevel: KafkaJS.logLevel.NOTHING } });
 * const producer = kafka.producer();
 * await producer.connect();
 * await producer.send({ topic: "greetings", messages: [{ value: "hello" }] });
 * await producer.disconnect();
 *
 * const consumer = kafka.consumer({ kafkaJS: { groupId: "readers", fromBeginning: true } });
 * await consumer.connect();
 * await consumer.subscribe({ topic: "greetings" });
 * const value = await new Promise((resolve) =>
 *   consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) })
 * );
 * await consumer.disconnect();
 * assert.equal(value, "hello");
 * ```
 *
 * @module
 */

import { addon as native } from "../addon/addon.ts";

// @ts-types="npm:@confluentinc/kafka-javascript@1.10.1"
export * from "./client.js";
// @ts-types="npm:@confluentinc/kafka-javascript@1.10.1"
export { default } from "./client.js";
export { register } from "../addon/register.ts";

/** The native half of a client, as the package's JavaScript calls it. */
// deno-lint-ignore no-explicit-any
export type NativeClass = new (...args: any[]) => object;

/** The exports of the addon: the same as those of the package's native addon. */
export interface Addon {
  /** `new (globalConf, topicConf)` */
  readonly KafkaConsumer: NativeClass;
  /** `new (globalConf, topicConf)` */
  readonly Producer: NativeClass;
  /** `new (globalConf, topicConf?, existing?)` */
  readonly AdminClient: NativeClass;
  /** `new (name, topicConf?)`: a topic with a configuration of its own. */
  readonly Topic: NativeClass;
  /** librdkafka's special offsets and partitions, by names such as `"RdKafka::Topic::OFFSET_END"`. */
  readonly topic: Readonly<Record<string, number>>;
  /** The version of librdkafka. */
  readonly librdkafkaVersion: string;
  /** What librdkafka was built with, comma-separated. */
  readonly features: () => string;
  /** librdkafka's text for one of its error codes. */
  readonly err2str: (code: number) => string;
}

/**
 * The native half of the package, written in TypeScript over Deno FFI: what
 * `require("bindings")("confluent-kafka-javascript")` returns to the package's JavaScript. Export it from your own module
 * loader or test runner. The client that this module exports runs on the same object.
 */
export const addon: Addon = native;
