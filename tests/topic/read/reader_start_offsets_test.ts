import assert from "node:assert/strict";
import { MemoryKafka } from "../../../src/testing/memory_kafka.ts";
import { END } from "../../../src/topic/read/offsets.ts";
import type { ReadBatch } from "../../../src/topic/read/read_batch.ts";
import { kafkaWith, messagesOf, newReader, P0, P1, positionsOf, until } from "../../support/readers.ts";

const CONF = { "group.id": "g", "auto.commit.interval.ms": 1 };
/** Starts partition 0 at offset 2, and partition 1 at its end. */
const START = { startAt: (partition: number) => partition === 0 ? 2 : END };

/** The first message of each partition in a batch. */
function firsts(batch: ReadBatch | undefined): string[] {
  const seen = new Set<string>();
  return messagesOf(batch).filter((name) => !seen.has(name[0]!) && seen.add(name[0]!)).sort();
}

Deno.test("After a rebalance before any message was handled, a reader starts at the requested offsets", async () => {
  using kafka = kafkaWith([6, 3]);
  const reader = newReader(kafka, CONF, START);
  const first = await reader.next();
  assert.deepEqual(firsts(first), ["0@2"]);
  kafka.loseMember("g");
  const again = reader.next();
  await until(() => first!.isStale({ ...P0, offset: 0 }));
  first!.done();
  assert.deepEqual(firsts(await again), ["0@2"]);
  // The end of partition 1 was resolved when it was assigned first.
  kafka.append(P1, { value: "new" });
  assert.deepEqual(firsts(await reader.next()), ["1@3"]);
  await reader.close();
});

Deno.test("After a rebalance, a reader goes on at the committed offset, and at its own position where the commit failed", async () => {
  using kafka = kafkaWith([6, 3]);
  kafka.faults.commit = ({ partition }) => partition === 1 ? 29 : 0;
  const notices: unknown[] = [], warn = console.warn;
  console.warn = (text) => notices.push(text);
  try {
    const reader = newReader(kafka, CONF, START);
    kafka.append(P1, { value: "before" });
    const first = await reader.next(), overlapping = reader.next();
    assert.deepEqual(firsts(first), ["0@2", "1@4"].slice(0, firsts(first).length));
    first!.done(first!.messages.length);
    await until(() => kafka.committed("g", P0) === 6);
    kafka.append(P1, { value: "more" });
    (await overlapping)!.done();
    kafka.rebalance("g");
    const next = reader.next();
    await until(() => kafka.isStable("g"));
    for (const partition of [P0, P1]) kafka.append(partition, { value: "after" });
    const batches = [await next];
    while (batches.flatMap(messagesOf).length < 2) batches.push(await reader.next());
    assert.deepEqual(batches.flatMap(messagesOf).sort(), ["0@6", "1@5"]);
    await reader.close();
  } finally {
    console.warn = warn;
  }
  assert.equal(notices.length, 1);
});

Deno.test("After a rebalance before a message after a seek was handled, a reader starts where it was sought to", async () => {
  using kafka = kafkaWith([6, 3]);
  const reader = newReader(kafka, CONF, START);
  (await reader.next())!.done();
  await until(() => kafka.committed("g", P0) === 6);
  await reader.seek((partition) => partition === 0 ? 1 : 0);
  kafka.loseMember("g");
  const batches = [await reader.next()];
  while (batches.flatMap(messagesOf).length < 8) batches.push(await reader.next());
  const last = new Set(batches.filter((batch) => !batch!.isStale({ ...P0, offset: 0 })).flatMap(messagesOf));
  assert.deepEqual([...last].sort(), ["0@1", "0@2", "0@3", "0@4", "0@5", "1@0", "1@1", "1@2"]);
  await reader.close();
});

Deno.test("A reader whose start offset does not exist fails with an error that names it", async () => {
  using kafka = kafkaWith([6, 3]);
  const reader = newReader(kafka, CONF, { startAt: () => 5 });
  await assert.rejects(reader.next(), new RangeError('Topic "t": t[1] has no offset 5: it has 0 to 3'));
  await reader.close();
});

Deno.test("seek() to the end keeps the offset that the end had then, although messages are added before a rebalance", async () => {
  using kafka = kafkaWith([6, 3]);
  const reader = newReader(kafka, CONF);
  (await reader.next())!.done();
  await reader.seek(() => END);
  kafka.append(P0, { value: "new" });
  kafka.append(P1, { value: "new" });
  kafka.loseMember("g");
  const read: string[] = [];
  while (new Set(read).size < 2) read.push(...messagesOf(await reader.next()));
  assert.deepEqual([...new Set(read)].sort(), ["0@6", "1@3"]);
  await reader.close();
});

