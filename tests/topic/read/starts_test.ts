import assert from "node:assert/strict";
import { BEGINNING, END } from "../../../src/topic/read/offsets.ts";
import { Starts } from "../../../src/topic/read/starts.ts";

const A = { topic: "t", partition: 0 };

/** A partition of which a test sets the ends and what is committed. */
function partition(said: number | undefined) {
  const broker = { lowOffset: 5, highOffset: 10, committed: -1 };
  const starts = new Starts("Topic t", () => said, {
    watermarks: () => Promise.resolve(broker),
    committed: () => Promise.resolve(broker.committed),
    isNew: ({ partition }) => partition === 9,
  });
  return { starts, broker };
}

Deno.test("Starts leave it to the group where nothing was said", async () => {
  const { starts } = partition(undefined);
  assert.equal(await starts.of(A), undefined);
});

Deno.test("Starts refuse an offset that a partition does not have, by name", async () => {
  for (const offset of [4, 11]) {
    const { starts } = partition(offset);
    await assert.rejects(
      starts.of(A),
      new RangeError(`Topic t: t[0] has no offset ${offset}: it has 5 to 10`),
    );
  }
  for (const offset of [5, 10, BEGINNING]) assert.equal(await partition(offset).starts.of(A), offset);
});

Deno.test("Starts keep to the end of the first time, whatever came since", async () => {
  const { starts, broker } = partition(END);
  assert.equal(await starts.of(A), 10);
  broker.highOffset = 20;
  assert.equal(await starts.of(A), 10);
});

Deno.test("Starts give way to what was committed once something was handled, and only then", async () => {
  const { starts, broker } = partition(7);
  assert.equal(await starts.of(A), 7);
  broker.committed = 9;
  assert.equal(await starts.of(A), 7, "nothing of it was handled here");
  starts.begun(A);
  assert.equal(await starts.of(A), undefined);
  broker.committed = -1;
  assert.equal(await starts.of(A), 7, "the commit has failed");
});

Deno.test("Starts follow a seek", async () => {
  const { starts, broker } = partition(7);
  await starts.of(A);
  starts.begun(A);
  broker.committed = 9;
  starts.set(A, 6);
  assert.equal(await starts.of(A), 6);
});

Deno.test("Starts begin a partition that came later at its beginning instead of its end, unless it was read", async () => {
  const committed = [-1001, 7];
  const starts = new Starts("Topic t", () => END, {
    watermarks: () => Promise.resolve({ lowOffset: 0, highOffset: 10 }),
    committed: () => Promise.resolve(committed.shift()!),
    isNew: ({ topic }) => topic === "new",
  });
  assert.equal(await starts.of({ topic: "t", partition: 0 }), 10);
  assert.equal(await starts.of({ topic: "new", partition: 0 }), BEGINNING);
  assert.equal(await starts.of({ topic: "new", partition: 1 }), undefined);
});
