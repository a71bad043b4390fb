import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { addon } from "../../src/addon/addon.ts";
import { TestBroker } from "../support/brokers.ts";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { ask, connectProducer } from "../support/producers.ts";

type TxnError = { code: number; isFatal: boolean; isRetriable: boolean; isTxnRequiresAbort: boolean };

Deno.test("a transactional Producer commits messages and a consumer's offsets", async () => {
  await using broker = await TestBroker.start();
  const topic = await broker.createTopic("txn");
  const { KafkaConsumer, Producer } = await loadKafkaJavascript();
  const servers = { "bootstrap.servers": broker.bootstrapServers };
  const producer = new Producer({ ...servers, "transactional.id": topic, "dr_cb": true }, {});
  const consumer = new KafkaConsumer({ ...servers, "group.id": topic }, {});
  const offsets: number[] = [];
  producer.on("delivery-report", (_error, { offset }) => void offsets.push(offset));
  try {
    await ask(producer, "connect", {});
    await ask(consumer, "connect", {});
    await assert.rejects(ask(producer, "beginTransaction"), (error: TxnError) => error.code === -172);
    await ask(producer, "initTransactions", 5000);
    await ask(producer, "beginTransaction");
    producer.produce(topic, 0, Buffer.from("one"));
    await ask(producer, "sendOffsetsToTransaction", [{ topic, partition: 0, offset: 7 }], consumer, 5000);
    await ask(producer, "commitTransaction", 5000);
    assert.deepEqual(offsets, [0], "the commit has taken the reports");
    const committed = await ask(consumer, "committed", [{ topic, partition: 0 }], 5000) as { offset: number }[];
    // The local broker answers TxnOffsetCommit, but does not keep the offsets.
    if (broker.local === undefined) assert.equal(committed[0]!.offset, 7);
    await ask(producer, "beginTransaction");
    await ask(producer, "abortTransaction", 5000);
    await assert.rejects(ask(producer, "commitTransaction", 5000), (error: TxnError) => {
      assert.deepEqual([error.code, error.isFatal, error.isRetriable, error.isTxnRequiresAbort], [
        -172,
        false,
        false,
        false,
      ]);
      return true;
    });
  } finally {
    await ask(consumer, "disconnect");
    await ask(producer, "disconnect");
  }
});

Deno.test("produce() to the addon's Topic uses its configuration", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("own", { partitions: 1 });
  const { Producer, Topic } = addon;
  assert.equal(new Topic("own").name(), "own");
  assert.throws(() => new Topic("own", { "no.such": 1 }), /No such configuration property: "no.such"/);
  const producer = new Producer({ "bootstrap.servers": broker.bootstrapServers }, {});
  const offsets: number[] = [];
  producer.configureCallbacks(true, {
    event: { delivery_cb: (_code: unknown, report: { offset: number }) => offsets.push(report.offset) },
  } as never);
  await ask(producer, "connect");
  try {
    assert.equal(producer.produce(new Topic("own", { acks: 1 }), 0, Buffer.from("v")), 0);
    await ask(producer, "flush", 5000);
    assert.deepEqual(offsets, [0]);
  } finally {
    await ask(producer, "disconnect");
  }
});

Deno.test("commitTransaction() after a failed record asks for an abort, after which the producer works again", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  broker.createTopic("other", { partitions: 1 });
  await using made = await connectProducer(broker.bootstrapServers, { "transactional.id": "t" });
  const { producer, reports } = made;
  await ask(producer, "initTransactions", 5000);
  await ask(producer, "beginTransaction");
  // TOPIC_AUTHORIZATION_FAILED, for Produce; librdkafka then refuses the topic for good
  broker.pushErrors(0, [29]);
  producer.produce("t", 0, Buffer.from("refused"));
  await assert.rejects(ask(producer, "commitTransaction", 5000), (error: TxnError) => {
    assert.deepEqual([error.isFatal, error.isRetriable, error.isTxnRequiresAbort], [false, false, true]);
    return true;
  });
  assert.deepEqual(reports.map(({ error }) => error!.code), [29]);
  await ask(producer, "abortTransaction", 5000);
  await ask(producer, "beginTransaction");
  producer.produce("other", 0, Buffer.from("taken"));
  await ask(producer, "commitTransaction", 5000);
  assert.deepEqual(reports.map(({ error }) => error?.code), [29, undefined]);
});
