import assert from "node:assert/strict";
import type { TopicReader } from "../../../src/topic/read/topic_reader.ts";
import { kafkaWith, messagesOf, newReader, P0, P1, until } from "../../support/readers.ts";

const UNTIL_END = { untilEnd: true };

/** Reads until the reader ends; returns the messages that were not stale. */
async function drain(reader: TopicReader): Promise<string[]> {
  const read: string[] = [];
  for (let batch; (batch = await reader.next()) !== undefined; batch.done()) {
    read.push(...messagesOf(batch).filter((_, index) => !batch!.isStale(batch!.messages[index]!)));
  }
  return read.sort();
}

for (const strategy of ["range", "cooperative-sticky"]) {
  Deno.test(`Two readers with until: "end" share partitions, and both end (${strategy})`, async () => {
    using kafka = kafkaWith([4, 9, 2]);
    const conf = { "group.id": "g", "partition.assignment.strategy": strategy, "auto.commit.interval.ms": 1 };
    const readers = [newReader(kafka, conf, UNTIL_END), newReader(kafka, conf, UNTIL_END)];
    const read = await Promise.all(readers.map(drain));
    assert.deepEqual(read.flat().sort(), [
      ...["0@0", "0@1", "0@2", "0@3", "1@0", "1@1", "1@2", "1@3", "1@4", "1@5", "1@6", "1@7", "1@8", "2@0", "2@1"],
    ]);
    await Promise.all(readers.map((reader) => reader.close()));
  });
}

Deno.test('A reader with until: "end" that joins a cooperative group waits for the partitions that others give up', async () => {
  using kafka = kafkaWith([4, 9]);
  const conf = { "group.id": "g", "partition.assignment.strategy": "cooperative-sticky" };
  const first = newReader(kafka, conf, UNTIL_END), second = newReader(kafka, conf, UNTIL_END);
  const batch = await first.next();
  let hasEnded = false;
  const joining = drain(second).finally(() => hasEnded = true);
  await until(() => kafka.consumers.length === 2);
  const going = drain(first);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert(!hasEnded, "no partition is assigned to it yet, and one will be");
  batch!.done();
  const places = [...messagesOf(batch), ...await going, ...await joining];
  assert.equal(new Set(places).size, 13);
  await Promise.all([first.close(), second.close()]);
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [4, 9]);
});

Deno.test('A reader with until: "end" reads to the end again after a seek, while a batch is in flight', async () => {
  using kafka = kafkaWith([4, 2]);
  const reader = newReader(kafka, {}, UNTIL_END);
  const batch = await reader.next();
  await reader.seek((partition) => partition === 0 ? 3 : undefined);
  kafka.append(P0, { value: "above the end offset" });
  assert.deepEqual(await drain(reader), ["0@3"]);
  batch!.done();
  await reader.close();
});

Deno.test('A reader with until: "end" ends early when it is stopped', async () => {
  using kafka = kafkaWith([400, 2]);
  const reader = newReader(kafka, {}, UNTIL_END);
  await reader.next();
  reader.stop();
  assert.equal(await reader.next(), undefined);
  await reader.close();
});

Deno.test('A slow rebalance does not end a reader with until: "end", which has no partition meanwhile', async () => {
  // The commit takes longer than a poll.
  using kafka = kafkaWith([1500], { delayMs: (request) => request === "commit" ? 700 : 0 });
  const reader = newReader(kafka, { "group.id": "g" }, UNTIL_END);
  const first = await reader.next();
  first!.done();
  kafka.rebalance("g");
  assert.equal((await drain(reader)).length, 1500 - first!.messages.length);
  await reader.close();
  assert.equal(kafka.committed("g", P0), 1500);
});

Deno.test('After a rebalance, a reader with until: "end" ends at the end offsets of that moment', async () => {
  using kafka = kafkaWith([40, 20]);
  const reader = newReader(kafka, { "group.id": "g", "auto.commit.interval.ms": 1 }, UNTIL_END);
  const first = await reader.next();
  kafka.append(P0, { value: "one more" });
  kafka.rebalance("g");
  const rest = drain(reader);
  first!.done();
  const places = [...messagesOf(first), ...await rest];
  await until(() => kafka.isStable("g"));
  assert(places.includes("0@40"));
  assert.equal(new Set(places).size, 61);
  await reader.close();
});

for (const strategy of ["range", "cooperative-sticky"]) {
  const conf = { "group.id": "g", "partition.assignment.strategy": strategy, "auto.commit.interval.ms": 1 };

  Deno.test(`More readers with until: "end" than partitions read everything, beside a slow one (${strategy})`, async () => {
    using kafka = kafkaWith([400, 200], { random: () => 0.02 });
    const slow = newReader(kafka, conf, UNTIL_END);
    const places = (async () => {
      const read: string[] = [];
      for (let batch; (batch = await slow.next()) !== undefined; batch.done()) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        read.push(...messagesOf(batch).filter((_, index) => !batch!.isStale(batch!.messages[index]!)));
      }
      await slow.close();
      return read;
    })();
    const others: Promise<string[]>[] = [];
    for (let member = 0; member < 3; member++) {
      await new Promise((resolve) => setTimeout(resolve, 15));
      const reader = newReader(kafka, conf, UNTIL_END);
      others.push(
        drain(reader).then(async (read) => {
          await reader.close();
          return read;
        }),
      );
    }
    const read = new Set((await Promise.all([places, ...others])).flat());
    assert.equal(read.size, 600);
    assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [400, 200]);
  });

  Deno.test(`A reader with until: "end" and no partition ends when its group has read everything (${strategy})`, async () => {
    using kafka = kafkaWith([4, 2]);
    const lasting = [newReader(kafka, conf), newReader(kafka, conf)];
    const held = await Promise.all(lasting.map((reader) => reader.next()));
    assert.deepEqual(held.map((batch) => batch!.messages.length).sort(), [2, 4]);
    const more = lasting.map((reader) => reader.next());
    const third = newReader(kafka, conf, UNTIL_END);
    let hasEnded = false;
    const draining = drain(third).finally(() => hasEnded = true);
    await until(() => kafka.consumers.length === 3);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert(!hasEnded, "the other members have not handled everything");
    for (const batch of held) batch!.done();
    assert.deepEqual(await draining, []);
    assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [4, 2]);
    await Promise.all([third, ...lasting].map((reader) => reader.close()));
    await Promise.all(more);
  });
}
