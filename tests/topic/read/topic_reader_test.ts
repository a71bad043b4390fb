import assert from "node:assert/strict";
import { KafkaError } from "../../../src/kafka/kafka_error.ts";
import type { ReadBatch } from "../../../src/topic/read/read_batch.ts";
import type { TopicReader } from "../../../src/topic/read/topic_reader.ts";
import { kafkaWith, messagesOf, newReader, P0, P1, positionsOf, until } from "../../support/readers.ts";

/** Reads batches until they have `count` messages in all. */
async function take(reader: TopicReader, count: number): Promise<ReadBatch[]> {
  const batches: ReadBatch[] = [];
  for (let had = 0; had < count;) {
    const batch = await reader.next();
    assert(batch !== undefined, `the reader ended after ${had} of ${count} messages`);
    batches.push(batch);
    had += batch.messages.length;
  }
  return batches;
}

function sortedMessagesOf(batches: readonly ReadBatch[]): string[] {
  return batches.flatMap(messagesOf).sort();
}

Deno.test("TopicReader reads partitions of different lengths to their ends, and ends", async () => {
  using kafka = kafkaWith([3, 7, 0]);
  const reader = newReader(kafka, {}, { untilEnd: true });
  const batches: ReadBatch[] = [];
  for (let batch; (batch = await reader.next()) !== undefined;) {
    batches.push(batch);
    // Messages that are added now are above the end offset.
    kafka.append(P0, { value: "later" });
    batch.done();
  }
  assert.deepEqual(sortedMessagesOf(batches), ["0@0", "0@1", "0@2", ...Array.from({ length: 7 }, (_, n) => `1@${n}`)]);
  await reader.close();
});

Deno.test("TopicReader ends when the last offsets of its last partition have no messages", async () => {
  using kafka = kafkaWith([2, 1]);
  kafka.skipOffsets(P0, 3);
  const reader = newReader(kafka, {}, { untilEnd: true });
  await take(reader, 3);
  assert.equal(await reader.next(), undefined);
  await reader.close();
});

