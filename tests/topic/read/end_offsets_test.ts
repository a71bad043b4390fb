import assert from "node:assert/strict";
import { EndOffsets } from "../../../src/topic/read/end_offsets.ts";

const A = { topic: "t", partition: 0 }, B = { topic: "t", partition: 1 };

Deno.test("EndOffsets finish when each assigned partition is at its end, and not before the first assignment", () => {
  const ends = new EndOffsets();
  assert(!ends.areAllReached);
  ends.set(A, 2);
  ends.set(B, 0); // empty
  ends.assign([A, B]);
  ends.advance(A, 1);
  assert(!ends.areAllReached && !ends.finished.fired);
  ends.advance(A, 2);
  assert(ends.areAllReached && ends.finished.fired);
});

Deno.test("EndOffsets forget a revoked partition, and may finish with those that remain", () => {
  const ends = new EndOffsets();
  ends.set(A, 2);
  ends.set(B, 2);
  ends.assign([A, B]);
  ends.advance(B, 2);
  ends.assign([B], [A]);
  assert(ends.finished.fired);
  assert(!ends.has(A), "its end offset is looked up anew when it comes back");
  assert.equal(ends.get(A), Infinity);
});

Deno.test("EndOffsets do not finish when the last partition is revoked, since another may be assigned", () => {
  const ends = new EndOffsets();
  ends.set(A, 2);
  ends.assign([A]);
  ends.assign([], [A]);
  assert(!ends.finished.fired && !ends.areAllReached);
  ends.assign([]);
  assert(!ends.finished.fired && !ends.areAllReached, "no partition is assigned, and one may be later");
  ends.finish();
  assert(ends.finished.fired && ends.areAllReached);
});

Deno.test("EndOffsets wait for a reopened partition again", () => {
  const ends = new EndOffsets();
  ends.set(A, 2);
  ends.assign([A]);
  ends.advance(A, 2);
  ends.reopen(A);
  assert(!ends.areAllReached && !ends.finished.fired);
});

Deno.test("EndOffsets are not finished any more when a partition is assigned that is not at its end", () => {
  const ends = new EndOffsets();
  ends.set(A, 2);
  ends.assign([A]);
  ends.advance(A, 2);
  assert(ends.finished.fired);
  ends.set(B, 3);
  ends.assign([A, B]);
  assert(!ends.finished.fired, "else every wait for messages would end at once, and lose them");
  ends.advance(B, 3);
  assert(ends.finished.fired);
});
