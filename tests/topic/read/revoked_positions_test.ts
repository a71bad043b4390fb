import assert from "node:assert/strict";
import type { ReadBatch } from "../../../src/topic/read/read_batch.ts";
import type { TopicReader } from "../../../src/topic/read/topic_reader.ts";
import { kafkaOf, P0, P1, placesOf, readerOf, until } from "../../support/readers.ts";

const CONF = { "group.id": "g" };

/** Reads until so many messages are there, as one list of batches. */
async function take(reader: TopicReader, count: number): Promise<ReadBatch[]> {
  const batches: ReadBatch[] = [];
  for (let had = 0; had < count;) {
    const batch = await reader.next();
    assert(batch !== undefined);
    batches.push(batch);
    had += batch.messages.length;
  }
  return batches;
}

Deno.test("What was handled of a partition that is lost is not handled again when it comes back, and is committed then", async () => {
  using kafka = kafkaOf([4, 6]);
  const reader = readerOf(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  const [batch] = await take(reader, 10);
  // What is in hand when the member is put out is handled to its end; what is behind it is left out.
  const inHand = batch!.messages.filter(({ partition, offset }) => partition === 0 && offset < 2);
  for (const message of inHand) assert(!batch!.isStale(message));
  kafka.loseMember("g");
  // Nobody pulls: it hears of it by polling after a second.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  for (const message of batch!.messages) assert(inHand.includes(message) || batch!.isStale(message));
  batch!.done();
  const again = await take(reader, 8);
  assert.deepEqual(again.flatMap(placesOf).sort(), [
    "0@2",
    "0@3",
    ...Array.from({ length: 6 }, (_, n) => `1@${n}`),
  ]);
  await reader.close();
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [2, undefined]);
});

Deno.test("What was handled is handled again when its group was set back meanwhile", async () => {
  using kafka = kafkaOf([6, 6]);
  kafka.commit("g", { ...P0, offset: 2 });
  kafka.commit("g", { ...P1, offset: 2 });
  const reader = readerOf(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  const batches = await take(reader, 8);
  kafka.loseMember("g");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  kafka.commit("g", { ...P0, offset: 1 });
  for (const batch of batches) batch.done();
  kafka.loseMember("g");
  const again = await take(reader, 5);
  assert.deepEqual(again.flatMap(placesOf).sort(), [1, 2, 3, 4, 5].map((offset) => `0@${offset}`));
  await reader.close();
});

Deno.test("What another member has handled further is left to it", async () => {
  using kafka = kafkaOf([4, 6]);
  const reader = readerOf(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  for (const batch of await take(reader, 10)) batch.done();
  kafka.loseMember("g");
  for (const [place, offset] of [[P0, 4], [P1, 7]] as const) kafka.commit("g", { ...place, offset });
  for (let more = 0; more < 3; more++) kafka.append(P1, { value: "more" });
  assert.deepEqual((await take(reader, 2)).flatMap(placesOf), ["1@7", "1@8"]);
  await reader.close();
});

Deno.test("Who commits by itself gets what it has not committed again", async () => {
  using kafka = kafkaOf([4, 6]);
  const reader = readerOf(kafka, CONF, { autoCommit: false });
  for (const batch of await take(reader, 10)) batch.done();
  kafka.loseMember("g");
  assert.equal((await take(reader, 10)).flatMap(placesOf).length, 10);
  await reader.close();
});

Deno.test("What was sought after it was handled is handled again, also when the partition has left since", async () => {
  using kafka = kafkaOf([4, 6]);
  const reader = readerOf(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  const batches = await take(reader, 10);
  await reader.seek((partition) => partition === 0 ? 0 : undefined);
  kafka.loseMember("g");
  for (const batch of batches) batch.done();
  const again = await take(reader, 4);
  assert.deepEqual(again.flatMap(placesOf).filter((place) => place[0] === "0"), ["0@0", "0@1", "0@2", "0@3"]);
  await reader.close();
});

Deno.test("A reader that is put out for every message gets on by one each time", async () => {
  using kafka = kafkaOf([3, 2]);
  const reader = readerOf(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  const handled: string[] = [];
  for (let rounds = 0; rounds < 5; rounds++) {
    const batch = (await reader.next())!;
    const [message, ...others] = batch.messages;
    assert(!batch.isStale(message!));
    handled.push(`${message!.partition}@${message!.offset}`);
    kafka.loseMember("g");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    // Every other time the partition has come back by the time the message is handled.
    if (rounds % 2 === 0) await until(() => kafka.consumers[0]!.assigned.length === 2);
    for (const other of others) assert(batch.isStale(other));
    batch.done();
  }
  assert.deepEqual(handled.sort(), ["0@0", "0@1", "0@2", "1@0", "1@1"]);
  await reader.close();
});
