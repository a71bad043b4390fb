import assert from "node:assert/strict";
import { KafkaError } from "../../../src/kafka/kafka_error.ts";
import type { ReadBatch } from "../../../src/topic/read/read_batch.ts";
import type { TopicReader } from "../../../src/topic/read/topic_reader.ts";
import { kafkaOf, P0, P1, placesOf, positionsOf, readerOf, until } from "../../support/readers.ts";

/** Reads until so many messages are there. */
async function take(reader: TopicReader, count: number): Promise<ReadBatch[]> {
  const batches: ReadBatch[] = [];
  for (let had = 0; had < count;) {
    const batch = await reader.next();
    assert(batch !== undefined, `it ended after ${had} of ${count} messages`);
    batches.push(batch);
    had += batch.messages.length;
  }
  return batches;
}

function valuesOf(batches: readonly ReadBatch[]): string[] {
  return batches.flatMap(placesOf).sort();
}

Deno.test("TopicReader reads partitions of different lengths to their ends, and ends", async () => {
  using kafka = kafkaOf([3, 7, 0]);
  const reader = readerOf(kafka, {}, { untilEnd: true });
  const batches: ReadBatch[] = [];
  for (let batch; (batch = await reader.next()) !== undefined;) {
    batches.push(batch);
    // What comes later is beyond the end.
    kafka.append(P0, { value: "later" });
    batch.done();
  }
  assert.deepEqual(valuesOf(batches), ["0@0", "0@1", "0@2", ...Array.from({ length: 7 }, (_, n) => `1@${n}`)]);
  await reader.close();
});

Deno.test("TopicReader ends when its last partition's end is made of gaps", async () => {
  using kafka = kafkaOf([2, 1]);
  kafka.skipOffsets(P0, 3);
  const reader = readerOf(kafka, {}, { untilEnd: true });
  await take(reader, 3);
  assert.equal(await reader.next(), undefined);
  await reader.close();
});

Deno.test("TopicReader commits what is done in the background, and the rest when it closes", async () => {
  using kafka = kafkaOf([3, 5]);
  const reader = readerOf(kafka, { "group.id": "g", "auto.commit.interval.ms": 5 });
  const batches = await take(reader, 8);
  for (const batch of batches) batch.done();
  await until(() => kafka.committed("g", P1) === 5);
  assert.equal(kafka.committed("g", P0), 3);
  kafka.append(P0, { value: "more" });
  (await take(reader, 1))[0]!.done();
  await reader.close();
  assert.equal(kafka.committed("g", P0), 4);
});

for (const strategy of ["range", "cooperative-sticky"]) {
  Deno.test(`TopicReader goes on where the other member was after a ${strategy} rebalance`, async () => {
    using kafka = kafkaOf([4, 9]);
    const conf = { "group.id": "g", "partition.assignment.strategy": strategy };
    const first = readerOf(kafka, conf), read: string[] = [];
    const [batch] = await take(first, 1);
    read.push(...placesOf(batch));
    const second = readerOf(kafka, conf);
    const joining = second.next();
    await until(() => kafka.consumers.length === 2);
    // The first has its time for what it holds: the partition moves when that is done.
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert(batch!.positions().length > 0);
    batch!.done();
    const pump = async (reader: TopicReader, started?: Promise<ReadBatch | undefined>) => {
      for (let batch; (batch = await (started ?? reader.next())) !== undefined; started = undefined) {
        for (const message of batch.messages) {
          if (!batch.isStale(message)) read.push(`${message.partition}@${message.offset}`);
        }
        batch.done();
      }
    };
    const pumps = [pump(first), pump(second, joining)];
    await until(() =>
      read.length >= 13 && kafka.isStable("g") && kafka.consumers.every((c) => c.assigned.length === 1)
    );
    for (let offset = 0; offset < 3; offset++) {
      kafka.append(P0, { value: "more" });
      kafka.append(P1, { value: "more" });
    }
    await until(() => read.length >= 19);
    await Promise.all([first.close(), second.close()]);
    await Promise.all(pumps);
    assert.deepEqual(
      read.toSorted(),
      [
        ...Array.from({ length: 7 }, (_, n) => `0@${n}`),
        ...Array.from({ length: 12 }, (_, n) => `1@${n}`),
      ].sort(),
    );
    assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [7, 12]);
  });
}

