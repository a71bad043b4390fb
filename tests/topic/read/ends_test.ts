import assert from "node:assert/strict";
import { Ends } from "../../../src/topic/read/ends.ts";

const A = { topic: "t", partition: 0 }, B = { topic: "t", partition: 1 };

Deno.test("Ends are all reached when every assigned partition is at its end, and not before something is assigned", () => {
  const ends = new Ends();
  assert(!ends.allReached);
  ends.set(A, 2);
  ends.set(B, 0); // an empty one
  ends.assign([A, B]);
  ends.at(A, 1);
  assert(!ends.allReached && !ends.finished.fired);
  ends.at(A, 2);
  assert(ends.allReached && ends.finished.fired);
});

Deno.test("Ends forget a partition that leaves; what is left may be all there is to read", () => {
  const ends = new Ends();
  ends.set(A, 2);
  ends.set(B, 2);
  ends.assign([A, B]);
  ends.at(B, 2);
  ends.assign([B], [A]);
  assert(ends.finished.fired);
  assert(!ends.knows(A), "another end is seen when it comes back");
  assert.equal(ends.of(A), Infinity);
});

Deno.test("Ends do not end a reader whose last partition leaves: it may be given another", () => {
  const ends = new Ends();
  ends.set(A, 2);
  ends.assign([A]);
  ends.assign([], [A]);
  assert(!ends.finished.fired && !ends.allReached);
  ends.assign([]);
  assert(!ends.finished.fired && !ends.allReached, "it is given none, and may be given another yet");
  ends.finish();
  assert(ends.finished.fired && ends.allReached);
});

Deno.test("Ends wait again for a partition that is read again", () => {
  const ends = new Ends();
  ends.set(A, 2);
  ends.assign([A]);
  ends.at(A, 2);
  ends.reopen(A);
  assert(!ends.allReached && !ends.finished.fired);
});

Deno.test("Ends are not finished any more when a partition is assigned that is not read yet", () => {
  const ends = new Ends();
  ends.set(A, 2);
  ends.assign([A]);
  ends.at(A, 2);
  assert(ends.finished.fired);
  ends.set(B, 3);
  ends.assign([A, B]);
  assert(!ends.finished.fired, "what waits for messages would be cut short for ever, and lose them");
  ends.at(B, 3);
  assert(ends.finished.fired);
});
