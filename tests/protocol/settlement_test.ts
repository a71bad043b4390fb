import assert from "node:assert/strict";
import { Settlements } from "@slipstream/slipstream/protocol";

const delivery = () => ({ undelivered() {} });

Deno.test("Settlements.outcome() resolves at once for a delivery without values, and when all values have settled", async () => {
  const settlements = new Settlements(), mine = delivery();
  assert.equal(settlements.outcome(mine), undefined);
  settlements.of(mine).accepted();
  settlements.of(mine).accepted();
  let isOver = false;
  const outcome = Promise.resolve(settlements.outcome(mine)).then(() => isOver = true);
  settlements.of(mine).settled();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(isOver, false);
  settlements.of(mine).settled();
  await outcome;
  assert.equal(settlements.outcome(mine), undefined);
});

Deno.test("Settlements.outcome() rejects with the first failure of its delivery, for everyone and for good", async () => {
  const settlements = new Settlements(), mine = delivery(), other = delivery();
  for (const one of [mine, mine, other]) settlements.of(one).accepted();
  settlements.of(other).settled();
  settlements.of(mine).settled({ error: new Error("first") });
  settlements.of(mine).settled({ error: new Error("second") });
  for (let n = 0; n < 2; n++) await assert.rejects(async () => await settlements.outcome(mine), { message: "first" });
  assert.equal(settlements.outcome(other), undefined);
});

Deno.test("Settlement.undelivered() settles a value as delivered if the policy disposes of it, else as failed", async () => {
  const settlements = new Settlements();
  const reported: unknown[] = [];
  const disposing = { undelivered: (error: unknown, message: unknown) => void reported.push([error, message]) };
  const refusing = { undelivered: () => Promise.reject(new Error("no policy")) };
  for (const one of [disposing, refusing]) settlements.of(one).accepted();
  await settlements.of(disposing).undelivered("too large", 1);
  await settlements.of(refusing).undelivered("too large", 2);
  assert.deepEqual(reported, [["too large", 1]]);
  assert.equal(settlements.outcome(disposing), undefined);
  await assert.rejects(async () => await settlements.outcome(refusing), { message: "no policy" });
});