for (const strategy of ["range", "cooperative-sticky"]) {
  Deno.test(`TopicReader gives partitions back in a part of max.poll.interval.ms, whatever is being handled (${strategy})`, async () => {
    using kafka = kafkaOf([4, 9]);
    const conf = {
      "group.id": "g",
      "partition.assignment.strategy": strategy,
      "session.timeout.ms": 2500,
      "max.poll.interval.ms": 2500,
      "heartbeat.interval.ms": 300,
    };
    const first = readerOf(kafka, conf);
    const [batch] = await take(first, 1);
    // As `handle()` does, it asks for the next batch while this one is not done.
    void first.next();
    const second = readerOf(kafka, conf), began = performance.now();
    void second.next();
    await until(() => kafka.consumers[1]?.assigned.length === 1);
    assert.ok(performance.now() - began >= 500, "what is being handled has a time");
    assert.ok(performance.now() - began < 2500, "the group has not put the member out");
    batch!.done();
    await Promise.all([first.close(), second.close()]);
  });
}

Deno.test("TopicReader stores what is handled of a batch whose partition leaves, and leaves out the rest", async () => {
  using kafka = kafkaOf([4, 6]);
  const reader = readerOf(kafka, { "group.id": "g" });
  const [batch] = await take(reader, 10);
  kafka.rebalance("g");
  // A run begins a message, asks for no batch meanwhile, and hears before the next message that its partition leaves.
  const inHand = [P0, P1].map(({ partition }) => batch!.messages.find((one) => one.partition === partition)!);
  for (const message of inHand) assert(!batch!.isStale(message));
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const others = batch!.messages.filter((message) => !inHand.includes(message));
  assert(others.every((message) => batch!.isStale(message)));
  assert(!kafka.isStable("g"), "it waits for what is in hand");
  batch!.done();
  await until(() => kafka.isStable("g"));
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [1, 1]);
  await reader.close();
});

Deno.test("TopicReader waits for batches of the partitions that leave, not for those of others", async () => {
  using kafka = kafkaOf([4, 6]);
  const conf = { "group.id": "g", "partition.assignment.strategy": "cooperative-sticky" };
  const first = readerOf(kafka, conf);
  const [batch] = await take(first, 10);
  const second = readerOf(kafka, conf), joining = second.next();
  await until(() => kafka.consumers[1]?.isConnected === true);
  const next = first.next();
  await until(() => !kafka.isStable("g"));
  // One partition leaves. Messages of the other come all the time, and their batches are never done.
  const feeding = setInterval(() => [P0, P1].map((place) => kafka.append(place, { value: "more" })), 1);
  const pulling = (async () => {
    for (let batch = await next; batch !== undefined; batch = await first.next());
  })();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const began = performance.now();
  batch!.done();
  await until(() => kafka.isStable("g"));
  assert.ok(performance.now() - began < 2500);
  clearInterval(feeding);
  await Promise.all([first.close(), second.close(), joining, pulling]);
});

Deno.test("TopicReader drops what is left of partitions that it lost, and stores nothing of them", async () => {
  using kafka = kafkaOf([2, 2]);
  const reader = readerOf(kafka, { "group.id": "g" });
  const [batch] = await take(reader, 4);
  kafka.loseMember("g");
  const again = reader.next();
  await until(() => batch!.isStale(batch!.messages[0]!));
  assert.deepEqual(batch!.positions(), []);
  batch!.done();
  const reread = await again;
  assert.equal(reread!.messages.length, 4, "the same messages, from what was committed");
  assert(!reread!.isStale(reread!.messages[0]!));
  reread!.done();
  await reader.close();
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [2, 2]);
});

Deno.test("TopicReader hands out nothing that is taken while its partition leaves: it is read again", async () => {
  for (const isLost of [true, false]) {
    using kafka = kafkaOf([2]);
    const reader = readerOf(kafka, { "group.id": "g" });
    const [batch] = await take(reader, 2);
    if (!isLost) batch!.done();
    for (let n = 2; n < 5; n++) kafka.append(P0, { value: `0@${n}` });
    // The poll that tells of it takes messages as well.
    if (isLost) kafka.loseMember("g");
    else kafka.rebalance("g");
    const next = await take(reader, isLost ? 5 : 3);
    assert.deepEqual(next.flatMap(placesOf), (isLost ? [0, 1, 2, 3, 4] : [2, 3, 4]).map((n) => `0@${n}`));
    await reader.close();
  }
});

