import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { KafkaConsumer, KafkaJS } from "@slipstream/slipstream/kafka-javascript";
import { ask, connectProducer, readBack } from "../support/producers.ts";
import { REAL_SERVERS, TestBroker } from "../support/brokers.ts";

/** Tests of transactions, which the local broker does not have. */
const real = { ignore: REAL_SERVERS === undefined };
const SOON = 10_000;
const text = (bytes: Uint8Array | null | undefined) => bytes ? new TextDecoder().decode(bytes) : bytes;

Deno.test("messages of an idempotent producer arrive once and in order, although brokers fail requests", async () => {
  await using broker = await TestBroker.start();
  const topic = await broker.createTopic("idempotent");
  await using made = await connectProducer(broker.bootstrapServers, {
    "enable.idempotence": true,
    "batch.num.messages": 10,
  });
  const { producer, reports } = made;
  // NOT_LEADER_FOR_PARTITION and REQUEST_TIMED_OUT, for Produce
  broker.local?.pushErrors(0, [6, 7, 6]);
  for (let n = 0; n < 100; n++) producer.produce(topic, 0, Buffer.from(`${n}`));
  await ask(producer, "flush", 30_000);
  assert.deepEqual(reports.map(({ error }) => error), new Array(100).fill(null));
  const read = await readBack(broker.bootstrapServers, topic, 100);
  assert.deepEqual(read.map(({ value }) => text(value)), Array.from({ length: 100 }, (_, n) => `${n}`));
});

