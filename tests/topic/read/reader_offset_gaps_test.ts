import assert from "node:assert/strict";
import { kafkaWith, messagesOf, newReader, P0, P1, positionsOf, until } from "../../support/readers.ts";

const CONF = { "group.id": "g", "auto.commit.interval.ms": 1 };

Deno.test("Offsets without a message after the last message count as handled with it", async () => {
  using kafka = kafkaWith([4, 2]);
  kafka.skipOffsets(P0, 3);
  kafka.skipOffsets(P1, 1);
  const reader = newReader(kafka, CONF);
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
  assert.deepEqual(messagesOf(await next), ["1@3"]);
  await reader.close();
});

Deno.test("The position of a partition without messages to read is its end", async () => {
  using kafka = kafkaWith([4, 0]);
  const reader = newReader(kafka, { ...CONF, "auto.offset.reset": "latest" });
  const next = reader.next();
  await until(() => kafka.committed("g", P0) === 4 && kafka.committed("g", P1) === 0);
  assert.deepEqual(positionsOf(await reader.currentOffsets()), ["0@4", "1@0"]);
  kafka.append(P0, { value: "new" });
  assert.deepEqual(messagesOf(await next), ["0@4"]);
  await reader.close();
});

Deno.test("A reader that gives up a message does not move its position to the end", async () => {
  using kafka = kafkaWith([4, 2]);
  const reader = newReader(kafka, CONF);
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

Deno.test('A reader with until: "end" stores no position above the end offset', async () => {
  using kafka = kafkaWith([4, 2]);
  const reader = newReader(kafka, CONF, { untilEnd: true });
  const first = await reader.next();
  kafka.append(P0, { value: "beyond" });
  kafka.append(P1, { value: "beyond" });
  first!.done();
  for (let batch; (batch = await reader.next()) !== undefined;) batch.done();
  await reader.close();
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [4, 2]);
});

Deno.test("The end of a partition that is being revoked does not count after messages that are dropped", async () => {
  using kafka = kafkaWith([4, 2]);
  const reader = newReader(kafka, CONF);
  const first = await reader.next();
  kafka.rebalance("g");
  const next = reader.next();
  // While the revocation waits for the batch, messages are added. They are fetched, and dropped.
  await new Promise((resolve) => setTimeout(resolve, 20));
  kafka.append(P0, { value: "new" });
  kafka.append(P1, { value: "new" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = [kafka.committed("g", P0), kafka.committed("g", P1)];
  assert.deepEqual(before, [undefined, undefined]);
  first!.done();
  const rest = [...messagesOf(await next)];
  if (rest.length < 2) rest.push(...messagesOf(await reader.next()));
  assert.deepEqual(rest.sort(), ["0@4", "1@2"]);
  await reader.close();
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [4, 2]);
});
