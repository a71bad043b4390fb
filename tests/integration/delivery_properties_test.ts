import assert from "node:assert/strict";
import fc from "fast-check";
import { Slipstream, Topic, type TopicOptions, type TopicRecord } from "@slipstream/slipstream";
import { everything, TestBroker, until, watchConsumers } from "../support/brokers.ts";
import { SEED } from "../support/seed.ts";

Deno.test("Topic keeps the order of each partition, loses no message and distinguishes tombstones from empty values", async () => {
  await using broker = await TestBroker.start();
  const record = fc.record({
    key: fc.option(fc.constantFrom("a", "b", "c", "", "ключ", "🗝"), { nil: null }),
    value: fc.option(fc.string({ unit: "binary" }), { nil: null }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 300 }), async (records) => {
      const name = await broker.createTopic("order", 3);
      await using topic = new Topic(name, broker.conf());
      const writer = topic.writable.getWriter();
      for (const one of records) await writer.write(one);
      await writer.close();
      const read = await everything(broker, name);
      assert.equal(read.length, records.length);
      // Messages of one key share a partition, so they are read in the order in which they were written.
      // (librdkafka's partitioner treats an empty key as no key.)
      for (const key of new Set(records.map((one) => one.key).filter((one) => one !== null && one !== ""))) {
        const ofKey = (from: readonly TopicRecord[]) => from.filter((one) => one.key === key).map((one) => one.value);
        assert.deepEqual(ofKey(read), ofKey(records));
      }
      const sorted = (from: readonly { value: string | null }[]) => from.map((one) => JSON.stringify(one.value)).sort();
      assert.deepEqual(sorted(read), sorted(records));
    }),
    { seed: SEED, numRuns: 8 },
  );
});

Deno.test("sendBatch() reports consecutive offsets of a partition; headers, timestamp and partition are read back", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("reports", 2);
  await using topic = broker.toEnd(name, {}, { offset: "beginning" });
  const timestamp = Date.now() - 60_000;
  const headers = [["n", "1"], ["n", new Uint8Array([0, 255])], ["empty", ""], ["none", null]] as const;
  const reports = await topic.sendBatch([
    { key: "k", value: "v", partition: 1, timestamp, headers },
    { key: "k", value: null, partition: 1 },
    { value: "", partition: 1 },
  ]);
  assert.deepEqual(reports.map(({ partition, offset }) => [partition, offset]), [[1, 0], [1, 1], [1, 2]]);
  const [first, second, third] = await Array.fromAsync(topic);
  assert.equal(first!.timestamp, timestamp);
  assert.deepEqual(
    first!.headers.map(([header, value]) => [header, value && [...value]]),
    [["n", [49]], ["n", [0, 255]], ["empty", []], ["none", null]],
  );
  assert.deepEqual([second!.value, third!.value, third!.key], [null, "", null]);
});

Deno.test("handle() copies every message from topic to topic, and a graceful stop repeats none", async () => {
  await using broker = await TestBroker.start();
  const [from, to] = [await broker.createTopic("from", 2), await broker.createTopic("to")];
  const conf = broker.conf({ "group.id": `move-${from}` });
  await using source = new Topic(from, broker.conf());
  await source.sendBatch(Array.from({ length: 3000 }, (_, n) => [`k${n % 7}`, `${n}`] as const));
  const move = async () => {
    await using input = new Topic(from, conf, { until: "end" });
    await using output = new Topic(to, broker.conf());
    const app = new Slipstream();
    app.handle(input, { sink: output }, (message) => [message.key, message.value]);
    await app.stream({ handleSignals: false });
  };
  await move();
  assert.equal((await everything(broker, to)).length, 3000);
  await move();
  const moved = await everything(broker, to);
  assert.equal(moved.length, 3000);
  assert.equal(new Set(moved.map((one) => one.value)).size, 3000);
});

Deno.test("handle() stores offsets only of settled messages: after a run that failed, the rest is read again", async () => {
  await using broker = await TestBroker.start();
  const from = await broker.createTopic("fails");
  const conf = broker.conf({ "group.id": `fails-${from}` });
  await using source = new Topic(from, broker.conf());
  await source.sendBatch(Array.from({ length: 2500 }, (_, n) => [null, `${n}`] as const));
  const seen = new Set<string>();
  const run = async (failAt: number) => {
    await using input = new Topic(from, conf, { until: "end" });
    const app = new Slipstream();
    app.handle(input, { sink: (value: string) => void seen.add(value), name: "see" }, (message) => {
      if (Number(message.value) === failAt) throw new Error("on purpose");
      return message.value!;
    });
    await app.stream({ handleSignals: false });
  };
  await assert.rejects(run(1700), (error: Error) => {
    assert.match(error.message, /^handler "see" failed on fails-.*\[0\]@1700: on purpose$/);
    return true;
  });
  assert.ok(!seen.has("1700"));
  await using asking = new Topic(from, conf);
  // The message that was not handled is read again, so the committed offset is not above 1,700.
  assert.ok((await asking.lag()).total >= 800, `lag ${(await asking.lag()).total}`);
  await run(-1);
  assert.equal(seen.size, 2500);
});

