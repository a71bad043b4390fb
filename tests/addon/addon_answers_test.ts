/** Answers that test suites of the native addon expect: their text and order, with and without a connection. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Conf, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { addon } from "../../src/addon/addon.ts";
import { BlockingCalls } from "../../src/ffi/blocking_calls.ts";
import { until } from "../support/brokers.ts";
import { answer, connect, disconnect, type Native } from "../support/native_client.ts";

const producer = (conf: object): Native => new addon.Producer({ "log_level": 0, ...conf }, {});
const consumer = (conf: object): Native => new addon.KafkaConsumer({ "group.id": "g", "log_level": 0, ...conf }, {});

Deno.test("produce() checks its arguments also when the producer is not connected", () => {
  const client = producer({});
  const produce = (...args: unknown[]) => () => client.produce(...args);
  const value = Buffer.from("value");
  for (const header of [{ a: 1 }, { a: null }, { a: undefined }, {}]) {
    assert.throws(
      produce("t", null, value, null, null, {}, [header]),
      /^Error: Header value must be a string or buffer$/,
    );
  }
  for (const topic of [1, null, undefined, true]) {
    assert.throws(produce(topic, null, value, "key"), /^Error: Topic must be a string or Topic object$/);
  }
  assert.throws(produce({}, null, value, "key"), /Invalid argument/);
  assert.throws(produce("t", null, value, "key", "now"), /^Error: Timestamp must be a number$/);
  assert.equal(client.produce("t", null, value, "key", null, {}, [{ a: "1" }]), -172);
});

Deno.test("an unconnected consumer answers with the native addon's text, and a consume() of 0 messages needs no connection", async () => {
  const client = consumer({});
  const refused = [{ message: "KafkaConsumer is not connected", code: -172 }];
  assert.deepEqual(await answer((callback) => client.committed([], 100, callback)), refused);
  assert.deepEqual(await answer((callback) => client.seek({ topic: "t", partition: 0 }, 100, callback)), refused);
  assert.deepEqual(await answer((callback) => client.consume(0, 1, true, callback)), refused);
  assert.deepEqual(await answer((callback) => client.consume(0, 0, true, callback)), [null, [], []]);
});

Deno.test("connect() of a consumer without group.id fails, and the consumer still answers calls", async () => {
  for (const conf of [{}, { "group.id": "" }]) {
    const client = new addon.KafkaConsumer({ "log_level": 0, ...conf }, {}) as Native;
    const [error] = await answer((callback) => client.connect(callback));
    assert.ok(error instanceof Error);
    assert.equal(error.message, '"group.id" must be configured');
    assert.equal("code" in error, false);
    assert.equal(client.subscribe(["t"]), -172);
    await disconnect(client);
  }
  // If librdkafka refuses the configuration, a consumer answers with an Error, a producer with a plain object.
  const refused = { "session.timeout.ms": 9000, "max.poll.interval.ms": 8000 };
  const text = "`max.poll.interval.ms`must be >= `session.timeout.ms`";
  const [error] = await answer((callback) => consumer(refused).connect(callback));
  assert.ok(error instanceof Error && error.message === text && !("code" in error));
  const sasl = { "security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN" };
  assert.deepEqual(await answer((callback) => producer(sasl).connect(callback)), [
    { message: "sasl.username and sasl.password must be set", code: -172 },
  ]);
});

Deno.test("a time-out below a millisecond becomes 0: librdkafka then answers from its cache", async () => {
  for (const timeoutMs of [0, 0.9, NaN]) {
    const slices: number[] = [];
    const code = await new BlockingCalls(() => true, () => false).request(timeoutMs, (sliceMs) => {
      slices.push(sliceMs);
      return Promise.resolve(-185);
    });
    assert.equal(code, -185);
    assert.deepEqual(slices, [0]);
  }
});

Deno.test("clusterId() answers the id of the cluster, from librdkafka's cache the next time", async () => {
  await using broker = await LocalBroker.start();
  const client = producer({ "bootstrap.servers": broker.bootstrapServers });
  assert.throws(() => client.clusterId("1", () => {}), /^Error: 1st parameter must be a number of milliseconds$/);
  assert.throws(() => client.clusterId(1), /^Error: 2nd parameter must be a callback$/);
  const [unconnected] = await answer((callback) => client.clusterId(100, callback));
  assert.equal((unconnected as { code: number }).code, -172);
  await connect(client);
  const [error, id] = await answer((callback) => client.clusterId(10_000, callback));
  assert.equal(error, null);
  assert.match(id as string, /./);
  assert.deepEqual(await answer((callback) => client.clusterId(0, callback)), [null, id]);
  await disconnect(client);

  const nobody = producer({ "bootstrap.servers": "127.0.0.1:1" });
  await connect(nobody);
  const [late] = await answer((callback) => nobody.clusterId(20, callback));
  assert.equal((late as { code: number }).code, -185);
  await disconnect(nobody);
});

Deno.test("a callback without a result gets one argument: flush(), seek() and transactions", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  const conf = { "bootstrap.servers": broker.bootstrapServers };
  const client = producer({ ...conf, "transactional.id": "t" });
  await connect(client);
  assert.deepEqual(await answer((callback) => client.flush(1000, callback)), [null]);
  assert.deepEqual(await answer((callback) => client.initTransactions(10_000, callback)), [null]);
  assert.deepEqual(await answer((callback) => client.beginTransaction(callback)), [null]);
  assert.deepEqual(await answer((callback) => client.commitTransaction(10_000, callback)), [null]);
  await disconnect(client);
});

Deno.test("opaque values are dropped without a delivery_cb, and come back with one", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  const client = producer({ "bootstrap.servers": broker.bootstrapServers });
  await connect(client);
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  (() => {
    for (let n = 0; n < 50; n++) {
      const opaque = { n, pad: Buffer.alloc(64) };
      registry.register(opaque, n);
      assert.equal(client.produce("t", 0, Buffer.from("v"), "k", Date.now(), opaque), 0);
    }
  })();
  assert.deepEqual(await answer((callback) => client.flush(10_000, callback)), [null]);
  await until(
    () => {
      for (let n = 0; n < 40; n++) Buffer.alloc(1024 * 256);
      return collected === 50;
    },
    "all opaque values collected",
    20_000,
  );
  await disconnect(client);
});

Deno.test("without delivery_cb, a record is in librdkafka's queue until poll(), as with it", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  const client = producer({ "bootstrap.servers": broker.bootstrapServers, "queue.buffering.max.messages": 10 });
  await connect(client);
  // Until the first metadata, a producer is served although the program does not poll.
  assert.equal((await answer((callback) => client.getMetadata({ timeout: 10_000 }, callback)))[0], null);
  const produce = () => client.produce("t", 0, Buffer.from("v"));
  for (let n = 0; n < 10; n++) assert.equal(produce(), 0);
  assert.equal(produce(), -184);
  // The record is delivered, and the queue is still full.
  const reader = consumer({ "bootstrap.servers": broker.bootstrapServers });
  await connect(reader);
  reader.assign([{ topic: "t", partition: 0, offset: 0 }]);
  let read = 0;
  await until(async () => {
    const [, messages] = await answer((callback) => reader.consume(100, 10, true, callback));
    return (read += (messages as unknown[]).length) === 10;
  }, "ten messages");
  await disconnect(reader);
  assert.equal(produce(), -184);
  await until(() => (client.poll(), produce() === 0), "room after poll()");
  await disconnect(client);
});

Deno.test("several callbacks under one name are all called, in order, until they are removed", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  const client = producer({ "bootstrap.servers": broker.bootstrapServers });
  const called: string[] = [];
  const first = () => called.push("first");
  const second = Object.assign((_: unknown, report: { value: Buffer }) => called.push(`second ${report.value}`), {
    dr_msg_cb: true,
  });
  client.configureCallbacks(true, { event: { delivery_cb: first } });
  client.configureCallbacks(true, { event: { delivery_cb: second } });
  await connect(client);
  const delivered = async () => {
    called.length = 0;
    assert.equal(client.produce("t", 0, Buffer.from("v")), 0);
    await answer((callback) => client.flush(10_000, callback));
    return [...called];
  };
  assert.deepEqual(await delivered(), ["first", "second v"]);
  client.configureCallbacks(false, { event: { delivery_cb: () => {} } });
  client.configureCallbacks(false, { event: { delivery_cb: first } });
  assert.deepEqual(await delivered(), ["second v"]);
  await disconnect(client);
});

Deno.test("constructors and connect() fail with the native addon's errors, and an invalid topic name with librdkafka's whole text", async () => {
  const { KafkaConsumer, Producer } = addon;
  const conf = { "bootstrap.servers": "127.0.0.1:1", "security.protocol": "ssl", "ssl.ca.location": "/no/such/file" };
  const refusal = (client: unknown) =>
    new Promise<Error & { code?: number }>((resolve) =>
      (client as { connect(callback: (error: never) => void): void }).connect(resolve)
    );
  const ofProducer = await refusal(new Producer(conf, {}));
  assert.match(ofProducer.message, /^ssl\.ca\.location failed: ./);
  assert.deepEqual([ofProducer instanceof Error, ofProducer.code], [false, -172]);
  const ofConsumer = await refusal(new KafkaConsumer({ ...conf, "group.id": "g" }, {}));
  assert.match(ofConsumer.message, /^ssl\.ca\.location failed: ./);
  assert.deepEqual([ofConsumer instanceof Error, ofConsumer.code], [true, undefined]);
  await using topic = new Topic("t", conf as Conf, { until: "end" });
  const whole = { code: -172, message: /: can't connect to 127\.0\.0\.1:1: ssl\.ca\.location failed: .*::/ };
  await assert.rejects(topic.send("key", "value"), whole);
  await assert.rejects(Array.fromAsync(topic), whole);
});
