import assert from "node:assert/strict";
import { MemoryKafka } from "../../../src/testing/memory_kafka.ts";
import { END } from "../../../src/topic/read/offsets.ts";
import type { ReadBatch } from "../../../src/topic/read/read_batch.ts";
import { kafkaOf, P0, P1, placesOf, positionsOf, readerOf, until } from "../../support/readers.ts";

const CONF = { "group.id": "g", "auto.commit.interval.ms": 1 };
/** Partition 0 from offset 2, partition 1 from its end on. */
const SAID = { startAt: (partition: number) => partition === 0 ? 2 : END };

/** The first message of each partition in a batch. */
function firsts(batch: ReadBatch | undefined): string[] {
  const seen = new Set<string>();
  return placesOf(batch).filter((place) => !seen.has(place[0]!) && seen.add(place[0]!)).sort();
}

Deno.test("A rebalance before anything was handled leaves a reader where it was said to start", async () => {
  using kafka = kafkaOf([6, 3]);
  const reader = readerOf(kafka, CONF, SAID);
  const first = await reader.next();
  assert.deepEqual(firsts(first), ["0@2"]);
  kafka.loseMember("g");
  const again = reader.next();
  await until(() => first!.isStale({ ...P0, offset: 0 }));
  first!.done();
  assert.deepEqual(firsts(await again), ["0@2"]);
  // The end of partition 1 is that of the first time.
  kafka.append(P1, { value: "new" });
  assert.deepEqual(firsts(await reader.next()), ["1@3"]);
  await reader.close();
});

Deno.test("After a rebalance a reader goes on at what was committed, and behind what it has handled where the commit failed", async () => {
  using kafka = kafkaOf([6, 3]);
  kafka.faults.commit = ({ partition }) => partition === 1 ? 29 : 0;
  const said: unknown[] = [], warn = console.warn;
  console.warn = (text) => said.push(text);
  try {
    const reader = readerOf(kafka, CONF, SAID);
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
    for (const place of [P0, P1]) kafka.append(place, { value: "after" });
    const batches = [await next];
    while (batches.flatMap(placesOf).length < 2) batches.push(await reader.next());
    assert.deepEqual(batches.flatMap(placesOf).sort(), ["0@6", "1@5"]);
    await reader.close();
  } finally {
    console.warn = warn;
  }
  assert.equal(said.length, 1);
});

Deno.test("A rebalance leaves a reader where it was sought to, before anything of that was handled", async () => {
  using kafka = kafkaOf([6, 3]);
  const reader = readerOf(kafka, CONF, SAID);
  (await reader.next())!.done();
  await until(() => kafka.committed("g", P0) === 6);
  await reader.seek((partition) => partition === 0 ? 1 : 0);
  kafka.loseMember("g");
  const batches = [await reader.next()];
  while (batches.flatMap(placesOf).length < 8) batches.push(await reader.next());
  const last = new Set(batches.filter((batch) => !batch!.isStale({ ...P0, offset: 0 })).flatMap(placesOf));
  assert.deepEqual([...last].sort(), ["0@1", "0@2", "0@3", "0@4", "0@5", "1@0", "1@1", "1@2"]);
  await reader.close();
});

Deno.test("A reader whose start is not there fails by name, and stops", async () => {
  using kafka = kafkaOf([6, 3]);
  const reader = readerOf(kafka, CONF, { startAt: () => 5 });
  await assert.rejects(reader.next(), new RangeError('Topic "t": t[1] has no offset 5: it has 0 to 3'));
  await reader.close();
});

Deno.test("The end that a reader is sought to is where it was then, whatever comes before a rebalance", async () => {
  using kafka = kafkaOf([6, 3]);
  const reader = readerOf(kafka, CONF);
  (await reader.next())!.done();
  await reader.seek(() => END);
  kafka.append(P0, { value: "new" });
  kafka.append(P1, { value: "new" });
  kafka.loseMember("g");
  const read: string[] = [];
  while (new Set(read).size < 2) read.push(...placesOf(await reader.next()));
  assert.deepEqual([...new Set(read)].sort(), ["0@6", "1@3"]);
  await reader.close();
});

