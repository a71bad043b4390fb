import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { type Any, call, until, withConsumer } from "../support/with_consumer.ts";

Deno.test("consume(callback) called before an assignment passes messages on, and reports the end of a partition", async () => {
  await withConsumer({ "enable.partition.eof": true }, 20, async (consumer, topic) => {
    const seen: string[] = [], ends: unknown[] = [];
    consumer.on("data", ({ value }: Any) => void seen.push(String(value)));
    consumer.on("partition.eof", (end: unknown) => void ends.push([end, seen.length]));
    consumer.consume();
    assert.throws(() => consumer.consume(), /Consume was already called/);
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    await until(() => ends.length > 0);
    assert.deepEqual(seen, Array.from({ length: 20 }, (_, n) => `${n}`));
    assert.deepEqual(ends, [[{ topic, partition: 0, offset: 20 }, 20]]);
  });
});

Deno.test("messages, ends of partitions and topic partitions have their properties in the native addon's order", async () => {
  const { Producer } = await loadKafkaJavascript();
  await withConsumer({ "enable.partition.eof": true }, 0, async (consumer, topic, native) => {
    const producer: Any = new Producer({ "bootstrap.servers": consumer.globalConfig["bootstrap.servers"] }, {});
    await call((done) => producer.connect({}, done));
    producer.produce(topic, 0, Buffer.from("v"), "k", 1234, undefined, [{ h: "1" }]);
    await call((done) => producer.flush(5000, done));
    await call((done) => producer.disconnect(done));
    const ends: Any[] = [];
    consumer.on("partition.eof", (end: Any) => void ends.push(end));
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    const [message] = await call<Any[]>((done) => native.consume(10_000, 1, true, done));
    const of = (value: Any) => Object.keys(value).filter((name) => name !== "leaderEpoch").join(" ");
    assert.equal(of(message), "value headers size key topic offset partition timestamp");
    consumer.commitSync({ topic, partition: 0, offset: 1, metadata: "m" });
    const [committed] = await call<Any[]>((done) => consumer.committed(null, 5000, done));
    assert.equal(of(committed), "offset metadata partition topic");
    assert.equal(of(consumer.assignments()[0]), "offset partition topic");
    consumer.setDefaultConsumeTimeout(100);
    while (ends.length === 0) await call((done) => consumer.consume(1, done));
    assert.equal(of(ends[0]), "topic offset partition");
  });
});

Deno.test("consume() loops again after a reconnect", async () => {
  await withConsumer({}, 3, async (consumer, topic) => {
    for (let round = 0; round < 2; round++) {
      const seen: unknown[] = [];
      consumer.assign([{ topic, partition: 0, offset: 0 }]);
      consumer.consume((_error: unknown, message: unknown) => void seen.push(message));
      await until(() => seen.length === 3);
      await call((done) => consumer.disconnect(done));
      await call((done) => consumer.connect({}, done));
    }
  });
});

Deno.test("a loop passes on every message that it has taken before disconnect() answers, and those are committed", async () => {
  await withConsumer({}, 150, async (consumer, topic) => {
    let received = 0;
    const answered = Promise.withResolvers<number>();
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    consumer.on("data", () => {
      if (++received === 3) consumer.disconnect(() => answered.resolve(received));
    });
    consumer.consume();
    const count = await answered.promise;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(received, count);
    await call((done) => consumer.connect({}, done));
    const [committed] = await call<Any[]>((done) => consumer.committed([{ topic, partition: 0 }], 5000, done));
    assert.equal(committed.offset, count);
  });
});

Deno.test("consumeLoop() and consume() check their arguments as the native addon does", async () => {
  await withConsumer({}, 0, (_consumer, _topic, native) => {
    assert.throws(() => native.consumeLoop(1, 2), { message: "Invalid number of parameters" });
    assert.throws(() => native.consumeLoop("1", 2, () => {}), { message: "Need to specify a timeout" });
    assert.throws(() => native.consumeLoop(1, "2", () => {}), { message: "Need to specify a sleep delay" });
    assert.throws(() => native.consumeLoop(1, 2, 3), { message: "Need to specify a callback" });
    assert.throws(() => native.consume(1), { message: "Invalid number of parameters" });
    assert.throws(() => native.consume(1, "x"), { message: "Need to specify a callback" });
    assert.throws(() => native.consume(1, 1, 1, () => {}), { message: "Need to specify a boolean" });
    assert.throws(() => native.consume(1, 1, true, 1), { message: "Need to specify a callback" });
    return Promise.resolve();
  });
});

