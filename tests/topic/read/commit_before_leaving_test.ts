import assert from "node:assert/strict";
import { kafkaWith, newReader, P0, P1 } from "../../support/readers.ts";

/** The codes by which a group that rebalances refuses a commit. */
const REFUSALS = { "illegal generation": 22, "rebalance in progress": 27, "stale member epoch": 113 };

for (const [name, code] of Object.entries(REFUSALS)) {
  Deno.test(`TopicReader.close() commits, although a rebalance refuses the commit at first (${name})`, async () => {
    using kafka = kafkaWith([3, 5], { delayMs: 1 });
    const reader = newReader(kafka, { "group.id": "g" });
    const batch = await reader.next();
    let refused = 0;
    kafka.faults.request = (kind) => kind === "commit" && refused < 3 ? (refused++, code) : 0;
    batch!.done();
    await reader.close();
    assert.equal(refused, 3);
    assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [3, 5]);
  });
}

Deno.test("TopicReader.close() takes at most a few seconds when its commit is refused again and again", async () => {
  using kafka = kafkaWith([3, 5]);
  const reader = newReader(kafka, { "group.id": "g" });
  const batch = await reader.next();
  kafka.faults.request = (kind) => kind === "commit" ? 27 : 0;
  batch!.done();
  const began = performance.now();
  await reader.close();
  assert.ok(performance.now() - began < 10_000);
  assert.equal(kafka.committed("g", P0), undefined);
});

Deno.test("TopicReader.close() commits nothing with manual commits, or after stopStoring()", async () => {
  using kafka = kafkaWith([3, 5]);
  const manual = newReader(kafka, { "group.id": "manual" }, { autoCommit: false });
  (await manual.next())!.done();
  await manual.close();
  const givenUp = newReader(kafka, { "group.id": "given up" });
  const batch = await givenUp.next();
  givenUp.stopStoring();
  batch!.done();
  await givenUp.close();
  assert.deepEqual([kafka.committed("manual", P0), kafka.committed("given up", P0)], [undefined, undefined]);
});
