/**
 * Tests of the npm client's consumer on a local broker.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

// deno-lint-ignore no-explicit-any -- the npm client's classes reach further than their types
export type Any = any;

/** Waits until a condition holds, for 40 seconds at most. */
export async function until(condition: () => boolean): Promise<void> {
  for (const began = performance.now(); !condition();) {
    assert.ok(performance.now() - began < 40_000, `does not hold after 40 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Makes a call that takes a callback, and resolves with its result. */
export function call<T>(start: (callback: (error: unknown, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, result) => error ? reject(error) : resolve(result)));
}

/**
 * Runs a test with a connected consumer on a local broker of its own, which has a topic with messages.
 *
 * @param messages The number of messages in the only partition; or a list, with the number for each partition.
 */
export async function withConsumer(
  conf: Record<string, unknown>,
  messages: number | readonly number[],
  test: (consumer: Any, topic: string, native: Any, broker: LocalBroker) => Promise<void>,
): Promise<void> {
  await using broker = await LocalBroker.start();
  const topic = `t-${crypto.randomUUID()}`;
  const counts = typeof messages === "number" ? [messages] : messages;
  broker.createTopic(topic, { partitions: counts.length });
  const { KafkaConsumer, Producer } = await loadKafkaJavascript();
  const servers = { "bootstrap.servers": broker.bootstrapServers };
  const producer: Any = new Producer(servers, {});
  await call((done) => producer.connect({}, done));
  for (const [partition, count] of counts.entries()) {
    for (let n = 0; n < count; n++) producer.produce(topic, partition, Buffer.from(`${n}`));
  }
  await call((done) => producer.flush(5000, done));
  await call((done) => producer.disconnect(done));
  const consumer: Any = new KafkaConsumer({ ...servers, "group.id": topic, ...conf } as never, {
    "auto.offset.reset": "earliest",
  });
  await call((done) => consumer.connect({}, done));
  try {
    await test(consumer, topic, consumer._client, broker);
  } finally {
    await call((done) => consumer.disconnect(done));
  }
}
