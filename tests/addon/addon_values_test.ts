/** Conversion of arguments and results, compared with what the native addon was seen to do on Node. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { addon } from "../../src/addon/addon.ts";
import { until } from "../support/brokers.ts";
import { answer, connect, disconnect, type Native } from "../support/native_client.ts";

const connected = async (kind: "Producer" | "KafkaConsumer", conf: object, callbacks?: object): Promise<Native> => {
  const client: Native = new addon[kind]({ "log_level": 0, ...conf }, {});
  if (callbacks !== undefined) client.configureCallbacks(true, callbacks);
  await connect(client);
  assert.equal((await answer((callback) => client.getMetadata({ timeout: 10_000 }, callback)))[0], null);
  return client;
};
/** An object as text, so that the order of its properties counts. */
const text = (value: unknown) => JSON.stringify(value);

/** Runs a test with a local broker and a connected consumer. */
async function withConsumer(test: (consumer: Native, conf: object) => Promise<void>): Promise<void> {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  const conf = { "bootstrap.servers": broker.bootstrapServers };
  const consumer = await connected("KafkaConsumer", { ...conf, "group.id": "g" });
  try {
    await test(consumer, conf);
  } finally {
    await disconnect(consumer);
  }
}

Deno.test("messages, delivery reports and ends of partitions have their properties in the native addon's order", async () => {
  await withConsumer(async (_, conf) => {
    const reports: unknown[] = [];
    const delivery_cb = Object.assign((_code: unknown, report: object) => void reports.push(Object.keys(report)), {
      dr_msg_cb: true,
    });
    const producer = await connected("Producer", conf, { event: { delivery_cb } });
    producer.produce("t", 0, Buffer.from("v"), "k", 5, null, [{ a: "1" }]);
    await answer((callback) => producer.flush(10_000, callback));
    await disconnect(producer);
    assert.deepEqual(reports, [["topic", "partition", "offset", "key", "opaque", "timestamp", "value", "size"]]);

    const consumer = await connected("KafkaConsumer", { ...conf, "group.id": "h", "enable.partition.eof": true });
    consumer.assign([{ topic: "t", partition: 0, offset: 0 }]);
    const seen: object[] = [];
    await until(async () => {
      const [, messages, ends] = await answer((callback) => consumer.consume(100, 10, true, callback));
      return seen.push(...messages as object[], ...ends as object[]) === 2;
    }, "a message and an end");
    await disconnect(consumer);
    assert.deepEqual(seen.map((each) => Object.keys(each).join()), [
      "value,headers,size,key,topic,offset,partition,timestamp,leaderEpoch",
      "topic,offset,partition,messageIndex",
    ]);
  });
});

