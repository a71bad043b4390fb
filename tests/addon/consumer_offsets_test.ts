import assert from "node:assert/strict";
import { type Any, call, until, withConsumer } from "../support/with_consumer.ts";

/** The committed offset of partition 0. */
async function committed(consumer: Any, topic: string): Promise<number | undefined> {
  return (await committedIn(consumer, topic, 1))[0];
}

/** The committed offset of each of the first `count` partitions. */
async function committedIn(consumer: Any, topic: string, partitions: number): Promise<(number | undefined)[]> {
  const partitionsOfTopic = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  return (await call<Any[]>((done) => consumer.committed(partitionsOfTopic, 5000, done))).map(({ offset }) => offset);
}

/** The code of the error that a function throws. */
function codeOf(what: () => unknown): unknown {
  try {
    what();
  } catch (error) {
    return (error as Any).code;
  }
  return "nothing thrown";
}

Deno.test("commitSync() commits 0 when the offset is absent or not a number, and truncates a fraction", async () => {
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

Deno.test("offset_commit_cb is called for commitSync(), commit() and commitCb(), in the order of the calls", async () => {
  const received: unknown[] = [];
  const offset_commit_cb = (error: Any, partitions: unknown) => void received.push([error?.code, partitions]);
  await withConsumer({ "enable.auto.commit": false, offset_commit_cb }, 9, async (consumer, topic) => {
    const at = (offset: number) => [{ topic, partition: 0, offset }];
    consumer.commitSync(at(2));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(received, [], "through consume only");
    consumer.consume();
    await until(() => received.length === 1);
    assert.equal(codeOf(() => consumer.commitSync([])), -168);
    await until(() => received.length === 2);
    consumer.commit(at(3));
    await until(() => received.length === 3);
    assert.equal(await call((done) => consumer.commitCb(at(4), done)), undefined);
    await until(() => received.length === 4);
    assert.deepEqual(received, [[undefined, at(2)], [-168, []], [undefined, at(3)], [undefined, at(4)]]);
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

Deno.test("subscription() answers the topics of subscribe(), a regular expression by its source", async () => {
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

Deno.test("commit() commits what offsetsStoreSingle() and offsetsStore() have stored", async () => {
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

Deno.test("offsetsStoreSingle() stores for the partition that it names, whichever was stored before", async () => {
  const conf = { "enable.auto.commit": false, "enable.auto.offset.store": false };
  const counts = [3, 5, 2, 7];
  await withConsumer(conf, counts, async (consumer, topic, native) => {
    consumer.subscribe([topic]);
    let seen: Any[] = [];
    while (seen.length < 17) seen = [...seen, ...await call<Any[]>((done) => consumer.consume(17, done))];
    // An offset of a partition that is not assigned is refused, and leaves no trace.
    assert.equal(native.offsetsStoreSingle(topic, 4, 1, -1), -172);
    assert.equal(native.offsetsStoreSingle("another", 0, 1, -1), -190);
    // The partitions alternate, as messages of several partitions do.
    seen.sort((a, b) => a.offset - b.offset);
    for (const { partition, offset } of seen) {
      // Some offsets have a leader epoch, some have none.
      assert.equal(native.offsetsStoreSingle(topic, partition, offset + 1, partition === 1 ? 0 : -1), 0);
    }
    consumer.commitSync();
    assert.deepEqual(await committedIn(consumer, topic, 4), counts);
  });
});

Deno.test("offsetsStoreSingle() follows the present assignment, and does not keep an unassigned partition alive", async () => {
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

Deno.test("getWatermarkOffsets() answers the watermarks of the last fetch, and an absent time is 0 for offsetsForTimes()", async () => {
  await withConsumer({ "enable.partition.eof": true }, 9, async (consumer, topic) => {
    assert.deepEqual(consumer.getWatermarkOffsets(topic, 0), { lowOffset: -1001, highOffset: -1001 });
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    for (let seen = 0; seen < 9;) seen += (await call<Any[]>((done) => consumer.consume(9, done))).length;
    assert.equal(consumer.getWatermarkOffsets(topic, 0).highOffset, 9);
    const [found] = await call<Any[]>((done) => consumer.offsetsForTimes([{ topic, partition: 0 }], 5000, done));
    assert.equal(found.partition, 0);
  });
});
