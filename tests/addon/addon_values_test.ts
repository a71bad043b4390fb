/** What becomes of values on their way in and out: what the addon makes of them, as it was seen on Node. */

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
/** Keys count with their order. */
const text = (value: unknown) => JSON.stringify(value);

/** Runs a test with a broker and a consumer. */
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

Deno.test("messages, reports and ends have their properties in the addon's order", async () => {
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

Deno.test("partitions are read as the addon reads them, and answered in its order", async () => {
  await withConsumer(async (consumer) => {
    const committed = async (list: unknown[]) =>
      text((await answer((callback) => consumer.committed(list, 10_000, callback)))[1]);
    const place = { topic: "t", partition: 0 };
    for (
      const [given, kept] of [["m", "m"], ["", ""], ["\u00e4\u20ac", "\u00e4\u20ac"], ["\ufeff", "\ufeff"], [
        5,
        undefined,
      ]]
    ) {
      assert.equal(consumer.commitSync([{ ...place, offset: 3.9, metadata: given, leaderEpoch: "5" }]), 0);
      const metadata = kept === undefined ? "" : `"metadata":"${kept}",`;
      assert.equal(await committed([place]), `[{"offset":3,${metadata}"partition":0,"topic":"t","leaderEpoch":0}]`);
    }
    // What was given stays if the broker has none.
    assert.match(await committed([{ ...place, metadata: "mine" }]), /"offset":3,"metadata":"mine"/);
    // No number counts as none, and what is no object is not there.
    for (const offset of ["7", null, undefined, NaN, {}]) {
      assert.equal(consumer.commitSync([null, 5, "x", { topic: "t", partition: NaN, offset }]), 0);
      assert.match(await committed([{ topic: "t", partition: 2 ** 32 + 0.5 }]), /^\[\{"offset":0,"partition":0,/);
    }
    consumer.commitSync({ ...place, offset: Infinity });
    assert.match(await committed([place]), /"offset":9223372036854776000/);
    for (const wrong of [{}, { topic: "t" }, { topic: "", partition: 0 }, { topic: "t", partition: "0" }]) {
      for (const call of ["commit", "commitSync", "seek"]) {
        assert.throws(() => consumer[call](wrong, 100, () => {}), /^Error: Invalid topic partition provided$/);
      }
      // The addon crashes.
      for (const call of ["position", "pause", "resume", "commitSync"]) {
        assert.throws(() => consumer[call]([wrong]), /^Error: Invalid topic partition provided$/);
      }
    }
    assert.equal(
      text(consumer.position([{ topic: 5, partition: 0, metadata: "m" }])),
      '[{"metadata":"m","partition":0,"topic":"5"}]',
    );
    assert.deepEqual(
      await answer((callback) => consumer.offsetsForTimes([{ ...place, offset: "7" }], 9999, callback)),
      [
        null,
        [{ offset: -1, partition: 0, topic: "t" }],
      ],
    );
    assert.equal(consumer.commitSync([]), -168);
  });
});

Deno.test("what is assigned is read as the addon reads it", async () => {
  await withConsumer((consumer) => {
    const assigned = (given: object) => {
      assert.equal(consumer.assign([given, {}, { partition: 0 }]), true);
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

Deno.test("seek() answers what the addon answers, and takes no time-out below 10 ms", async () => {
  await withConsumer(async (consumer) => {
    const place = { topic: "t", partition: 0 };
    const seek = async (target: object, timeoutMs: unknown = 1000) => {
      const [error] = await answer((callback) => consumer.seek(target, timeoutMs, callback));
      return error === null ? 0 : (error as { code: number }).code;
    };
    assert.equal(await seek({ topic: "nope", partition: 0, offset: 1 }), -190);
    consumer.assign([{ ...place, offset: 0 }]);
    for (const timeoutMs of [null, -1, NaN, 0, 1000]) assert.equal(await seek({ ...place, offset: 0 }, timeoutMs), 0);
    assert.equal(await seek({ ...place, partition: 1, offset: 1 }), -190);
    assert.equal(await seek({ ...place, partition: -2, offset: 1 }), -190);
    assert.equal(await seek({ ...place, offset: -1000 }), -186);
    for (const offset of [-1, -5, 99_999, "3", NaN]) assert.equal(await seek({ ...place, offset }), 0);
  });
});

Deno.test("offsetsStoreSingle() makes numbers of what it is given, once something is subscribed to", async () => {
  await withConsumer((consumer) => {
    assert.equal(consumer.offsetsStoreSingle({}, {}, {}, {}), -172);
    assert.equal(consumer.subscribe(["t"]), 0);
    // None of them is assigned.
    for (const args of [["t", 0, 1, -1], ["t", "0", "1", "0"], [5, null, undefined, NaN], ["t", -1, 1, 0]]) {
      assert.equal(consumer.offsetsStoreSingle(...args), -186);
    }
    return Promise.resolve();
  });
});

Deno.test("numbers that are none, or too large, do what they do on Node", async () => {
  await withConsumer(async (consumer) => {
    const watermarks = [null, { lowOffset: 0, highOffset: 0 }];
    for (const partition of [NaN, 0.5, 2 ** 32]) {
      const asked = await answer((callback) => consumer.queryWatermarkOffsets("t", partition, 5000.5, callback));
      assert.deepEqual(asked, watermarks);
      assert.deepEqual(consumer.getWatermarkOffsets("t", partition), { lowOffset: -1001, highOffset: -1001 });
    }
    for (const code of [undefined, "x", NaN, null, {}]) assert.equal(addon.err2str(code as never), "Success");
    assert.equal(addon.err2str("-185" as never), "Local: Timed out");
    // Not for its number: no mechanism takes tokens here.
    assert.throws(() => consumer.setOAuthBearerToken("t", Infinity, "p"), { code: -172 });
  });
});

Deno.test("a flush that is out of time answers with an Error that has the code", async () => {
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

Deno.test("a topic that librdkafka refuses is refused by produce(), with its own configuration or without", async () => {
  await using broker = await LocalBroker.start();
  const producer = await connected("Producer", {
    "bootstrap.servers": broker.bootstrapServers,
    "enable.idempotence": true,
  });
  const long = "x".repeat(600);
  const topics = [long, new addon.Topic(long, {}), new addon.Topic(long), new addon.Topic("t", { acks: "1" })];
  // More than once: what was refused must not be freed twice.
  for (const topic of [...topics, ...topics]) assert.equal(producer.produce(topic, 0, Buffer.from("v")), -186);
  assert.equal(producer.produce("t", 0, Buffer.from("v")), 0);
  await disconnect(producer);
});

Deno.test("an admin client over another's connection hands tokens and credentials to that", async () => {
  await using broker = await LocalBroker.start();
  const producer = await connected("Producer", { "bootstrap.servers": broker.bootstrapServers });
  const admin: Native = new addon.AdminClient({}, null, producer);
  assert.equal(admin.setSaslCredentials("user", "password"), null);
  // librdkafka refuses, as no mechanism takes tokens here.
  assert.throws(() => admin.setOAuthBearerToken("token", 1e15, "principal"), { code: -172 });
  assert.throws(() => admin.setOAuthBearerTokenFailure("reason"), { code: -172 });
  await disconnect(producer);
  assert.throws(() => admin.setSaslCredentials("user", "password"), { code: -172 });
});

Deno.test("what comes while a program polls reaches it after that, but makes room at once", async () => {
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

Deno.test("the classes and configurations are refused in the addon's words", () => {
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
