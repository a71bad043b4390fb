/**
 * Confluent's Kafka client, `npm:@confluentinc/kafka-javascript`, on Deno. Its JavaScript and its types are unchanged; in
 * place of its native addon, it calls librdkafka over Deno FFI.
 *
 * - `KafkaJS` is the promise API. `Producer`, `KafkaConsumer` and `AdminClient` are the callback API. The package's
 *   documentation describes both.
 * - Importing this module opens librdkafka, as importing the package on Node loads its addon. It needs `--allow-ffi`,
 *   `--allow-env`, `--allow-read` and `--allow-sys`. The other modules of slipstream open librdkafka at its first use.
 * - All clients share one native thread that waits for events. The process ends by itself when all are disconnected.
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

/** A class of the addon. The package's JavaScript wraps its objects. */
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
  /** The version of librdkafka, such as `"2.15.1"`. */
  readonly librdkafkaVersion: string;
  /** Returns the features that librdkafka was built with, separated by commas. */
  readonly features: () => string;
  /** Returns librdkafka's text for an error code. */
  readonly err2str: (code: number) => string;
}

/**
 * The native half of the package, written in TypeScript over Deno FFI: what
 * `require("bindings")("confluent-kafka-javascript")` returns to the package's JavaScript. Export it from your own module
 * loader or test runner. The client that this module exports runs on the same object.
 */
export const addon: Addon = native;
