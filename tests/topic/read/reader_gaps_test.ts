import assert from "node:assert/strict";
import { kafkaOf, P0, P1, placesOf, positionsOf, readerOf, until } from "../../support/readers.ts";

const CONF = { "group.id": "g", "auto.commit.interval.ms": 1 };

Deno.test("What is not handed out behind the last messages counts as handled with them", async () => {
  using kafka = kafkaOf([4, 2]);
  kafka.skipOffsets(P0, 3);
  kafka.skipOffsets(P1, 1);
  const reader = readerOf(kafka, CONF);
  const batch = await reader.next(), next = reader.next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(
    [kafka.committed("g", P0), kafka.committed("g", P1)],
    [undefined, undefined],
    "nothing is handled yet",
  );
  batch!.done();
  await until(() => kafka.committed("g", P0) === 7 && kafka.committed("g", P1) === 3);
  assert.deepEqual(positionsOf(await reader.currentOffsets()), ["0@7", "1@3"]);
  kafka.append(P1, { value: "new" });
  assert.deepEqual(placesOf(await next), ["1@3"]);
  await reader.close();
});

Deno.test("A partition that has nothing to read counts as read to its end", async () => {
  using kafka = kafkaOf([4, 0]);
  const reader = readerOf(kafka, { ...CONF, "auto.offset.reset": "latest" });
  const next = reader.next();
  await until(() => kafka.committed("g", P0) === 4 && kafka.committed("g", P1) === 0);
  assert.deepEqual(positionsOf(await reader.currentOffsets()), ["0@4", "1@0"]);
  kafka.append(P0, { value: "new" });
  assert.deepEqual(placesOf(await next), ["0@4"]);
  await reader.close();
});

Deno.test("A reader that gives a message up does not count the end behind it", async () => {
  using kafka = kafkaOf([4, 2]);
  const reader = readerOf(kafka, CONF);
  const batch = await reader.next(), next = reader.next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const begun = batch!.messages[0]!;
  batch!.done(1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  reader.stop();
  await next;
  await reader.close();
  const committed = [kafka.committed("g", P0), kafka.committed("g", P1)];
  assert.deepEqual(committed, begun.partition === 0 ? [1, undefined] : [undefined, 1]);
});

Deno.test("A reader until the end leaves what lies beyond it to the next one", async () => {
  using kafka = kafkaOf([4, 2]);
  const reader = readerOf(kafka, CONF, { untilEnd: true });
  const first = await reader.next();
  kafka.append(P0, { value: "beyond" });
  kafka.append(P1, { value: "beyond" });
  first!.done();
  for (let batch; (batch = await reader.next()) !== undefined;) batch.done();
  await reader.close();
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [4, 2]);
});

Deno.test("The end of a partition that leaves is not counted behind messages that are let go of", async () => {
  using kafka = kafkaOf([4, 2]);
  const reader = readerOf(kafka, CONF);
  const first = await reader.next();
  kafka.rebalance("g");
  const next = reader.next();
  // While it waits for the batch, more comes; it is fetched, and let go of.
  await new Promise((resolve) => setTimeout(resolve, 20));
  kafka.append(P0, { value: "new" });
  kafka.append(P1, { value: "new" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = [kafka.committed("g", P0), kafka.committed("g", P1)];
  assert.deepEqual(before, [undefined, undefined]);
  first!.done();
  const rest = [...placesOf(await next)];
  if (rest.length < 2) rest.push(...placesOf(await reader.next()));
  assert.deepEqual(rest.sort(), ["0@4", "1@2"]);
  await reader.close();
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [4, 2]);
});