for (const conf of [CONF, {}]) {
  Deno.test(`currentOffsets() are the offsets sought to, right after seek() (${"group.id" in conf ? "group" : "no group"})`, async () => {
    using kafka = kafkaWith([6, 3]);
    const reader = newReader(kafka, conf);
    (await reader.next())!.done();
    await reader.seek((partition) => partition === 0 ? 2 : END);
    assert.deepEqual(positionsOf(await reader.currentOffsets()), ["0@2", "1@3"]);
    await reader.seek((partition) => partition === 0 ? undefined : 1);
    assert.deepEqual(positionsOf(await reader.currentOffsets()), ["0@2", "1@1"]);
    await reader.close();
  });
}

Deno.test("seek() moves all partitions before a message of one of them is read", async () => {
  using kafka = kafkaWith([900, 700], { random: () => 0.01, delayMs: (request) => request === "seek" ? 30 : 0 });
  const reader = newReader(kafka, CONF);
  let sought = false;
  const after: string[] = [];
  const reading = (async () => {
    for (let batch; (batch = await reader.next()) !== undefined; batch.done()) {
      if (sought) after.push(...messagesOf(batch).filter((_, index) => !batch!.isStale(batch!.messages[index]!)));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await reader.seek((partition) => partition + 5);
  sought = true;
  await until(() => ["0", "1"].every((partition) => after.some((name) => name[0] === partition)));
  await reader.close();
  await reading;
  assert.deepEqual(["0", "1"].map((partition) => after.find((name) => name[0] === partition)), ["0@5", "1@6"]);
});

const LATEST = { ...CONF, "auto.offset.reset": "latest" };

for (const strategy of ["range", "cooperative-sticky"]) {
  for (const startAt of [() => undefined, () => END]) {
    const what = `${strategy}, ${startAt() === undefined ? "auto.offset.reset" : "offset"}`;
    Deno.test(`Two readers that start at the end read partitions that are added later from their beginning (${what})`, async () => {
      using kafka = kafkaWith([6, 3]);
      const conf = { ...LATEST, "partition.assignment.strategy": strategy };
      const readers = [newReader(kafka, conf, { startAt }), newReader(kafka, conf, { startAt })];
      const read: string[] = [];
      const reading = readers.map(async (reader) => {
        for (let batch; (batch = await reader.next()) !== undefined; batch.done()) read.push(...messagesOf(batch));
      });
      await until(() => kafka.committed("g", P0) === 6 && kafka.committed("g", P1) === 3);
      kafka.createTopic("t", { partitions: 4 });
      for (const partition of [2, 2, 3]) kafka.append({ topic: "t", partition }, { value: "first" });
      kafka.append(P0, { value: "new" });
      await until(() => new Set(read).size === 4);
      assert.deepEqual([...new Set(read)].sort(), ["0@6", "2@0", "2@1", "3@0"]);
      await Promise.all(readers.map((reader) => reader.close()));
      await Promise.all(reading);
    });
  }
}

Deno.test("A reader that starts at the end reads a partition that was added while the group had no member from its beginning", async () => {
  using kafka = kafkaWith([6, 3]);
  const first = newReader(kafka, LATEST), waiting = first.next();
  await until(() => kafka.committed("g", P0) === 6 && kafka.committed("g", P1) === 3);
  await first.close();
  await waiting;
  kafka.createTopic("t", { partitions: 3 });
  kafka.append({ topic: "t", partition: 2 }, { value: "first" });
  const reader = newReader(kafka, LATEST);
  assert.deepEqual(messagesOf(await reader.next()), ["2@0"]);
  await reader.close();
});

for (const conf of [LATEST, { "auto.offset.reset": "latest" }]) {
  const which = "group.id" in conf ? "group" : "no group";
  Deno.test(`A reader that waits for its topic to exist reads it from its beginning (${which})`, async () => {
    using kafka = new MemoryKafka();
    const { warn } = console;
    console.warn = () => {};
    try {
      const reader = newReader(kafka, conf), next = reader.next();
      await new Promise((resolve) => setTimeout(resolve, 50));
      kafka.createTopic("t", { partitions: 2 });
      kafka.append(P1, { value: "first" });
      assert.deepEqual(messagesOf(await next), ["1@0"]);
      await reader.close();
    } finally {
      console.warn = warn;
    }
  });
}
