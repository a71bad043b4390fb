import assert from "node:assert/strict";
import type { ReadBatch } from "../../../src/topic/read/read_batch.ts";
import { kafkaOf, P0, P1, placesOf, positionsOf, readerOf, until } from "../../support/readers.ts";

/** Two batches in hands at a time, of partitions of different lengths; 16 messages are in the first. */
async function overlapping(kafka: ReturnType<typeof kafkaOf>, conf: Record<string, unknown> = {}) {
  const reader = readerOf(kafka, { "group.id": "g", "auto.commit.interval.ms": 1, ...conf });
  const first = await reader.next() as ReadBatch, second = await reader.next() as ReadBatch;
  return { reader, first, second };
}

Deno.test("ReadBatch.positions() are those behind the first messages, and data alone", async () => {
  using kafka = kafkaOf([2, 4]);
  const reader = readerOf(kafka);
  const batch = await reader.next() as ReadBatch;
  const places = placesOf(batch);
  assert.equal(places.length, 6);
  assert.deepEqual(batch.positions(0), []);
  assert.deepEqual(positionsOf(batch.positions()), ["0@2", "1@4"]);
  const three = places.slice(0, 3).map((place) => place.split("@"));
  const next = new Map(three.map(([partition, offset]) => [partition, Number(offset) + 1]));
  assert.deepEqual(
    positionsOf(batch.positions(3)),
    [...next].map(([partition, offset]) => `${partition}@${offset}`).sort(),
  );
  assert.equal(batch.positions()[0]!.leaderEpoch, 0);
  assert.deepEqual(reader.handled, [], "who only asks has handled nothing");
  await reader.close();
});

Deno.test("Progress stores batches in their order, whichever is done first", async () => {
  using kafka = kafkaOf([30, 5]);
  const { reader, first, second } = await overlapping(kafka);
  second.done();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(reader.handled, []);
  first.done();
  assert.deepEqual(
    positionsOf(reader.handled),
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

Deno.test("Progress stores nothing behind a batch of which a part was given up", async () => {
  using kafka = kafkaOf([30, 5]);
  const { reader, first, second } = await overlapping(kafka);
  second.done();
  first.done(3);
  first.done();
  const three = positionsOf(first.positions(3));
  assert.deepEqual(positionsOf(reader.handled), three);
  await reader.close();
  const committed = [P0, P1].flatMap((partition) => {
    const offset = kafka.committed("g", partition);
    return offset === undefined ? [] : [{ ...partition, offset }];
  });
  assert.deepEqual(positionsOf(committed), three);
});

Deno.test("Progress counts what is handled of a batch while it is in hands", async () => {
  using kafka = kafkaOf([3, 2]);
  const reader = readerOf(kafka, { "group.id": "g", "auto.commit.interval.ms": 1 });
  const batch = await reader.next() as ReadBatch;
  batch.handled = 4;
  assert.deepEqual(positionsOf(reader.handled), positionsOf(batch.positions(4)));
  batch.handled = 5;
  reader.store();
  await until(() => kafka.committed("g", P0) === 3 && kafka.committed("g", P1) === 2);
  batch.done(batch.handled);
  await reader.close();
});

Deno.test("Progress forgets a partition that goes to another member, for every batch in hands; the others stay", async () => {
  using kafka = kafkaOf([20, 5]);
  const conf = { "partition.assignment.strategy": "cooperative-sticky" };
  const { reader, first, second } = await overlapping(kafka, conf);
  const other = readerOf(kafka, { "group.id": "g", ...conf });
  const joining = other.next();
  await until(() => kafka.consumers.length === 2 && kafka.consumers[1]!.isConnected);
  // Nobody is done: the partition moves after 5 s, or when the member is lost.
  kafka.loseMember("g", 0);
  await until(() => first.isStale(first.messages[0]!));
  assert.deepEqual([...first.positions(), ...second.positions()], []);
  first.done();
  second.done();
  assert.deepEqual(reader.handled, []);
  await Promise.all([reader.close(), other.close()]);
  await joining;
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [undefined, undefined]);
});

Deno.test("Progress goes on from a seek: what two batches in hands say of the old place counts no more", async () => {
  using kafka = kafkaOf([30, 5]);
  const { reader, first, second } = await overlapping(kafka);
  await reader.seek((partition) => partition === 0 ? 2 : undefined);
  first.done();
  second.done();
  assert(reader.handled.every(({ partition }) => partition === 1));
  const third = await reader.next() as ReadBatch;
  assert.equal(placesOf(third).find((place) => place.startsWith("0")), "0@2");
  third.done(1);
  await reader.close();
  const message = third.messages[0]!;
  assert.equal(kafka.committed("g", message), message.offset + 1);
});

Deno.test("Progress counts a partition that leaves up to the first message that was left out, in whatever order they are asked for", async () => {
  using kafka = kafkaOf([6, 4]);
  const reader = readerOf(kafka, { "group.id": "g" });
  const batch = await reader.next() as ReadBatch;
  assert.equal(batch.messages.length, 10);
  const of = (partition: number, offset: number) =>
    batch.messages.find((one) => one.partition === partition && one.offset === offset)!;
  kafka.rebalance("g");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  // As handlers side by side do, each at its key: 0@0, 0@1 and 0@3 are handled, and so are 1@0 and 1@2.
  for (const [partition, offset] of [[0, 5], [0, 2], [1, 3], [1, 1], [0, 4]] as const) {
    assert(batch.isStale(of(partition, offset)));
  }
  batch.done();
  await until(() => kafka.isStable("g"));
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [2, 1]);
  await reader.close();
});

Deno.test("Progress counts nothing of a batch behind one of which messages were left out", async () => {
  using kafka = kafkaOf([20, 4]);
  const { reader, first, second } = await overlapping(kafka);
  const of = (batch: ReadBatch, partition: number) => batch.messages.filter((one) => one.partition === partition);
  const [own, behind] = [of(first, 0), of(second, 0)];
  assert(own.length > 1 && behind.length > 0, "a partition has messages in both");
  kafka.rebalance("g");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  // One key is busy in the first batch; messages of others behind it were begun before the partition began to leave.
  assert(first.isStale(own[1]!));
  first.done();
  second.done();
  await until(() => kafka.isStable("g"));
  assert.equal(kafka.committed("g", P0), own[1]!.offset);
  // It is ours again, and read on from there.
  const again = [await reader.next()];
  while (!again.flatMap(placesOf).some((place) => place[0] === "0")) again.push(await reader.next());
  assert.equal(again.flatMap(placesOf).find((place) => place[0] === "0"), `0@${own[1]!.offset}`);
  for (const batch of again) batch!.done();
  const [last] = again.flatMap((batch) => batch!.messages.filter(({ partition }) => partition === 0)).reverse();
  await until(() => kafka.committed("g", P0) === last!.offset + 1);
  await reader.close();
});