Deno.test("two members share the partitions: no message is lost when one joins and one leaves", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("shared", 4);
  const conf = broker.conf({ "group.id": `shared-${name}` });
  await using source = new Topic(name, broker.conf());
  const seen: string[][] = [[], []];
  const members = [new AbortController(), new AbortController()];
  const member = async (index: number) => {
    await using topic = new Topic(name, conf);
    const app = new Slipstream();
    app.handle(topic, { sink: (value: string) => void seen[index]!.push(value) }, (message) => message.value!);
    await app.stream({ handleSignals: false, signal: members[index]!.signal });
  };
  const send = (from: number, to: number) =>
    source.sendBatch(Array.from({ length: to - from }, (_, n) => [`k${n}`, `${from + n}`] as const));
  const count = () => new Set(seen.flat()).size;
  const first = member(0);
  await send(0, 500);
  await until(() => count() === 500, "the first member reads");
  const second = member(1);
  let sent = 500;
  await until(
    async () => {
      await send(sent, sent += 50);
      return seen[1]!.length > 0;
    },
    "the second member gets partitions",
    60_000,
  );
  members[0]!.abort();
  await first;
  await send(sent, sent += 500);
  await until(() => count() === sent, "the second member reads the rest", 60_000);
  members[1]!.abort();
  await second;
  assert.equal(count(), sent);
});

Deno.test("a slow reader pauses its partitions, stays in its group, and then reads all the rest", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("slow");
  await using source = new Topic(name, broker.conf());
  await source.sendBatch(Array.from({ length: 3000 }, (_, n) => [null, `${n}`] as const));
  // A consumer that is not polled for max.poll.interval.ms leaves its group. That can't be below the session, of 6 s.
  await using topic = broker.toEnd(name, { "group.id": `slow-${name}`, "max.poll.interval.ms": 6000 });
  const seen: number[] = [], toggled: string[] = [];
  using _spy = await watchConsumers(
    ["pause", "resume"],
    (what, partitions) => toggled.push(`${what} ${partitions} after ${seen.length}`),
  );
  for await (const message of topic) {
    seen.push(Number(message.value));
    if (seen.length === 500) await new Promise((resolve) => setTimeout(resolve, 8000));
  }
  assert.deepEqual(seen, Array.from({ length: 3000 }, (_, n) => n));
  // The batch that was pulled before the stall is read to its end first.
  assert.equal(toggled[0], "pause 0 after 500");
  assert.match(toggled[1]!, /^resume 0 after /);
  assert.equal(toggled.length, 2);
});

Deno.test("commit() resolves when the broker has the offset, and the next reader starts there", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("manual");
  const conf = { "group.id": `manual-${name}` };
  await using source = new Topic(name, broker.conf());
  await source.sendBatch(["0", "1", "2", "3", "4"].map((value) => [null, value] as const));
  {
    await using topic = broker.toEnd(name, conf, { commit: "manual" });
    for await (const message of topic) if (message.value === "2") await topic.commit(message);
  }
  await using topic = broker.toEnd(name, conf, { commit: "manual" });
  assert.equal((await topic.lag()).total, 2);
  assert.deepEqual(await Array.fromAsync(topic, (message) => message.value), ["3", "4"]);
});

Deno.test("seek() and the option offset start at their offset, and refuse one that does not exist", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("seek");
  await using source = new Topic(name, broker.conf());
  await source.sendBatch(["0", "1", "2", "3"].map((value) => [null, value] as const));
  const read = async (options: TopicOptions) => {
    await using topic = broker.toEnd(name, {}, options as never);
    return await Array.fromAsync(topic, (message) => message.value);
  };
  assert.deepEqual(await read({ offset: 2 }), ["2", "3"]);
  assert.deepEqual(await read({ offset: { 0: 3 } }), ["3"]);
  assert.deepEqual(await read({ offset: "end" }), []);
  assert.deepEqual(await read({ offset: -2 }), ["0", "1", "2", "3"]);
  await assert.rejects(read({ offset: 99 }), /has no offset 99: it has 0 to 4/);
  await using topic = broker.toEnd(name, {}, { offset: "beginning" });
  const seen: string[] = [];
  for await (const { value } of topic) {
    seen.push(value!);
    if (seen.length === 2) await topic.seek(0);
    if (seen.length === 5) break;
  }
  assert.deepEqual(seen.slice(0, 2), ["0", "1"]);
  assert.ok(seen.slice(2).includes("0"), seen.join());
});
