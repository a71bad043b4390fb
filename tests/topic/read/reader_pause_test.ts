import assert from "node:assert/strict";
import type { TopicReader } from "../../../src/topic/read/topic_reader.ts";
import { kafkaWith, messagesOf, newReader, P0, P1, until } from "../../support/readers.ts";

/** Reads until the reader ends; the returned list grows meanwhile. */
function reading(reader: TopicReader): string[] {
  const read: string[] = [];
  (async () => {
    for (let batch; (batch = await reader.next()) !== undefined; batch.done()) read.push(...messagesOf(batch));
  })();
  return read;
}

for (const strategy of ["range", "cooperative-sticky"]) {
  Deno.test(`A partition that is revoked from a paused reader, and comes back after resume(), is read on (${strategy})`, async () => {
    using kafka = kafkaWith([2, 3]);
    const conf = { "group.id": "g", "partition.assignment.strategy": strategy };
    const first = newReader(kafka, conf), read = reading(first);
    await until(() => read.length === 5);
    first.pause();
    const second = newReader(kafka, conf);
    reading(second);
    await until(() => kafka.consumers[1]?.assigned.length === 1 && kafka.consumers[0]!.assigned.length === 1);
    // This resumes the partition that is still assigned. The other one belongs to the second reader.
    first.resume();
    await second.close();
    await until(() => kafka.consumers[0]!.assigned.length === 2);
    kafka.append(P0, { value: "more" });
    kafka.append(P1, { value: "more" });
    await until(() => read.includes("0@2") && read.includes("1@3"));
    await first.close();
  });
}

Deno.test("A partition that is assigned to a paused reader stays paused until resume()", async () => {
  using kafka = kafkaWith([2, 3]);
  const conf = { "group.id": "g" };
  const first = newReader(kafka, conf), read = reading(first);
  await until(() => read.length === 5);
  const second = newReader(kafka, conf);
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
