import assert from "node:assert/strict";
import { HandlerError, Slipstream, Topic } from "@slipstream/slipstream";
import { TestBroker, until, watchConsumers } from "../support/brokers.ts";

const QUIET = { handleSignals: false } as const;

/** Makes topics with a common prefix and so many messages each, most of them in the first of two partitions. */
async function filled(broker: TestBroker, counts: readonly number[]): Promise<{ prefix: string; names: string[] }> {
  const prefix = `several${crypto.randomUUID().slice(0, 6)}`;
  const names: string[] = [];
  for (const [index, count] of counts.entries()) {
    const name = await broker.createTopic(`${prefix}.${index}`, 2);
    names.push(name);
    await using topic = new Topic(name, broker.conf());
    await topic.sendBatch(
      Array.from({ length: count }, (_, n) => ({ value: `${index}:${n}`, partition: n % 4 === 1 ? 1 : 0 })),
    );
  }
  return { prefix, names };
}

const expected = (counts: readonly number[]) =>
  counts.flatMap((count, index) => Array.from({ length: count }, (_, n) => `${index}:${n}`)).sort();

for (const grouped of [true, false]) {
  Deno.test(`a Topic of several names reads all topics to their ends ${grouped ? "in" : "without"} a group`, async () => {
    await using broker = await TestBroker.start();
    const { names } = await filled(broker, [5, 0, 8]);
    const conf = broker.conf(grouped ? { "group.id": `g-${names[0]}` } : {});
    await using topic = new Topic(names, conf, { until: "end", offset: "beginning" });
    assert.equal((await topic.lag()).total, 13);
    const read = await Array.fromAsync(topic);
    assert.deepEqual(read.map(({ value }) => value!).sort(), expected([5, 0, 8]));
    for (const { topic, value } of read) assert.equal(topic, names[Number(value!.split(":")[0])]);
    if (!grouped) return;
    // Each topic has offsets of its own: partition 0 of one is not partition 0 of another.
    const { total, partitions } = await topic.lag();
    assert.equal(total, 0);
    assert.deepEqual(
      partitions,
      [[4, 1], [0, 0], [6, 2]].flatMap((ends, index) =>
        ends.map((endOffset, partition) => {
          return { topic: names[index]!, partition, currentOffset: endOffset, endOffset, lag: 0 };
        })
      ),
    );
  });

  Deno.test(`a Topic of a pattern reads all topics that match it ${grouped ? "in" : "without"} a group`, async () => {
    await using broker = await TestBroker.start();
    const { prefix } = await filled(broker, [3, 4]);
    await filled(broker, [2]); // topics that do not match
    const conf = broker.conf(grouped ? { "group.id": `g-${prefix}` } : {});
    for (const expression of [new RegExp(`^${prefix}[.][01]`), `^${prefix}`]) {
      await using topic = new Topic(expression, conf, { until: "end", offset: "beginning" });
      const seen: string[] = [];
      const app = new Slipstream();
      app.handle(topic, ({ value }) => void seen.push(value!));
      await app.stream(QUIET);
      assert.deepEqual(seen.sort(), expected([3, 4]));
      if (grouped) break; // The next reader of the group would wait until a session expires.
    }
  });
}

Deno.test("handle() of several topics names the topic of a failed message, and commits the offsets of each topic", async () => {
  await using broker = await TestBroker.start();
  const { names } = await filled(broker, [4, 4]);
  const conf = broker.conf({ "group.id": `g-${names[0]}` });
  await using topic = new Topic(names, conf, { until: "end" });
  const app = new Slipstream();
  app.handle(topic, { name: "pick" }, ({ value }) => {
    if (value === "1:2") throw new Error("on purpose");
  });
  await assert.rejects(app.stream(QUIET), (error: unknown) => {
    assert.ok(error instanceof HandlerError);
    assert.match(error.message, /handler "pick" failed on several.*\.1-.*\[0\]@1: on purpose/);
    assert.deepEqual([error.topic, error.partition, error.offset], [names[1], 0, 1]);
    return true;
  });
  await using asking = new Topic(names, conf);
  const { partitions } = await asking.lag();
  assert.ok(partitions.find(({ topic, partition }) => topic === names[1] && partition === 0)!.lag >= 1);
});

