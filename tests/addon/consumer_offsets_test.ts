import assert from "node:assert/strict";
import { type Any, call, until, withConsumer } from "../support/native_consumer.ts";

/** What is committed for partition 0. */
async function committed(consumer: Any, topic: string): Promise<number | undefined> {
  return (await committedIn(consumer, topic, 1))[0];
}

/** What is committed for each of so many partitions. */
async function committedIn(consumer: Any, topic: string, partitions: number): Promise<(number | undefined)[]> {
  const asked = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  return (await call<Any[]>((done) => consumer.committed(asked, 5000, done))).map(({ offset }) => offset);
}

/** The code that something throws. */
function codeOf(what: () => unknown): unknown {
  try {
    what();
  } catch (error) {
    return (error as Any).code;
  }
  return "nothing thrown";
}

Deno.test("commitSync() commits 0 when the offset is missing or no number, and cuts a fraction off", async () => {
  await withConsumer({ "enable.auto.commit": false }, 9, async (consumer, topic) => {
    for (const [offset, expected] of [[5, 5], [undefined, 0], [6, 6], [null, 0], ["7", 0], [3.7, 3]] as const) {
      consumer.commitSync({ topic, partition: 0, offset });
      assert.equal(await committed(consumer, topic), expected, `${offset}`);
    }
    assert.equal(codeOf(() => consumer.commitSync({ topic, partition: 0, offset: -1001 })), -168);
    assert.equal(codeOf(() => consumer.commitSync([])), -168);
    assert.equal(await committed(consumer, topic), 3);
  });
});

Deno.test("offset_commit_cb hears of commitSync(), commit() and commitCb(), in that order", async () => {
  const told: unknown[] = [];
  const offset_commit_cb = (error: Any, partitions: unknown) => void told.push([error?.code, partitions]);
  await withConsumer({ "enable.auto.commit": false, offset_commit_cb }, 9, async (consumer, topic) => {
    const at = (offset: number) => [{ topic, partition: 0, offset }];
    consumer.commitSync(at(2));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(told, [], "through consume only");
    consumer.consume();
    await until(() => told.length === 1);
    assert.equal(codeOf(() => consumer.commitSync([])), -168);
    await until(() => told.length === 2);
    consumer.commit(at(3));
    await until(() => told.length === 3);
    assert.equal(await call((done) => consumer.commitCb(at(4), done)), undefined);
    await until(() => told.length === 4);
    assert.deepEqual(told, [[undefined, at(2)], [-168, []], [undefined, at(3)], [undefined, at(4)]]);
    assert.equal(await committed(consumer, topic), 4);
  });
});

Deno.test("commitCb() checks its arguments", async () => {
  await withConsumer({}, 0, (_consumer, _topic, native) => {
    assert.throws(() => native.commitCb([]), { message: "Two arguments are required" });
    const message = "First argument should be an array or null and second one a callback";
    assert.throws(() => native.commitCb({}, () => {}), { message });
    assert.throws(() => native.commitCb([], 1), { message });
    return Promise.resolve();
  });
});

Deno.test("subscription() answers what subscribe() was given, expressions by their source", async () => {
  await withConsumer({}, 0, (consumer, topic, native) => {
    assert.deepEqual(consumer.subscription(), []);
    consumer.subscribe([topic, "^never-.*"]);
    assert.deepEqual(consumer.subscription().sort(), ["^never-.*", topic].sort());
    consumer.subscribe([/^other-.*/]);
    assert.deepEqual(consumer.subscription(), ["^other-.*"]);
    assert.equal(codeOf(() => consumer.subscribe([])), -186);
    assert.equal(codeOf(() => consumer.subscribe(["a", ""])), -186);
    assert.throws(() => consumer.subscribe("a"), { message: "First parameter must be an array" });
    assert.deepEqual(consumer.subscription(), ["^other-.*"], "what is refused changes nothing");
    consumer.unsubscribe();
    assert.deepEqual(consumer.subscription(), []);
    assert.equal(native.unsubscribe(), 0);
    return Promise.resolve();
  });
});