Deno.test("consume(timeout, callback) of the addon answers with one message", async () => {
  await withConsumer({}, 2, async (consumer, topic, native) => {
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    const first = await call<Any>((done) => native.consume(10_000, done));
    const second = await call<Any>((done) => native.consume(10_000, done));
    assert.deepEqual([String(first.value), String(second.value)], ["0", "1"]);
  });
});

Deno.test("a partition without a topic is refused in a commit, and left out of an assignment", async () => {
  await withConsumer({}, 0, (consumer, topic) => {
    assert.throws(() => consumer.commit({ partition: 0 }), { message: "Invalid topic partition provided" });
    assert.throws(() => consumer.commit(1), { message: "First parameter must be an object or an array" });
    assert.throws(() => consumer._client.assign([1]), { message: "Must pass topic-partition objects" });
    consumer._client.assign([{ partition: 3 }, { topic, partition: 0 }]);
    assert.deepEqual(consumer.assignments().map((one: Any) => [one.topic, one.partition]), [[topic, 0]]);
    return Promise.resolve();
  });
});

Deno.test("commitSync() keeps metadata, which committed() reads", async () => {
  await withConsumer({}, 3, async (consumer, topic) => {
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    consumer.commitSync([{ topic, partition: 0, offset: 2, metadata: "a note: ü" }]);
    const [committed] = await call<Any[]>((done) => consumer.committed([{ topic, partition: 0 }], 5000, done));
    assert.deepEqual([committed.offset, committed.metadata], [2, "a note: ü"]);
  });
});

Deno.test("no message of a paused partition comes until it is resumed, and none is lost", async () => {
  await withConsumer({}, 50, async (consumer, topic) => {
    consumer.setDefaultConsumeTimeout(200);
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    const seen: number[] = [];
    const take = async (max: number) => {
      const some = await call<Any[]>((done) => consumer.consume(max, done));
      seen.push(...some.map(({ offset }) => offset));
      return some.length;
    };
    while (seen.length < 10) await take(10 - seen.length);
    consumer.pause([{ topic, partition: 0 }]);
    assert.equal(await take(10), 0);
    consumer.resume([{ topic, partition: 0 }]);
    while (seen.length < 50) await take(50);
    assert.deepEqual(seen, Array.from({ length: 50 }, (_, n) => n));
  });
});

Deno.test("messages that were fetched before seek() or unassign() do not come after it", async () => {
  await withConsumer({}, 50, async (consumer, topic) => {
    consumer.setDefaultConsumeTimeout(300);
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    const one = async (): Promise<number | undefined> => {
      const [message] = await call<Any[]>((done) => consumer.consume(1, done));
      return message?.offset;
    };
    let offset;
    while ((offset = await one()) === undefined);
    assert.equal(offset, 0);
    await call((done) => consumer.seek({ topic, partition: 0, offset: 40 }, 5000, done));
    while ((offset = await one()) === undefined);
    assert.equal(offset, 40);
    consumer.unassign();
    assert.equal(await one(), undefined);
    consumer.incrementalAssign([{ topic, partition: 0, offset: 7 }]);
    while ((offset = await one()) === undefined);
    assert.equal(offset, 7);
    consumer.incrementalUnassign([{ topic, partition: 0 }]);
    assert.equal(await one(), undefined);
  });
});

Deno.test("assign() of partitions that are assigned, or were a moment ago, continues with their messages", async () => {
  await withConsumer({ "fetch.wait.max.ms": 5 }, 20, async (consumer, topic) => {
    consumer.setDefaultConsumeTimeout(10_000);
    for (let n = 0; n < 200; n++) {
      if (n % 2 === 1) consumer.unassign();
      const offset = n % 20;
      consumer.assign([{ topic, partition: 0, offset }]);
      const [message] = await call<Any[]>((done) => consumer.consume(1, done));
      assert.equal(message?.offset, offset, `round ${n}`);
    }
  });
});
