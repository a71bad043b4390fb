import assert from "node:assert/strict";
import { Topic } from "@slipstream/slipstream";
import { FakeClock, MemoryKafka } from "@slipstream/slipstream/testing";
import type { PortProducer, TopicPartition } from "../../src/kafka/port.ts";
import { clientFactoryFor } from "../../src/kafka/client_factories.ts";

const P0 = { topic: "t", partition: 0 }, P1 = { topic: "t", partition: 1 };
const text = (value: string) => new TextEncoder().encode(value);

/** The delivery reports of records, each as `number: code@offset`. */
function reports() {
  const told: string[] = [];
  return {
    told,
    recordNumber: 0,
    reported(code: number, _partition: number, offset: number, number: number) {
      told.push(`${number}: ${code}@${offset}`);
    },
  };
}

async function producerOf(kafka: MemoryKafka, conf: Record<string, unknown> = {}): Promise<PortProducer> {
  const all = { "bootstrap.servers": kafka.bootstrapServers, ...conf };
  const producer = await clientFactoryFor(all).producer(all, { onError() {} });
  await producer.connect();
  return producer;
}

async function consumerOf(kafka: MemoryKafka, conf: Record<string, unknown> = {}) {
  const all = {
    "bootstrap.servers": kafka.bootstrapServers,
    "group.id": "g",
    "auto.offset.reset": "earliest",
    "enable.auto.offset.store": false,
    ...conf,
  };
  const log: string[] = [];
  const names = (partitions: readonly TopicPartition[]) => partitions.map(({ partition }) => partition).join();
  const consumer = await clientFactoryFor(all).consumer(all, {
    onError() {},
    onAssign(partitions) {
      log.push(`+${names(partitions)}`);
      if (consumer.isCooperative) consumer.incrementalAssign(partitions);
      else consumer.assign(partitions);
    },
    onRevoke(partitions) {
      log.push(`${consumer.isAssignmentLost ? "lost " : ""}-${names(partitions)}`);
      if (consumer.isCooperative) consumer.incrementalUnassign(partitions);
      else consumer.unassign();
    },
    onCommitted: (code, offsets) => log.push(`committed ${code} ${offsets.map(({ offset }) => offset).join()}`),
    onEnd() {},
  });
  await consumer.connect();
  consumer.subscribe(["t"]);
  return { consumer, log };
}

function produce(producer: PortProducer, account: ReturnType<typeof reports>, partition: number, ...values: string[]) {
  for (const value of values) {
    producer.produce("t", partition, text(value), null, null, account, undefined);
    account.recordNumber++;
  }
}

const values = (messages: readonly { readonly value: Uint8Array | null }[]) =>
  messages.map(({ value }) => String(value)).join("");

Deno.test("MemoryKafka shows and takes headers as a Topic does: in order, names repeated, values null", async () => {
  using kafka = new MemoryKafka({ partitions: 2 });
  kafka.createTopic("t");
  const headers = [["h", "x"], ["h", null], ["i", text("y")]] as const;
  assert.equal(kafka.append(P1, { key: "k", value: "v", headers }), 0);
  await using topic = new Topic("t", { "bootstrap.servers": kafka.bootstrapServers }, {
    offset: "beginning",
    until: "end",
  });
  await topic.send("k", "v", { partition: 1, headers });
  const [appended, sent] = kafka.records(P1);
  const shown = (some: readonly (readonly [string, Uint8Array | null])[]) =>
    some.map(([name, value]) => [name, value && String.fromCharCode(...value)]);
  assert.deepEqual(shown(appended!.headers), [["h", "x"], ["h", null], ["i", "y"]]);
  assert.deepEqual(shown(sent!.headers), shown(appended!.headers));
  const [first, second] = await Array.fromAsync(topic);
  assert.deepEqual([shown(first!.headers), shown(second!.headers)], Array(2).fill(shown(appended!.headers)));
  assert.deepEqual(kafka.records(P0), [], "createTopic() makes as many partitions as the options say");
});

Deno.test("MemoryKafka refuses partitions that do not exist, and numbers of partitions that are none", () => {
  using kafka = new MemoryKafka();
  assert.throws(() => kafka.records(P0), /^RangeError: There is no partition t\[0\]: create the topic/);
  assert.throws(() => kafka.createTopic("t", { partitions: 0 }), RangeError);
  assert.throws(() => new MemoryKafka({ partitions: 1.5 }), RangeError);
});

