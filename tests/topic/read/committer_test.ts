import assert from "node:assert/strict";
import { KafkaError } from "../../../src/kafka/kafka_error.ts";
import { kafkaWith, newReader, P0, P1, until } from "../../support/readers.ts";

const CONF = { "group.id": "g" };

Deno.test("TopicReader.commit() rejects when the broker refuses one partition of several, and names it", async () => {
  using kafka = kafkaWith([3, 5]);
  const reader = newReader(kafka, CONF, { autoCommit: false });
  await reader.next();
  kafka.faults.commit = ({ partition }) => partition === 1 ? 29 : 0;
  await assert.rejects(
    reader.commit([{ ...P0, offset: 2 }, { ...P1, offset: 4 }]),
    (error) =>
      error instanceof KafkaError && error.code === 29 && /the offset of t\[1\] was not committed/.test(error.message),
  );
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [2, undefined]);
  kafka.faults.commit = undefined;
  await reader.commit([{ ...P1, offset: 4 }]);
  assert.equal(kafka.committed("g", P1), 4);
  await reader.close();
});

Deno.test("Concurrent calls of TopicReader.commit() each get their own answer", async () => {
  using kafka = kafkaWith([3, 5], { delayMs: 1 });
  const reader = newReader(kafka, CONF, { autoCommit: false });
  await reader.next();
  let asked = 0;
  // Of two commits of the same offsets, the first is refused and the second is not.
  kafka.faults.request = (kind) => kind === "commit" && ++asked === 1 ? 16 : 0;
  const same = [{ ...P0, offset: 2 }];
  const outcomes = await Promise.allSettled([
    reader.commit(same),
    reader.commit(same),
    reader.commit([{ ...P0, offset: 2 }, { ...P1, offset: 3 }]),
    reader.commit([{ ...P1, offset: 3 }]),
    reader.commit([{ topic: "t", partition: 7, offset: 1 }]),
    reader.commit([]),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status), [
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [2, 3]);
  await reader.close();
});

Deno.test("TopicReader.commit() of a lost member is refused, and works again when it has rejoined", async () => {
  using kafka = kafkaWith([3, 5]);
  const reader = newReader(kafka, CONF, { autoCommit: false });
  await reader.next();
  kafka.loseMember("g");
  await assert.rejects(reader.commit([{ ...P0, offset: 1 }]), { code: 25 });
  await reader.next();
  await reader.commit([{ ...P0, offset: 1 }]);
  assert.equal(kafka.committed("g", P0), 1);
  await reader.close();
});

Deno.test("TopicReader.commit() rejects when the reader is stopped while no broker answers", async () => {
  using kafka = kafkaWith([3, 5]);
  const reader = newReader(kafka, CONF, { autoCommit: false });
  const batch = await reader.next();
  kafka.setDown();
  const commits = [reader.commit(batch!.positions()), reader.commit(batch!.positions(1))];
  await until(() => kafka.consumers.length === 1);
  reader.stop();
  for (const commit of commits) await assert.rejects(commit, /closed before the broker had confirmed the commit/);
  await reader.close();
});

Deno.test("A commit in the background that is refused for one partition makes one notice that names it", async () => {
  using kafka = kafkaWith([3, 5]);
  const notices: string[] = [], warn = console.warn;
  console.warn = (text) => notices.push(text);
  try {
    const reader = newReader(kafka, { ...CONF, "auto.commit.interval.ms": 1 });
    kafka.faults.commit = ({ partition }) => partition === 1 ? 29 : 0;
    (await reader.next())!.done();
    const next = reader.next();
    await until(() => notices.length > 0);
    await reader.close();
    await next;
  } finally {
    console.warn = warn;
  }
  assert.equal(notices.length, 1);
  assert.match(
    notices[0]!,
    /the offset of t\[1\] was not committed: Broker: Topic authorization failed .*; the messages may be read again/,
  );
  assert.equal(kafka.committed("g", P0), 3);
});