for (const conf of [CONF, {}]) {
  Deno.test(`A reader is where it was sought to at once (${"group.id" in conf ? "group" : "no group"})`, async () => {
    using kafka = kafkaOf([6, 3]);
    const reader = readerOf(kafka, conf);
    (await reader.next())!.done();
    await reader.seek((partition) => partition === 0 ? 2 : END);
    assert.deepEqual(positionsOf(await reader.positions()), ["0@2", "1@3"]);
    await reader.seek((partition) => partition === 0 ? undefined : 1);
    assert.deepEqual(positionsOf(await reader.positions()), ["0@2", "1@1"]);
    await reader.close();
  });
}

Deno.test("A reader reads on in no partition before it was sought in all", async () => {
  using kafka = kafkaOf([900, 700], { random: () => 0.01, delayMs: (request) => request === "seek" ? 30 : 0 });
  const reader = readerOf(kafka, CONF);
  let sought = false;
  const after: string[] = [];
  const reading = (async () => {
    for (let batch; (batch = await reader.next()) !== undefined; batch.done()) {
      if (sought) after.push(...placesOf(batch).filter((_, index) => !batch!.isStale(batch!.messages[index]!)));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await reader.seek((partition) => partition + 5);
  sought = true;
  await until(() => ["0", "1"].every((partition) => after.some((place) => place[0] === partition)));
  await reader.close();
  await reading;
  assert.deepEqual(["0", "1"].map((partition) => after.find((place) => place[0] === partition)), ["0@5", "1@6"]);
});

const LATEST = { ...CONF, "auto.offset.reset": "latest" };

for (const strategy of ["range", "cooperative-sticky"]) {
  for (const startAt of [() => undefined, () => END]) {
    const what = `${strategy}, ${startAt() === undefined ? "auto.offset.reset" : "offset"}`;
    Deno.test(`Two readers that begin at the end read partitions from their beginning that are added later (${what})`, async () => {
      using kafka = kafkaOf([6, 3]);
      const conf = { ...LATEST, "partition.assignment.strategy": strategy };
      const readers = [readerOf(kafka, conf, { startAt }), readerOf(kafka, conf, { startAt })];
      const read: string[] = [];
      const reading = readers.map(async (reader) => {
        for (let batch; (batch = await reader.next()) !== undefined; batch.done()) read.push(...placesOf(batch));
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

Deno.test("A reader that begins at the end reads what was added to its topic while the group was away", async () => {
  using kafka = kafkaOf([6, 3]);
  const first = readerOf(kafka, LATEST), waiting = first.next();
  await until(() => kafka.committed("g", P0) === 6 && kafka.committed("g", P1) === 3);
  await first.close();
  await waiting;
  kafka.createTopic("t", { partitions: 3 });
  kafka.append({ topic: "t", partition: 2 }, { value: "first" });
  const reader = readerOf(kafka, LATEST);
  assert.deepEqual(placesOf(await reader.next()), ["2@0"]);
  await reader.close();
});

for (const conf of [LATEST, { "auto.offset.reset": "latest" }]) {
  const which = "group.id" in conf ? "group" : "no group";
  Deno.test(`A reader that waits for its topic reads it from its beginning (${which})`, async () => {
    using kafka = new MemoryKafka();
    const said = console.warn;
    console.warn = () => {};
    try {
      const reader = readerOf(kafka, conf), next = reader.next();
      await new Promise((resolve) => setTimeout(resolve, 50));
      kafka.createTopic("t", { partitions: 2 });
      kafka.append(P1, { value: "first" });
      assert.deepEqual(placesOf(await next), ["1@0"]);
      await reader.close();
    } finally {
      console.warn = said;
    }
  });
}
