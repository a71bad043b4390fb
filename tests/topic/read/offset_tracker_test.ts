import assert from "node:assert/strict";
import type { ReadBatch } from "../../../src/topic/read/read_batch.ts";
import { kafkaWith, messagesOf, newReader, P0, P1, positionsOf, until } from "../../support/readers.ts";

/** A reader with two batches in flight; the first has 16 messages. */
async function overlapping(kafka: ReturnType<typeof kafkaWith>, conf: Record<string, unknown> = {}) {
  const reader = newReader(kafka, { "group.id": "g", "auto.commit.interval.ms": 1, ...conf });
  const first = await reader.next() as ReadBatch, second = await reader.next() as ReadBatch;
  return { reader, first, second };
}

Deno.test("ReadBatch.positions() are the positions after the first messages; asking for them changes nothing", async () => {
  using kafka = kafkaWith([2, 4]);
  const reader = newReader(kafka);
  const batch = await reader.next() as ReadBatch;
  const names = messagesOf(batch);
  assert.equal(names.length, 6);
  assert.deepEqual(batch.positions(0), []);
  assert.deepEqual(positionsOf(batch.positions()), ["0@2", "1@4"]);
  const three = names.slice(0, 3).map((name) => name.split("@"));
  const next = new Map(three.map(([partition, offset]) => [partition, Number(offset) + 1]));
  assert.deepEqual(
    positionsOf(batch.positions(3)),
    [...next].map(([partition, offset]) => `${partition}@${offset}`).sort(),
  );
  assert.equal(batch.positions()[0]!.leaderEpoch, 0);
  assert.deepEqual(reader.positions, [], "no message counts as handled");
  await reader.close();
});

Deno.test("OffsetTracker stores positions in the order of the batches, whichever is done first", async () => {
  using kafka = kafkaWith([30, 5]);
  const { reader, first, second } = await overlapping(kafka);
  second.done();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(reader.positions, []);
  first.done();
  assert.deepEqual(
    positionsOf(reader.positions),
    positionsOf([...first.positions(), ...second.positions()].filter(
      (one, index, all) => !all.slice(index + 1).some((later) => later.partition === one.partition),
    )),
  );
  await reader.close();
  const last = (partition: number) =>
    Math.max(
      ...[first, second].flatMap(({ messages }) =>
        messages.filter((message) => message.partition === partition).map(({ offset }) => offset + 1)
      ),
    );
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [last(0), last(1)]);
});

Deno.test("OffsetTracker stores no position after a batch of which messages were given up", async () => {
  using kafka = kafkaWith([30, 5]);
  const { reader, first, second } = await overlapping(kafka);
  second.done();
  first.done(3);
  first.done();
  const three = positionsOf(first.positions(3));
  assert.deepEqual(positionsOf(reader.positions), three);
  await reader.close();
  const committed = [P0, P1].flatMap((partition) => {
    const offset = kafka.committed("g", partition);
    return offset === undefined ? [] : [{ ...partition, offset }];
  });
  assert.deepEqual(positionsOf(committed), three);
});

Deno.test("OffsetTracker counts the handled messages of a batch in flight", async () => {
  using kafka = kafkaWith([3, 2]);
  const reader = newReader(kafka, { "group.id": "g", "auto.commit.interval.ms": 1 });
  const batch = await reader.next() as ReadBatch;
  batch.handled = 4;
  assert.deepEqual(positionsOf(reader.positions), positionsOf(batch.positions(4)));
  batch.handled = 5;
  reader.store();
  await until(() => kafka.committed("g", P0) === 3 && kafka.committed("g", P1) === 2);
  batch.done(batch.handled);
  await reader.close();
});

Deno.test("OffsetTracker forgets a revoked partition in every batch in flight, and keeps the others", async () => {
  using kafka = kafkaWith([20, 5]);
  const conf = { "partition.assignment.strategy": "cooperative-sticky" };
  const { reader, first, second } = await overlapping(kafka, conf);
  const other = newReader(kafka, { "group.id": "g", ...conf });
  const joining = other.next();
  await until(() => kafka.consumers.length === 2 && kafka.consumers[1]!.isConnected);
  // No batch is done, so the partition would be revoked after 5 s; it is revoked now, since the member is lost.
  kafka.loseMember("g", 0);
  await until(() => first.isStale(first.messages[0]!));
  assert.deepEqual([...first.positions(), ...second.positions()], []);
  first.done();
  second.done();
  assert.deepEqual(reader.positions, []);
  await Promise.all([reader.close(), other.close()]);
  await joining;
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [undefined, undefined]);
});

Deno.test("OffsetTracker ignores positions of batches in flight in a partition that was sought in since", async () => {
  using kafka = kafkaWith([30, 5]);
  const { reader, first, second } = await overlapping(kafka);
  await reader.seek((partition) => partition === 0 ? 2 : undefined);
  first.done();
  second.done();
  assert(reader.positions.every(({ partition }) => partition === 1));
  const third = await reader.next() as ReadBatch;
  assert.equal(messagesOf(third).find((name) => name.startsWith("0")), "0@2");
  third.done(1);
  await reader.close();
  const message = third.messages[0]!;
  assert.equal(kafka.committed("g", message), message.offset + 1);
});

Deno.test("OffsetTracker moves the position of a revoked partition to its first skipped message, in whatever order messages are skipped", async () => {
  using kafka = kafkaWith([6, 4]);
  const reader = newReader(kafka, { "group.id": "g" });
  const batch = await reader.next() as ReadBatch;
  assert.equal(batch.messages.length, 10);
  const of = (partition: number, offset: number) =>
    batch.messages.find((one) => one.partition === partition && one.offset === offset)!;
  kafka.rebalance("g");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  // Concurrent handlers skip messages in any order. 0@0, 0@1, 0@3, 1@0 and 1@2 are handled.
  for (const [partition, offset] of [[0, 5], [0, 2], [1, 3], [1, 1], [0, 4]] as const) {
    assert(batch.isStale(of(partition, offset)));
  }
  batch.done();
  await until(() => kafka.isStable("g"));
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [2, 1]);
  await reader.close();
});

Deno.test("OffsetTracker counts no position of a batch after one of which messages were skipped", async () => {
  using kafka = kafkaWith([20, 4]);
  const { reader, first, second } = await overlapping(kafka);
  const of = (batch: ReadBatch, partition: number) => batch.messages.filter((one) => one.partition === partition);
  const [ofFirst, ofSecond] = [of(first, 0), of(second, 0)];
  assert(ofFirst.length > 1 && ofSecond.length > 0, "the partition has messages in both batches");
  kafka.rebalance("g");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  // A message of the first batch is skipped. Messages of the second were begun before the revocation began.
  assert(first.isStale(ofFirst[1]!));
  first.done();
  second.done();
  await until(() => kafka.isStable("g"));
  assert.equal(kafka.committed("g", P0), ofFirst[1]!.offset);
  // The partition is assigned again, and read on from the skipped message.
  const again = [await reader.next()];
  while (!again.flatMap(messagesOf).some((name) => name[0] === "0")) again.push(await reader.next());
  assert.equal(again.flatMap(messagesOf).find((name) => name[0] === "0"), `0@${ofFirst[1]!.offset}`);
  for (const batch of again) batch!.done();
  const [last] = again.flatMap((batch) => batch!.messages.filter(({ partition }) => partition === 0)).reverse();
  await until(() => kafka.committed("g", P0) === last!.offset + 1);
  await reader.close();
});