Deno.test("commit() of several topics takes messages of each of them, and refuses others", async () => {
  await using broker = await TestBroker.start();
  const { names } = await filled(broker, [3, 4]);
  const conf = broker.conf({ "group.id": `g-${names[0]}` });
  await using topic = new Topic(names, conf, { until: "end", commit: "manual" });
  for await (const message of topic) if (message.topic === names[1]) await topic.commit(message);
  const { partitions } = await new Topic(names, conf).lag();
  const of = (name: string) => partitions.filter(({ topic }) => topic === name).map(({ lag }) => lag);
  assert.deepEqual([of(names[0]!), of(names[1]!)], [[2, 1], [0, 0]]);
  await using reading = new Topic(names, broker.conf({ "group.id": `other-${names[0]}` }));
  const messages = reading[Symbol.asyncIterator]();
  await messages.next();
  await assert.rejects(
    reading.commit({ topic: "another", partition: 0, offset: 0 }),
    /can't commit a message of another/,
  );
  await messages.return();
});

Deno.test("a Topic of several names refuses to be written to before anything is read", async () => {
  await using broker = await TestBroker.start();
  await using several = new Topic(["a", "b"], broker.conf());
  await assert.rejects(several.send("k", "v"), /Topics "a", "b": can only be read: write to a Topic of one name/);
  assert.throws(() => several.writable, /can only be read/);
  const app = new Slipstream();
  let read = 0;
  app.handle([1], { sink: several, onError: several }, () => (read++, ["k", "v"]));
  await assert.rejects(app.stream(QUIET), /can only be read/);
  assert.equal(read, 0);
});

Deno.test("a paused Topic hands out no message of partitions that are assigned later, and goes on when it is resumed", async () => {
  await using broker = await TestBroker.start();
  const { names: [name] } = await filled(broker, [2]);
  const conf = broker.conf({ "group.id": `g-${name}` });
  await using first = new Topic(name!, conf), second = new Topic(name!, conf), writer = new Topic(name!, broker.conf());
  const seen: string[] = [], others: string[] = [];
  const reading = (async () => {
    for await (const { value } of first) seen.push(value!);
  })();
  await until(() => seen.length === 2, "two messages");
  let pauses = 0;
  using _spy = await watchConsumers(["pause"], () => pauses++);
  first.pause();
  assert.equal(pauses, 1);
  const readingToo = (async () => {
    for await (const { value } of second) others.push(value!);
  })();
  await until(() => pauses > 1, "its partition is paused again");
  await until(async () => {
    await writer.sendBatch([{ value: "more 0", partition: 0 }, { value: "more 1", partition: 1 }]);
    return others.length > 0;
  }, "the other member reads its own");
  assert.equal(seen.length, 2);
  first.resume();
  await until(() => seen.length > 2, "the rest");
  await Promise.all([first.close(), second.close()]);
  await Promise.all([reading, readingToo]);
});

Deno.test("a Topic without a group finds topics that are created while it reads, and misses no message of them", async () => {
  await using broker = await TestBroker.start();
  const { prefix } = await filled(broker, [2]);
  const conf = broker.conf({ "topic.metadata.refresh.interval.ms": 500 });
  await using topic = new Topic(`^${prefix}`, conf, { offset: "end" });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { value } of topic) {
      seen.push(value!);
      if (seen.length === 4) break;
    }
  })();
  await until(async () => (await topic.lag()).partitions.length === 2, "reads what is there");
  const later = await broker.createTopic(`${prefix}.later`, 2);
  await using writer = new Topic(later, broker.conf());
  await writer.sendBatch([0, 1, 2, 3].map((n) => ({ value: `${n}`, partition: n === 1 ? 1 : 0 })));
  await reading;
  assert.deepEqual(seen.toSorted(), ["0", "1", "2", "3"]);
});