Deno.test("MemoryKafka deletes records and leaves gaps, and records() shows what is left", () => {
  using kafka = new MemoryKafka();
  kafka.createTopic("t");
  for (const value of ["a", "b"]) kafka.append(P0, { value });
  assert.equal(kafka.records(P0).length, 2);
  kafka.deleteRecords(P0, 1);
  kafka.skipOffsets(P0, 5);
  kafka.append(P0, { value: "c" });
  assert.deepEqual(kafka.records(P0).map(({ offset, value }) => [offset, String(value)]), [[1, "b"], [7, "c"]]);
});

Deno.test("MemoryKafka lets a test decide the outcome of each record, and keeps the order of a partition", async () => {
  using kafka = new MemoryKafka();
  kafka.createTopic("t", { partitions: 2 });
  const gate = Promise.withResolvers<void>();
  kafka.faults.produce = ({ value }) => {
    const what = String(new TextDecoder().decode(value!));
    if (what === "f") return { code: -192 };
    if (what === "l") return { code: -195, written: true };
    if (what === "w") return gate.promise.then(() => {});
  };
  const producer = await producerOf(kafka), account = reports();
  produce(producer, account, 0, "a", "f", "l", "w", "b");
  produce(producer, account, 1, "c");
  await producer.flush(1);
  assert.deepEqual(account.told.toSorted(), ["0: 0@0", "1: -192@-1", "2: -195@-1", "5: 0@0"]);
  assert.equal(values(kafka.records(P0)), "al", "a record that waits holds up its partition alone");
  gate.resolve();
  await producer.flush(1000);
  assert.equal(values(kafka.records(P0)), "alwb");
  assert.deepEqual(account.told.slice(4), ["3: 0@2", "4: 0@3"]);
  await producer.disconnect();
});

Deno.test("MemoryKafka reports records as purged when their producer disconnects; those that were sent are written all the same", async () => {
  using kafka = new MemoryKafka();
  kafka.createTopic("t");
  const gate = Promise.withResolvers<void>();
  kafka.faults.produce = () => gate.promise.then(() => {});
  const producer = await producerOf(kafka), account = reports();
  produce(producer, account, 0, "a", "b");
  await producer.flush(1);
  await producer.disconnect();
  assert.deepEqual(account.told, ["0: -152@-1", "1: -152@-1"]);
  gate.resolve();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(values(kafka.records(P0)), "a");
  assert.throws(() => produce(producer, account, 0, "c"), { code: -172 });
});

Deno.test("MemoryKafka.crash() settles nothing, and the group notices after the session", async () => {
  using kafka = new MemoryKafka();
  kafka.createTopic("t", { partitions: 2 });
  kafka.append(P0, { value: "a" });
  const { consumer } = await consumerOf(kafka, { "session.timeout.ms": 300 });
  assert.equal(values(await consumer.consume(10, 1000)), "a");
  consumer.storeOffsets([{ ...P0, offset: 1 }]);
  const never = [consumer.consume(10, 1), consumer.commit([{ ...P0, offset: 1 }])];
  kafka.crash();
  never.push(consumer.consume(10, 1));
  void consumer.disconnect();
  Promise.race(never).then(() => assert.fail("it was answered"), () => assert.fail("it was refused"));
  assert.equal(kafka.consumers.length, 0);
  const { consumer: next, log } = await consumerOf(kafka);
  assert.deepEqual(await next.consume(10, 5), []);
  assert.equal(values(await next.consume(10, 1000)), "a", "nothing was committed");
  assert.deepEqual(log, ["+0,1"]);
  await next.disconnect();
});