Deno.test("offsetsStoreSingle() and offsetsStore() store what commit() then commits", async () => {
  const conf = { "enable.auto.commit": false, "enable.auto.offset.store": false };
  await withConsumer(conf, 9, async (consumer, topic, native) => {
    assert.equal(native.offsetsStoreSingle(topic, 0, 1, -1), -172, "not subscribed");
    assert.throws(() => native.offsetsStoreSingle(topic, 0, 1), {
      message: "Must provide topic, partition, offset and leaderEpoch",
    });
    consumer.subscribe([topic]);
    for (let seen = 0; seen < 9;) seen += (await call<Any[]>((done) => consumer.consume(9, done))).length;
    assert.equal(native.offsetsStoreSingle(topic, 0, 4, -1), 0);
    consumer.commitSync();
    assert.equal(await committed(consumer, topic), 4);
    consumer.offsetsStore([{ topic, partition: 0, offset: 6 }]);
    consumer.commitSync();
    assert.equal(await committed(consumer, topic), 6);
  });
});

Deno.test("offsetsStoreSingle() stores for the partition that it names, whichever came before", async () => {
  const conf = { "enable.auto.commit": false, "enable.auto.offset.store": false };
  const counts = [3, 5, 2, 7];
  await withConsumer(conf, counts, async (consumer, topic, native) => {
    consumer.subscribe([topic]);
    let seen: Any[] = [];
    while (seen.length < 17) seen = [...seen, ...await call<Any[]>((done) => consumer.consume(17, done))];
    // Nothing is stored for what is not assigned, and nothing of it stays.
    assert.equal(native.offsetsStoreSingle(topic, 4, 1, -1), -172);
    assert.equal(native.offsetsStoreSingle("another", 0, 1, -1), -190);
    // The partitions in turn, as messages of several come.
    seen.sort((a, b) => a.offset - b.offset);
    for (const { partition, offset } of seen) {
      // Some with an epoch, some without.
      assert.equal(native.offsetsStoreSingle(topic, partition, offset + 1, partition === 1 ? 0 : -1), 0);
    }
    consumer.commitSync();
    assert.deepEqual(await committedIn(consumer, topic, 4), counts);
  });
});

Deno.test("offsetsStoreSingle() goes by what is assigned now, and keeps no partition from being given back", async () => {
  const conf = { "enable.auto.commit": false, "enable.auto.offset.store": false };
  await withConsumer(conf, [4, 6], async (consumer, topic, native) => {
    consumer.subscribe([topic]);
    await until(() => {
      consumer.consume(1, () => {});
      return consumer.assignments().length === 2;
    });
    for (const partition of [1, 0, 1]) assert.equal(native.offsetsStoreSingle(topic, partition, 2, -1), 0);
    consumer.assign([{ topic, partition: 1 }]);
    await until(() => native.offsetsStoreSingle(topic, 0, 3, -1) === -172);
    assert.equal(native.offsetsStoreSingle(topic, 1, 5, -1), 0);
    consumer.commitSync();
    consumer.assign([{ topic, partition: 0 }]);
    await until(() => native.offsetsStoreSingle(topic, 1, 1, -1) === -172);
    assert.equal(native.offsetsStoreSingle(topic, 0, 4, -1), 0);
    consumer.commitSync();
    assert.deepEqual(await committedIn(consumer, topic, 2), [4, 5]);
  });
});

Deno.test("getWatermarkOffsets() answers what the last fetch said, and offsetsForTimes() takes a missing time for 0", async () => {
  await withConsumer({ "enable.partition.eof": true }, 9, async (consumer, topic) => {
    assert.deepEqual(consumer.getWatermarkOffsets(topic, 0), { lowOffset: -1001, highOffset: -1001 });
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    for (let seen = 0; seen < 9;) seen += (await call<Any[]>((done) => consumer.consume(9, done))).length;
    assert.equal(consumer.getWatermarkOffsets(topic, 0).highOffset, 9);
    const [found] = await call<Any[]>((done) => consumer.offsetsForTimes([{ topic, partition: 0 }], 5000, done));
    assert.equal(found.partition, 0);
  });
});
