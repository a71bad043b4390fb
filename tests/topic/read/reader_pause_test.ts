import assert from "node:assert/strict";
import type { TopicReader } from "../../../src/topic/read/topic_reader.ts";
import { kafkaOf, P0, P1, placesOf, readerOf, until } from "../../support/readers.ts";

/** Reads on and on, into a list. */
function reading(reader: TopicReader): string[] {
  const read: string[] = [];
  (async () => {
    for (let batch; (batch = await reader.next()) !== undefined; batch.done()) read.push(...placesOf(batch));
  })();
  return read;
}

for (const strategy of ["range", "cooperative-sticky"]) {
  Deno.test(`A partition that leaves a paused reader, and comes back after its resume(), is read on (${strategy})`, async () => {
    using kafka = kafkaOf([2, 3]);
    const conf = { "group.id": "g", "partition.assignment.strategy": strategy };
    const first = readerOf(kafka, conf), read = reading(first);
    await until(() => read.length === 5);
    first.pause();
    const second = readerOf(kafka, conf);
    reading(second);
    await until(() => kafka.consumers[1]?.assigned.length === 1 && kafka.consumers[0]!.assigned.length === 1);
    // What it has now flows again; what it had is another's.
    first.resume();
    await second.close();
    await until(() => kafka.consumers[0]!.assigned.length === 2);
    kafka.append(P0, { value: "more" });
    kafka.append(P1, { value: "more" });
    await until(() => read.includes("0@2") && read.includes("1@3"));
    await first.close();
  });
}

Deno.test("A partition that comes to a paused reader stays paused until its resume()", async () => {
  using kafka = kafkaOf([2, 3]);
  const conf = { "group.id": "g" };
  const first = readerOf(kafka, conf), read = reading(first);
  await until(() => read.length === 5);
  const second = readerOf(kafka, conf);
  reading(second);
  await until(() => kafka.consumers[1]?.assigned.length === 1 && kafka.consumers[0]!.assigned.length === 1);
  first.pause();
  await second.close();
  await until(() => kafka.consumers[0]!.assigned.length === 2);
  kafka.append(P0, { value: "more" });
  kafka.append(P1, { value: "more" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(read.length, 5);
  first.resume();
  await until(() => read.includes("0@2") && read.includes("1@3"));
  await first.close();
});