Deno.test("TopicReader commits the offsets of done batches in the background, and the rest when it closes", async () => {
  using kafka = kafkaWith([3, 5]);
  const reader = newReader(kafka, { "group.id": "g", "auto.commit.interval.ms": 5 });
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
  Deno.test(`TopicReader goes on at the position of the other member after a ${strategy} rebalance`, async () => {
    using kafka = kafkaWith([4, 9]);
    const conf = { "group.id": "g", "partition.assignment.strategy": strategy };
    const first = newReader(kafka, conf), read: string[] = [];
    const [batch] = await take(first, 1);
    read.push(...messagesOf(batch));
    const second = newReader(kafka, conf);
    const joining = second.next();
    await until(() => kafka.consumers.length === 2);
    // The first reader gets time for its batch: the partition is revoked when the batch is done.
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
  Deno.test(`TopicReader gives up revoked partitions within max.poll.interval.ms, although a message is being handled (${strategy})`, async () => {
    using kafka = kafkaWith([4, 9]);
    const conf = {
      "group.id": "g",
      "partition.assignment.strategy": strategy,
      "session.timeout.ms": 2500,
      "max.poll.interval.ms": 2500,
      "heartbeat.interval.ms": 300,
    };
    const first = newReader(kafka, conf);
    const [batch] = await take(first, 1);
    // As `handle()` does, it asks for the next batch while this one is not done.
    void first.next();
    const second = newReader(kafka, conf), began = performance.now();
    void second.next();
    await until(() => kafka.consumers[1]?.assigned.length === 1);
    assert.ok(performance.now() - began >= 500, "messages that are being handled get time to finish");
    assert.ok(performance.now() - began < 2500, "the group has not removed the member");
    batch!.done();
    await Promise.all([first.close(), second.close()]);
  });
}

Deno.test("TopicReader stores what is handled of a batch whose partitions are revoked, and skips the rest", async () => {
  using kafka = kafkaWith([4, 6]);
  const reader = newReader(kafka, { "group.id": "g" });
  const [batch] = await take(reader, 10);
  kafka.rebalance("g");
  // A run begins a message and requests no batch meanwhile. Before its next message, the partition is being revoked.
  const begun = [P0, P1].map(({ partition }) => batch!.messages.find((one) => one.partition === partition)!);
  for (const message of begun) assert(!batch!.isStale(message));
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const others = batch!.messages.filter((message) => !begun.includes(message));
  assert(others.every((message) => batch!.isStale(message)));
  assert(!kafka.isStable("g"), "the rebalance waits for the messages that are being handled");
  batch!.done();
  await until(() => kafka.isStable("g"));
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [1, 1]);
  await reader.close();
});

Deno.test("TopicReader waits for batches of revoked partitions, and not for those of others", async () => {
  using kafka = kafkaWith([4, 6]);
  const conf = { "group.id": "g", "partition.assignment.strategy": "cooperative-sticky" };
  const first = newReader(kafka, conf);
  const [batch] = await take(first, 10);
  const second = newReader(kafka, conf), joining = second.next();
  await until(() => kafka.consumers[1]?.isConnected === true);
  const next = first.next();
  await until(() => !kafka.isStable("g"));
  // One partition is revoked. Messages of the other keep coming, and their batches are never done.
  const feeding = setInterval(() => [P0, P1].map((partition) => kafka.append(partition, { value: "more" })), 1);
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

Deno.test("TopicReader drops messages of lost partitions, and stores no offsets of theirs", async () => {
  using kafka = kafkaWith([2, 2]);
  const reader = newReader(kafka, { "group.id": "g" });
  const [batch] = await take(reader, 4);
  kafka.loseMember("g");
  const again = reader.next();
  await until(() => batch!.isStale(batch!.messages[0]!));
  assert.deepEqual(batch!.positions(), []);
  batch!.done();
  const reread = await again;
  assert.equal(reread!.messages.length, 4, "the same messages, from the committed offsets");
  assert(!reread!.isStale(reread!.messages[0]!));
  reread!.done();
  await reader.close();
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [2, 2]);
});

Deno.test("TopicReader hands out no message that was fetched while its partition was revoked: it is read again", async () => {
  for (const isLost of [true, false]) {
    using kafka = kafkaWith([2]);
    const reader = newReader(kafka, { "group.id": "g" });
    const [batch] = await take(reader, 2);
    if (!isLost) batch!.done();
    for (let n = 2; n < 5; n++) kafka.append(P0, { value: `0@${n}` });
    // The poll that reports the rebalance returns messages too.
    if (isLost) kafka.loseMember("g");
    else kafka.rebalance("g");
    const next = await take(reader, isLost ? 5 : 3);
    assert.deepEqual(next.flatMap(messagesOf), (isLost ? [0, 1, 2, 3, 4] : [2, 3, 4]).map((n) => `0@${n}`));
    await reader.close();
  }
});

Deno.test("TopicReader hands out no message that idle polling fetched while its partition was revoked", async () => {
  using kafka = kafkaWith([2]);
  const reader = newReader(kafka, { "group.id": "g" });
  const [batch] = await take(reader, 2);
  for (let n = 2; n < 5; n++) kafka.append(P0, { value: `0@${n}` });
  kafka.rebalance("g");
  // Idle polling begins after a second without a pull. It receives the rebalance, which waits for the batch.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert(!kafka.isStable("g"));
  batch!.done();
  assert.deepEqual((await take(reader, 3)).flatMap(messagesOf), ["0@2", "0@3", "0@4"]);
  assert.equal(await Promise.race([reader.next(), new Promise((resolve) => setTimeout(resolve, 50))]), undefined);
  await reader.close();
});

Deno.test("TopicReader.seek() makes messages stale that were handed out before, of the partition that is sought in", async () => {
  using kafka = kafkaWith([6, 3]);
  const reader = newReader(kafka);
  const [batch] = await take(reader, 9);
  const seeking = reader.seek((partition) => partition === 0 ? 4 : undefined);
  const more = reader.next();
  await seeking;
  assert.deepEqual(
    batch!.messages.map((message) => batch!.isStale(message)),
    messagesOf(batch).map((p) => p[0] === "0"),
  );
  assert.deepEqual(positionsOf(batch!.positions()), ["1@3"]);
  batch!.done();
  const sought = await more;
  assert.deepEqual(messagesOf(sought), ["0@4", "0@5"]);
  sought!.done();
  assert.deepEqual(positionsOf(reader.positions), ["0@6", "1@3"]);
  await reader.close();
});

Deno.test("TopicReader.seek() that fails changes nothing: no message is skipped", async () => {
  using kafka = kafkaWith([6, 3]);
  const reader = newReader(kafka);
  const [batch] = await take(reader, 9);
  kafka.faults.request = (kind) => kind === "seek" ? -195 : 0;
  await assert.rejects(reader.seek(() => 1), KafkaError);
  assert(batch!.messages.every((message) => !batch!.isStale(message)));
  batch!.done();
  assert.deepEqual(positionsOf(reader.positions), ["0@6", "1@3"]);
  await reader.close();
});

Deno.test("TopicReader hands out batches of about 16 MiB when messages are large", async () => {
  using kafka = kafkaWith([0, 0]);
  const value = new Uint8Array(1024 * 1024);
  for (let n = 0; n < 1000; n++) kafka.append(n % 2 === 0 ? P0 : P1, { value: "small" });
  const reader = newReader(kafka);
  for (const batch of await take(reader, 1000)) batch.done();
  for (let n = 0; n < 100; n++) kafka.append(n % 3 === 0 ? P0 : P1, { value });
  const batches = await take(reader, 100);
  for (const { bytes, messages } of batches) {
    assert(bytes <= 17 * value.length, `${bytes} bytes`);
    assert.equal(bytes, messages.length * value.length);
  }
  // After the first batch of large messages, no more are fetched than fit.
  assert(batches.length >= 100 / 16 && batches.length < 20, `${batches.length} batches`);
  await reader.close();
});

Deno.test("TopicReader loses no message when a partition is assigned after all others are read to their ends", async () => {
  using kafka = kafkaWith([2, 0]);
  const conf = { "group.id": "g", "partition.assignment.strategy": "cooperative-sticky" };
  const reader = newReader(kafka, conf, { untilEnd: true });
  const [batch] = await take(reader, 2);
  // All ends are reached while the batch is in flight. Then a partition is added.
  kafka.createTopic("t", { partitions: 3 });
  for (let n = 0; n < 3; n++) kafka.append({ topic: "t", partition: 2 }, { value: "new" });
  await until(() => kafka.consumers[0]!.assigned.length === 3);
  batch!.done();
  assert.deepEqual(sortedMessagesOf(await take(reader, 3)), ["2@0", "2@1", "2@2"]);
  assert.equal(await reader.next(), undefined);
  await reader.close();
});

Deno.test("TopicReader hands out no message that was fetched while a revocation waited, when the partition comes back", async () => {
  using kafka = kafkaWith([3000]);
  const reader = newReader(kafka, { "group.id": "g" });
  const first = await reader.next();
  kafka.rebalance("g");
  // While nobody pulls, the reader polls for events, and messages come along with them.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  first!.done(0);
  const again = await reader.next();
  assert.equal(messagesOf(again)[0], "0@0");
  await reader.close();
});