for (
  const [strategy, logs] of [
    ["range", [["+0,1", "-0,1", "+0", "-0", "+1"], ["+1", "-1", "+0"]]],
    ["cooperative-sticky", [["+0,1", "-1", "+", "-0", "+1"], ["+", "+1", "-1", "+0"]]],
  ] as const
) {
  Deno.test(`MemoryKafka.rebalance() moves partitions (${strategy})`, async () => {
    using kafka = new MemoryKafka();
    kafka.createTopic("t", { partitions: 2 });
    const conf = { "partition.assignment.strategy": strategy };
    const one = await consumerOf(kafka, conf);
    await one.consumer.consume(10, 1);
    const two = await consumerOf(kafka, conf);
    const polls = async () => {
      for (let n = 0; n < 5; n++) await Promise.all([one.consumer.consume(10, 1), two.consumer.consume(10, 1)]);
    };
    await polls();
    assert(kafka.isStable("g"));
    kafka.rebalance("g");
    await polls();
    assert.deepEqual([one.log, two.log], logs);
    await Promise.all([one.consumer.disconnect(), two.consumer.disconnect()]);
  });
}

Deno.test("MemoryKafka.loseMember() takes a member's partitions: its commits are refused until it has joined again", async () => {
  using kafka = new MemoryKafka();
  kafka.createTopic("t", { partitions: 2 });
  kafka.append(P1, { value: "a" });
  const { consumer, log } = await consumerOf(kafka);
  await consumer.consume(10, 1000);
  consumer.storeOffsets([{ ...P1, offset: 1 }]);
  kafka.loseMember("g");
  assert.equal(values(await consumer.consume(10, 1000)), "a");
  assert.deepEqual(log, ["+0,1", "lost -0,1", "+0,1"]);
  assert.equal(kafka.committed("g", P1), undefined);
  await consumer.disconnect();
});

Deno.test("MemoryKafka takes intervals, timeouts and delays from the current clock, which may be a fake one", async () => {
  using clock = FakeClock.install();
  using kafka = new MemoryKafka({ delayMs: (kind) => kind === "commit" ? 500 : 0 });
  kafka.createTopic("t", { partitions: 2 });
  kafka.append(P0, { value: "a" });
  const { consumer, log } = await consumerOf(kafka, { "auto.commit.interval.ms": 1000 });
  const [message] = await consumer.consume(10, 1000);
  assert.equal(message!.timestamp, 0);
  consumer.storeOffsets([{ ...P0, offset: 1 }]);
  await clock.advance(1499);
  assert.equal(kafka.committed("g", P0), undefined);
  await clock.advance(1);
  assert.equal(kafka.committed("g", P0), 1);
  let answer: unknown;
  consumer.consume(10, 60_000).then((messages) => answer = messages);
  await clock.advance(59_999);
  assert.deepEqual([log.at(-1), answer], ["committed 0 1", undefined]);
  await clock.advance(1);
  assert.deepEqual(answer, []);
  kafka.setDown();
  const asking = consumer.watermarks(P0, 3000).then(() => 0, ({ code }) => code);
  await clock.advance(3000);
  assert.equal(await asking, -185);
  await consumer.disconnect();
});

Deno.test("MemoryKafka repeats itself with the same random numbers", async () => {
  async function run(seed: number): Promise<string> {
    let state = seed;
    const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    using kafka = new MemoryKafka({ random });
    kafka.createTopic("t", { partitions: 3 });
    for (let n = 0; n < 30; n++) kafka.append({ topic: "t", partition: n % 3 }, { value: `${n};` });
    const { consumer } = await consumerOf(kafka);
    const seen: string[] = [];
    for (let had = 0; had < 30;) {
      const messages = await consumer.consume(10, 1000);
      seen.push(values(messages));
      had += messages.length;
    }
    await consumer.disconnect();
    return seen.join("|");
  }
  assert.equal(await run(1), await run(1));
  assert.notEqual(await run(1), await run(2));
});

Deno.test("MemoryKafka is cheap: a thousand programs take a few seconds at most", async () => {
  const start = performance.now();
  for (let n = 0; n < 1000; n++) {
    using kafka = new MemoryKafka();
    kafka.createTopic("t", { partitions: 2 });
    const producer = await producerOf(kafka), account = reports();
    produce(producer, account, n % 2, "a", "b", "c");
    const { consumer } = await consumerOf(kafka);
    assert.equal(values(await consumer.consume(10, 1000)), "abc");
    let isCommitted = false;
    consumer.commit([{ ...P0, offset: 1 }]).then(() => isCommitted = true);
    while (!isCommitted) await consumer.consume(10, 0);
    await Promise.all([consumer.disconnect(), producer.disconnect()]);
  }
  assert(performance.now() - start < 10_000, `${performance.now() - start} ms`);
});