Deno.test("of concurrent transactional calls, librdkafka refuses those that contradict the first", async () => {
  await using broker = await TestBroker.start();
  const topic = await broker.createTopic("concurrent");
  await using made = await connectProducer(broker.bootstrapServers, { "transactional.id": topic });
  const { producer } = made;
  await ask(producer, "initTransactions", SOON);
  const began = await Promise.allSettled([ask(producer, "beginTransaction"), ask(producer, "beginTransaction")]);
  assert.deepEqual(began.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const refused = began.find(({ status }) => status === "rejected") as PromiseRejectedResult;
  // The other call has begun a transaction already, or is about to.
  assert.ok([-172, -177].includes(refused.reason.code), `${refused.reason.code}`);
  producer.produce(topic, 0, Buffer.from("v"));
  // Both calls end the transaction at the same time. Either may be first, and only one can succeed.
  const ended = await Promise.allSettled([
    ask(producer, "commitTransaction", SOON),
    ask(producer, "abortTransaction", SOON),
  ]);
  assert.ok(ended.some(({ status }) => status === "fulfilled"), JSON.stringify(ended));
  await ask(producer, "beginTransaction");
  producer.produce(topic, 0, Buffer.from("w"));
  await ask(producer, "commitTransaction", SOON);
});

Deno.test({
  name: "a second producer with the same transactional.id fences the first, whose error is fatal",
  ...real,
  fn: async () => {
    await using broker = await TestBroker.start();
    const topic = await broker.createTopic("fenced");
    const conf = { "transactional.id": topic, "log_level": 0 };
    await using first = await connectProducer(broker.bootstrapServers, conf);
    await ask(first.producer, "initTransactions", SOON);
    await ask(first.producer, "beginTransaction");
    first.producer.produce(topic, 0, Buffer.from("from the fenced one"));
    await ask(first.producer, "flush", SOON);
    await using second = await connectProducer(broker.bootstrapServers, conf);
    await ask(second.producer, "initTransactions", SOON);
    await assert.rejects(ask(first.producer, "commitTransaction", SOON), (error: Error & Record<string, unknown>) => {
      assert.deepEqual([error.code, error.isFatal, error.isRetriable, error.isTxnRequiresAbort], [
        -144,
        true,
        false,
        false,
      ]);
      return true;
    });
    await ask(second.producer, "beginTransaction");
    second.producer.produce(topic, 0, Buffer.from("from the second"));
    await ask(second.producer, "commitTransaction", SOON);
    const read = await readBack(broker.bootstrapServers, topic, 1, { "isolation.level": "read_committed" });
    assert.deepEqual(read.map(({ value }) => text(value)), ["from the second"]);
  },
});

Deno.test({
  name: "aborted messages are read only with read_uncommitted, and the producer goes on after an abort",
  ...real,
  fn: async () => {
    await using broker = await TestBroker.start();
    const topic = await broker.createTopic("aborted");
    await using made = await connectProducer(broker.bootstrapServers, { "transactional.id": topic });
    const { producer } = made;
    await ask(producer, "initTransactions", SOON);
    for (const [value, end] of [["aborted", "abortTransaction"], ["kept", "commitTransaction"]] as const) {
      await ask(producer, "beginTransaction");
      producer.produce(topic, 0, Buffer.from(value));
      await ask(producer, "flush", SOON);
      await ask(producer, end, SOON);
    }
    const read = async (level: string, count: number) =>
      (await readBack(broker.bootstrapServers, topic, count, { "isolation.level": level }))
        .map(({ value }) => text(value));
    assert.deepEqual(await read("read_committed", 1), ["kept"]);
    assert.deepEqual(await read("read_uncommitted", 2), ["aborted", "kept"]);
  },
});

Deno.test({
  name: "sendOffsetsToTransaction() commits offsets and their metadata together with the transaction, and not before",
  ...real,
  fn: async () => {
    await using broker = await TestBroker.start();
    const topic = await broker.createTopic("offsets");
    await using made = await connectProducer(broker.bootstrapServers, { "transactional.id": topic });
    const { producer, native } = made;
    const consumer = new KafkaConsumer({ "bootstrap.servers": broker.bootstrapServers, "group.id": topic }, {});
    await ask(consumer, "connect", {});
    const committed = async () => (await ask(consumer, "committed", [{ topic, partition: 0 }], SOON))[0];
    try {
      await ask(producer, "initTransactions", SOON);
      const offsets = [{ topic, partition: 0, offset: 7, metadata: "seven, é" }];
      for (const other of [null, {}, consumer]) {
        assert.throws(
          () => native.sendOffsetsToTransaction!(offsets, other, 1, () => {}),
          /^Error: Kafka consumer must be provided$/,
        );
      }
      await ask(producer, "beginTransaction");
      await ask(producer, "sendOffsetsToTransaction", offsets, consumer, SOON);
      await ask(producer, "abortTransaction", SOON);
      assert.equal((await committed()).offset, undefined);
      await ask(producer, "beginTransaction");
      await ask(producer, "sendOffsetsToTransaction", offsets, consumer, SOON);
      await ask(producer, "commitTransaction", SOON);
      const { offset, metadata } = await committed();
      assert.deepEqual([offset, metadata], [7, "seven, é"]);
      await ask(producer, "beginTransaction");
      await ask(consumer, "disconnect");
      await assert.rejects(ask(producer, "sendOffsetsToTransaction", offsets, consumer, SOON), { code: -172 });
      await ask(producer, "abortTransaction", SOON);
    } finally {
      if (consumer.isConnected()) await ask(consumer, "disconnect");
    }
  },
});

Deno.test({
  name: "the KafkaJS producer's transaction() commits, aborts and sends offsets",
  ...real,
  fn: async () => {
    await using broker = await TestBroker.start();
    const topic = await broker.createTopic("kafkajs");
    const kafka = new KafkaJS.Kafka({
      kafkaJS: { brokers: broker.bootstrapServers.split(","), logLevel: KafkaJS.logLevel.NOTHING },
    });
    const producer = kafka.producer({ kafkaJS: { transactionalId: topic } });
    const consumer = kafka.consumer({ kafkaJS: { groupId: topic, autoCommit: false } });
    await producer.connect();
    await consumer.connect();
    try {
      const offsets = { consumer, topics: [{ topic, partitions: [{ partition: 0, offset: "5" }] }] };
      const aborted = await producer.transaction();
      await assert.rejects(producer.transaction(), /one transaction at a time/);
      await aborted.send({ topic, messages: [{ value: "aborted" }] });
      await aborted.abort();
      await assert.rejects(producer.sendOffsets(offsets), /no transaction ongoing/);
      const kept = await producer.transaction();
      assert.equal(kept.isActive(), true);
      const [sent] = await kept.send({ topic, messages: [{ key: "k", value: "kept", headers: { h: ["1", "2"] } }] });
      assert.deepEqual([sent!.errorCode, sent!.partition], [0, 0]);
      await kept.sendOffsets(offsets);
      await kept.commit();
      assert.equal(producer.isActive(), false);
      assert.deepEqual(
        (await consumer.committed([{ topic, partition: 0 }])).map(({ offset }) => offset),
        ["5"],
      );
    } finally {
      await consumer.disconnect();
      await producer.disconnect();
    }
    const read = await readBack(broker.bootstrapServers, topic, 1, { "isolation.level": "read_committed" });
    assert.deepEqual(read.map(({ key, value, headers }) => [text(key), text(value), headers!.length]), [[
      "k",
      "kept",
      2,
    ]]);
  },
});
