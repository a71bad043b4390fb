import assert from "node:assert/strict";
import type { ReadBatch } from "../../../src/topic/read/read_batch.ts";
import type { TopicReader } from "../../../src/topic/read/topic_reader.ts";
import { kafkaWith, messagesOf, newReader, P0, P1, until } from "../../support/readers.ts";

const CONF = { "group.id": "g" };

/** Reads batches until they have `count` messages in all. */
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

Deno.test("Messages of a lost partition that were handled are not read again when it comes back, and are committed then", async () => {
  using kafka = kafkaWith([4, 6]);
  const reader = newReader(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  const [batch] = await take(reader, 10);
  // Messages that are being handled when the member is lost are handled; the messages after them are skipped.
  const begun = batch!.messages.filter(({ partition, offset }) => partition === 0 && offset < 2);
  for (const message of begun) assert(!batch!.isStale(message));
  kafka.loseMember("g");
  // Nobody pulls, so idle polling, after a second, receives the loss.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  for (const message of batch!.messages) assert(begun.includes(message) || batch!.isStale(message));
  batch!.done();
  const again = await take(reader, 8);
  assert.deepEqual(again.flatMap(messagesOf).sort(), [
    "0@2",
    "0@3",
    ...Array.from({ length: 6 }, (_, n) => `1@${n}`),
  ]);
  await reader.close();
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [2, undefined]);
});

Deno.test("Messages that were handled are read again when the offsets of the group were reset meanwhile", async () => {
  using kafka = kafkaWith([6, 6]);
  kafka.commit("g", { ...P0, offset: 2 });
  kafka.commit("g", { ...P1, offset: 2 });
  const reader = newReader(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  const batches = await take(reader, 8);
  kafka.loseMember("g");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  kafka.commit("g", { ...P0, offset: 1 });
  for (const batch of batches) batch.done();
  kafka.loseMember("g");
  const again = await take(reader, 5);
  assert.deepEqual(again.flatMap(messagesOf).sort(), [1, 2, 3, 4, 5].map((offset) => `0@${offset}`));
  await reader.close();
});

Deno.test("Messages that another member has handled meanwhile are not read", async () => {
  using kafka = kafkaWith([4, 6]);
  const reader = newReader(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  for (const batch of await take(reader, 10)) batch.done();
  kafka.loseMember("g");
  for (const [partition, offset] of [[P0, 4], [P1, 7]] as const) kafka.commit("g", { ...partition, offset });
  for (let more = 0; more < 3; more++) kafka.append(P1, { value: "more" });
  assert.deepEqual((await take(reader, 2)).flatMap(messagesOf), ["1@7", "1@8"]);
  await reader.close();
});

Deno.test("With manual commits, messages that are not committed are read again", async () => {
  using kafka = kafkaWith([4, 6]);
  const reader = newReader(kafka, CONF, { autoCommit: false });
  for (const batch of await take(reader, 10)) batch.done();
  kafka.loseMember("g");
  assert.equal((await take(reader, 10)).flatMap(messagesOf).length, 10);
  await reader.close();
});

Deno.test("Messages that were handled before a seek are read again, also when the partition was revoked since", async () => {
  using kafka = kafkaWith([4, 6]);
  const reader = newReader(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  const batches = await take(reader, 10);
  await reader.seek((partition) => partition === 0 ? 0 : undefined);
  kafka.loseMember("g");
  for (const batch of batches) batch.done();
  const again = await take(reader, 4);
  assert.deepEqual(again.flatMap(messagesOf).filter((name) => name[0] === "0"), ["0@0", "0@1", "0@2", "0@3"]);
  await reader.close();
});

Deno.test("A reader that is lost with every message moves on by one message each time", async () => {
  using kafka = kafkaWith([3, 2]);
  const reader = newReader(kafka, { ...CONF, "auto.commit.interval.ms": 60_000 });
  const handled: string[] = [];
  for (let rounds = 0; rounds < 5; rounds++) {
    const batch = (await reader.next())!;
    const [message, ...others] = batch.messages;
    assert(!batch.isStale(message!));
    handled.push(`${message!.partition}@${message!.offset}`);
    kafka.loseMember("g");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    // Every other time, the partition has come back before the message is handled.
    if (rounds % 2 === 0) await until(() => kafka.consumers[0]!.assigned.length === 2);
    for (const other of others) assert(batch.isStale(other));
    batch.done();
  }
  assert.deepEqual(handled.sort(), ["0@0", "0@1", "0@2", "1@0", "1@1"]);
  await reader.close();
});