Deno.test("topic partitions are converted as in the native addon, and answered with properties in its order", async () => {
  await withConsumer(async (consumer) => {
    const committed = async (list: unknown[]) =>
      text((await answer((callback) => consumer.committed(list, 10_000, callback)))[1]);
    const topicPartition = { topic: "t", partition: 0 };
    for (
      const [argument, kept] of [["m", "m"], ["", ""], ["\u00e4\u20ac", "\u00e4\u20ac"], ["\ufeff", "\ufeff"], [
        5,
        undefined,
      ]]
    ) {
      assert.equal(consumer.commitSync([{ ...topicPartition, offset: 3.9, metadata: argument, leaderEpoch: "5" }]), 0);
      const metadata = kept === undefined ? "" : `"metadata":"${kept}",`;
      assert.equal(
        await committed([topicPartition]),
        `[{"offset":3,${metadata}"partition":0,"topic":"t","leaderEpoch":0}]`,
      );
    }
    // Metadata of the argument stays in the answer if the broker has none.
    assert.match(await committed([{ ...topicPartition, metadata: "mine" }]), /"offset":3,"metadata":"mine"/);
    // A field that is not a number counts as absent; an element that is not an object is left out.
    for (const offset of ["7", null, undefined, NaN, {}]) {
      assert.equal(consumer.commitSync([null, 5, "x", { topic: "t", partition: NaN, offset }]), 0);
      assert.match(await committed([{ topic: "t", partition: 2 ** 32 + 0.5 }]), /^\[\{"offset":0,"partition":0,/);
    }
    consumer.commitSync({ ...topicPartition, offset: Infinity });
    assert.match(await committed([topicPartition]), /"offset":9223372036854776000/);
    for (const wrong of [{}, { topic: "t" }, { topic: "", partition: 0 }, { topic: "t", partition: "0" }]) {
      for (const call of ["commit", "commitSync", "seek"]) {
        assert.throws(() => consumer[call](wrong, 100, () => {}), /^Error: Invalid topic partition provided$/);
      }
      // The native addon crashes here.
      for (const call of ["position", "pause", "resume", "commitSync"]) {
        assert.throws(() => consumer[call]([wrong]), /^Error: Invalid topic partition provided$/);
      }
    }
    assert.equal(
      text(consumer.position([{ topic: 5, partition: 0, metadata: "m" }])),
      '[{"metadata":"m","partition":0,"topic":"5"}]',
    );
    assert.deepEqual(
      await answer((callback) => consumer.offsetsForTimes([{ ...topicPartition, offset: "7" }], 9999, callback)),
      [
        null,
        [{ offset: -1, partition: 0, topic: "t" }],
      ],
    );
    assert.equal(consumer.commitSync([]), -168);
  });
});

Deno.test("assign() converts its argument as the native addon does", async () => {
  await withConsumer((consumer) => {
    const assigned = (argument: object) => {
      assert.equal(consumer.assign([argument, {}, { partition: 0 }]), true);
      return text(consumer.assignments());
    };
    const stored = '[{"offset":-1000,"partition":0,"topic":"t"}]';
    assert.equal(assigned({ topic: "t", partition: 0, offset: "1" }), stored);
    assert.equal(assigned({ topic: "t", partition: NaN, offset: -1001 }), stored);
    assert.equal(
      assigned({ topic: "t", partition: 0.9, offset: 1.9, metadata: "m", leaderEpoch: 0 }),
      '[{"offset":1,"partition":0,"topic":"t"}]',
    );
    assert.equal(assigned({ topic: 5, partition: "0" }), '[{"offset":-1000,"partition":-1,"topic":"5"}]');
    assert.equal(assigned({ topic: "t", partition: -7, offset: NaN }), '[{"offset":0,"partition":-1,"topic":"t"}]');
    return Promise.resolve();
  });
});

Deno.test("seek() answers as the native addon does, and raises time-outs below 10 ms to 10 ms", async () => {
  await withConsumer(async (consumer) => {
    const topicPartition = { topic: "t", partition: 0 };
    const seek = async (target: object, timeoutMs: unknown = 1000) => {
      const [error] = await answer((callback) => consumer.seek(target, timeoutMs, callback));
      return error === null ? 0 : (error as { code: number }).code;
    };
    assert.equal(await seek({ topic: "nope", partition: 0, offset: 1 }), -190);
    consumer.assign([{ ...topicPartition, offset: 0 }]);
    for (const timeoutMs of [null, -1, NaN, 0, 1000]) {
      assert.equal(await seek({ ...topicPartition, offset: 0 }, timeoutMs), 0);
    }
    assert.equal(await seek({ ...topicPartition, partition: 1, offset: 1 }), -190);
    assert.equal(await seek({ ...topicPartition, partition: -2, offset: 1 }), -190);
    assert.equal(await seek({ ...topicPartition, offset: -1000 }), -186);
    for (const offset of [-1, -5, 99_999, "3", NaN]) assert.equal(await seek({ ...topicPartition, offset }), 0);
  });
});

Deno.test("offsetsStoreSingle() converts its arguments to numbers, and needs a subscription", async () => {
  await withConsumer((consumer) => {
    assert.equal(consumer.offsetsStoreSingle({}, {}, {}, {}), -172);
    assert.equal(consumer.subscribe(["t"]), 0);
    // None of these partitions is assigned.
    for (const args of [["t", 0, 1, -1], ["t", "0", "1", "0"], [5, null, undefined, NaN], ["t", -1, 1, 0]]) {
      assert.equal(consumer.offsetsStoreSingle(...args), -186);
    }
    return Promise.resolve();
  });
});

Deno.test("NaN and numbers that are too large are converted as on Node", async () => {
  await withConsumer(async (consumer) => {
    const watermarks = [null, { lowOffset: 0, highOffset: 0 }];
    for (const partition of [NaN, 0.5, 2 ** 32]) {
      const result = await answer((callback) => consumer.queryWatermarkOffsets("t", partition, 5000.5, callback));
      assert.deepEqual(result, watermarks);
      assert.deepEqual(consumer.getWatermarkOffsets("t", partition), { lowOffset: -1001, highOffset: -1001 });
    }
    for (const code of [undefined, "x", NaN, null, {}]) assert.equal(addon.err2str(code as never), "Success");
    assert.equal(addon.err2str("-185" as never), "Local: Timed out");
    // The error is not about the number: the SASL mechanism here takes no tokens.
    assert.throws(() => consumer.setOAuthBearerToken("t", Infinity, "p"), { code: -172 });
  });
});

Deno.test("flush() answers with an Error with code −185 after its time-out", async () => {
  const producer: Native = new addon.Producer({ "bootstrap.servers": "127.0.0.1:1", "log_level": 0 }, {});
  await answer((callback) => producer.connect(callback));
  assert.equal(producer.produce("t", 0, Buffer.from("v")), 0);
  for (const timeoutMs of [20, 0, NaN, 0.5]) {
    const [error, ...others] = await answer((callback) => producer.flush(timeoutMs, callback));
    assert.ok(error instanceof Error && others.length === 0);
    assert.deepEqual([error.message, (error as Native).code], ["Local: Timed out", -185]);
  }
  await disconnect(producer);
});

Deno.test("produce() refuses a topic that librdkafka refuses, with or without a configuration of its own", async () => {
  await using broker = await LocalBroker.start();
  const producer = await connected("Producer", {
    "bootstrap.servers": broker.bootstrapServers,
    "enable.idempotence": true,
  });
  const long = "x".repeat(600);
  const topics = [long, new addon.Topic(long, {}), new addon.Topic(long), new addon.Topic("t", { acks: "1" })];
  // More than once: the refused configuration must not be freed twice.
  for (const topic of [...topics, ...topics]) assert.equal(producer.produce(topic, 0, Buffer.from("v")), -186);
  assert.equal(producer.produce("t", 0, Buffer.from("v")), 0);
  await disconnect(producer);
});

Deno.test("an admin client that uses another client's handle sets that client's tokens and credentials", async () => {
  await using broker = await LocalBroker.start();
  const producer = await connected("Producer", { "bootstrap.servers": broker.bootstrapServers });
  const admin: Native = new addon.AdminClient({}, null, producer);
  assert.equal(admin.setSaslCredentials("user", "password"), null);
  // librdkafka refuses: the SASL mechanism here takes no tokens.
  assert.throws(() => admin.setOAuthBearerToken("token", 1e15, "principal"), { code: -172 });
  assert.throws(() => admin.setOAuthBearerTokenFailure("reason"), { code: -172 });
  await disconnect(producer);
  assert.throws(() => admin.setSaslCredentials("user", "password"), { code: -172 });
});

Deno.test("reports that poll() takes make room at once, and reach the program after poll() has returned", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  const order: string[] = [];
  const producer = await connected("Producer", {
    "bootstrap.servers": broker.bootstrapServers,
    "queue.buffering.max.messages": 1,
    "statistics.interval.ms": 10,
  }, { event: { delivery_cb: () => order.push("report"), event_cb: (kind: string) => order.push(kind) } });
  const produce = () => producer.produce("t", 0, Buffer.from("v"));
  assert.equal(produce(), 0);
  await until(() => {
    order.length = 0;
    producer.poll();
    assert.deepEqual(order, []);
    return produce() === 0;
  }, "room");
  await until(() => order.includes("report"), "a report");
  await until(() => {
    const before = order.length;
    producer.setPollInBackground(true);
    producer.setPollInBackground(false);
    assert.equal(order.length, before);
    return order.includes("stats");
  }, "statistics");
  await disconnect(producer);
});

Deno.test("constructors refuse arguments with the native addon's errors", () => {
  for (const kind of ["Producer", "KafkaConsumer", "AdminClient", "Topic"] as const) {
    const call = addon[kind] as unknown as (...args: unknown[]) => unknown;
    assert.throws(() => call({}, {}), /^Error: non-constructor invocation not supported$/);
  }
  assert.equal(new addon.Topic("t", (() => {}) as never).name(), "t");
  assert.ok(new addon.Producer({ 0: "no property" }, {}));
  assert.deepEqual(Object.keys(addon), [
    "KafkaConsumer",
    "Producer",
    "AdminClient",
    "Topic",
    "topic",
    "err2str",
    "features",
    "librdkafkaVersion",
  ]);
});
