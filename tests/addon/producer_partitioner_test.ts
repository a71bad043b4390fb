import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { Producer } from "../../src/addon/producer.ts";

const VALUE = Buffer.from("v");

/** A connected producer, and the partitions its messages went to. */
async function connected(bootstrapServers: string) {
  const producer = new Producer({ "bootstrap.servers": bootstrapServers, "log_level": 0 }, {});
  const partitions: number[] = [];
  const delivery_cb = (_: unknown, report: { partition: number }) => void partitions.push(report.partition);
  producer.configureCallbacks(true, { event: { delivery_cb } });
  const connect = () => new Promise((resolve) => producer.connect(resolve));
  await connect();
  return {
    producer,
    partitions,
    connect,
    flush: () => new Promise((resolve) => producer.flush(10_000, resolve)),
    disconnect: () => new Promise((resolve) => producer.disconnect(resolve)),
  };
}

Deno.test("setPartitioner() lets a function choose, by topic, key as text and number of partitions", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 5 });
  const { producer, partitions, connect, flush, disconnect } = await connected(broker.bootstrapServers);
  const asked: unknown[] = [];
  assert.equal(producer.setPartitioner((...args) => asked.push(args) % 5), true);
  const keys = ["a", Buffer.from("grüße"), null, undefined, "", 7];
  for (const key of keys) assert.equal(producer.produce("t", null, VALUE, key), 0);
  await flush();
  assert.deepEqual(asked, ["a", "grüße", null, null, null, "7"].map((key) => ["t", key, 5]));
  assert.deepEqual(partitions.toSorted(), [0, 1, 1, 2, 3, 4]);
  // Who names a partition has it; headers and times change nothing.
  partitions.length = 0;
  assert.equal(producer.produce("t", 4, VALUE, "a"), 0);
  assert.equal(producer.produce("t", -1, VALUE, "a", 1234, undefined, [{ a: "1" }]), 0);
  await flush();
  assert.deepEqual([partitions.toSorted(), asked.length], [[2, 4], 7]);
  await disconnect();
  await connect();
  assert.equal(producer.produce("t", null, VALUE), 0);
  await flush();
  assert.equal(partitions.at(-1), 3);
  await disconnect();
});

Deno.test("a partitioner that chooses no partition, throws, or produces itself", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 2 });
  const { producer, partitions, flush, disconnect } = await connected(broker.bootstrapServers);
  for (const choice of [2, -1, 0.5, NaN, undefined, "x"]) {
    producer.setPartitioner(() => choice);
    assert.equal(producer.produce("t", null, VALUE), -190, `${choice}`);
  }
  producer.setPartitioner(() => {
    throw new Error("the program's own");
  });
  assert.throws(() => producer.produce("t", null, VALUE, null, null, {}), /^Error: the program's own$/);
  const keys: unknown[] = [];
  producer.setPartitioner((_, key) => {
    keys.push(key);
    if (key === "outer") assert.equal(producer.produce("t", 0, VALUE, "inner and longer"), 0);
    return 1;
  });
  assert.equal(producer.produce("t", null, VALUE, "outer"), 0);
  await flush();
  assert.deepEqual([keys, partitions.toSorted()], [["outer"], [0, 1]]);
  for (const nothing of [undefined, null, "x"]) {
    assert.throws(() => producer.setPartitioner(nothing as never), /^Error: Need to specify a callback$/);
  }
  await disconnect();
});

Deno.test("a partitioner's topic is made by its first message, and waited for as long as no broker answers", async () => {
  await using broker = await LocalBroker.start({ partitions: 3 });
  const { producer, partitions, flush, disconnect } = await connected(broker.bootstrapServers);
  producer.setPartitioner((_topic, _key, count) => count - 1);
  assert.equal(producer.produce("made", null, VALUE), 0);
  await flush();
  assert.equal(partitions.length, 1);
  await disconnect();
  const lost = await connected("127.0.0.1:1");
  let calls = 0;
  lost.producer.setPartitioner(() => calls++);
  const began = performance.now();
  assert.equal(lost.producer.produce("t", null, VALUE), -195);
  assert.ok(performance.now() - began < 10_000);
  assert.equal(calls, 0);
  await lost.disconnect();
});
