import assert from "node:assert/strict";
import { BEGINNING, END } from "../../../src/topic/read/offsets.ts";
import { RequestedOffsets } from "../../../src/topic/read/requested_offsets.ts";

const A = { topic: "t", partition: 0 };

/** Requested offsets of a partition, whose watermarks and committed offset a test can change. */
function partition(option: number | undefined) {
  const broker = { lowOffset: 5, highOffset: 10, committed: -1 };
  const requested = new RequestedOffsets("Topic t", () => option, {
    watermarks: () => Promise.resolve(broker),
    committed: () => Promise.resolve(broker.committed),
    isAddedLater: ({ partition }) => partition === 9,
  });
  return { requested, broker };
}

Deno.test("RequestedOffsets has no start offset without the option", async () => {
  const { requested } = partition(undefined);
  assert.equal(await requested.startOffset(A), undefined);
});

Deno.test("RequestedOffsets refuses an offset that a partition does not have, and names both", async () => {
  for (const offset of [4, 11]) {
    const { requested } = partition(offset);
    await assert.rejects(
      requested.startOffset(A),
      new RangeError(`Topic t: t[0] has no offset ${offset}: it has 5 to 10`),
    );
  }
  for (const offset of [5, 10, BEGINNING]) assert.equal(await partition(offset).requested.startOffset(A), offset);
});

Deno.test("RequestedOffsets resolves the end once, and keeps that offset when messages are added", async () => {
  const { requested, broker } = partition(END);
  assert.equal(await requested.startOffset(A), 10);
  broker.highOffset = 20;
  assert.equal(await requested.startOffset(A), 10);
});

Deno.test("RequestedOffsets leaves it to the committed offset once a message was handled, and not before", async () => {
  const { requested, broker } = partition(7);
  assert.equal(await requested.startOffset(A), 7);
  broker.committed = 9;
  assert.equal(await requested.startOffset(A), 7, "no message of it was handled here");
  requested.markHandled(A);
  assert.equal(await requested.startOffset(A), undefined);
  broker.committed = -1;
  assert.equal(await requested.startOffset(A), 7, "the commit has failed");
});

Deno.test("RequestedOffsets follows a seek", async () => {
  const { requested, broker } = partition(7);
  await requested.startOffset(A);
  requested.markHandled(A);
  broker.committed = 9;
  requested.set(A, 6);
  assert.equal(await requested.startOffset(A), 6);
});

Deno.test("RequestedOffsets starts at the beginning, not the end, of a partition that was added later and that nobody has read", async () => {
  const committed = [-1001, 7];
  const requested = new RequestedOffsets("Topic t", () => END, {
    watermarks: () => Promise.resolve({ lowOffset: 0, highOffset: 10 }),
    committed: () => Promise.resolve(committed.shift()!),
    isAddedLater: ({ topic }) => topic === "new",
  });
  assert.equal(await requested.startOffset({ topic: "t", partition: 0 }), 10);
  assert.equal(await requested.startOffset({ topic: "new", partition: 0 }), BEGINNING);
  assert.equal(await requested.startOffset({ topic: "new", partition: 1 }), undefined);
});