Deno.test("TopicReader hands out nothing that idle polling took while its partition left", async () => {
  using kafka = kafkaOf([2]);
  const reader = readerOf(kafka, { "group.id": "g" });
  const [batch] = await take(reader, 2);
  for (let n = 2; n < 5; n++) kafka.append(P0, { value: `0@${n}` });
  kafka.rebalance("g");
  // Polling begins after a second without a pull, and hears of the rebalance, which waits for the batch.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert(!kafka.isStable("g"));
  batch!.done();
  assert.deepEqual((await take(reader, 3)).flatMap(placesOf), ["0@2", "0@3", "0@4"]);
  assert.equal(await Promise.race([reader.next(), new Promise((resolve) => setTimeout(resolve, 50))]), undefined);
  await reader.close();
});

Deno.test("TopicReader.seek() makes stale what was handed out before, of the partition that was sought", async () => {
  using kafka = kafkaOf([6, 3]);
  const reader = readerOf(kafka);
  const [batch] = await take(reader, 9);
  const seeking = reader.seek((partition) => partition === 0 ? 4 : undefined);
  const more = reader.next();
  await seeking;
  assert.deepEqual(batch!.messages.map((message) => batch!.isStale(message)), placesOf(batch).map((p) => p[0] === "0"));
  assert.deepEqual(positionsOf(batch!.positions()), ["1@3"]);
  batch!.done();
  const sought = await more;
  assert.deepEqual(placesOf(sought), ["0@4", "0@5"]);
  sought!.done();
  assert.deepEqual(positionsOf(reader.handled), ["0@6", "1@3"]);
  await reader.close();
});

Deno.test("TopicReader.seek() that fails leaves all as it was: nothing is skipped", async () => {
  using kafka = kafkaOf([6, 3]);
  const reader = readerOf(kafka);
  const [batch] = await take(reader, 9);
  kafka.faults.request = (kind) => kind === "seek" ? -195 : 0;
  await assert.rejects(reader.seek(() => 1), KafkaError);
  assert(batch!.messages.every((message) => !batch!.isStale(message)));
  batch!.done();
  assert.deepEqual(positionsOf(reader.handled), ["0@6", "1@3"]);
  await reader.close();
});

Deno.test("TopicReader hands out batches of about 16 MiB when messages are large", async () => {
  using kafka = kafkaOf([0, 0]);
  const value = new Uint8Array(1024 * 1024);
  for (let n = 0; n < 1000; n++) kafka.append(n % 2 === 0 ? P0 : P1, { value: "small" });
  const reader = readerOf(kafka);
  for (const batch of await take(reader, 1000)) batch.done();
  for (let n = 0; n < 100; n++) kafka.append(n % 3 === 0 ? P0 : P1, { value });
  const batches = await take(reader, 100);
  for (const { bytes, messages } of batches) {
    assert(bytes <= 17 * value.length, `${bytes} bytes`);
    assert.equal(bytes, messages.length * value.length);
  }
  // After the first, no more is asked for than fits.
  assert(batches.length >= 100 / 16 && batches.length < 20, `${batches.length} batches`);
  await reader.close();
});

Deno.test("TopicReader loses no message when a partition comes after all others are read to their ends", async () => {
  using kafka = kafkaOf([2, 0]);
  const conf = { "group.id": "g", "partition.assignment.strategy": "cooperative-sticky" };
  const reader = readerOf(kafka, conf, { untilEnd: true });
  const [batch] = await take(reader, 2);
  // While the batch is in hands, all ends are reached; then a partition is added.
  kafka.createTopic("t", { partitions: 3 });
  for (let n = 0; n < 3; n++) kafka.append({ topic: "t", partition: 2 }, { value: "new" });
  await until(() => kafka.consumers[0]!.assigned.length === 3);
  batch!.done();
  assert.deepEqual(valuesOf(await take(reader, 3)), ["2@0", "2@1", "2@2"]);
  assert.equal(await reader.next(), undefined);
  await reader.close();
});

Deno.test("What is fetched while a partition waits to be revoked is not handed out when it comes back", async () => {
  using kafka = kafkaOf([3000]);
  const reader = readerOf(kafka, { "group.id": "g" });
  const first = await reader.next();
  kafka.rebalance("g");
  // While nobody pulls, the reader polls for events, and messages come along.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  first!.done(0);
  const again = await reader.next();
  assert.equal(placesOf(again)[0], "0@0");
  await reader.close();
});
