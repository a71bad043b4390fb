import assert from "node:assert/strict";
import { MESSAGES_PER_VALUE, OpaqueValues } from "../../src/ffi/opaque_values.ts";

Deno.test("OpaqueValues.take() returns the value of each message once, and keeps none", () => {
  const opaques = new OpaqueValues();
  const [a, b] = [{}, {}];
  const ids = [a, a, b, a].map((value) => opaques.put(value));
  assert.equal(new Set(ids).size, 3);
  assert.deepEqual(ids.map((id) => opaques.take(id)), [a, a, b, a]);
  assert.equal(opaques.take(ids[0]!), undefined);
  assert.equal(opaques.take(opaques.put(undefined)), undefined);
});

Deno.test("OpaqueValues.put() gives numbers that hold the message number and are safe integers", () => {
  const opaques = new OpaqueValues();
  const shared = {};
  const ids = [0, 1, MESSAGES_PER_VALUE - 1].map((number) => opaques.put(shared, number));
  const other = opaques.put({});
  assert.deepEqual(ids.map((id) => id % MESSAGES_PER_VALUE), [0, 1, MESSAGES_PER_VALUE - 1]);
  assert.ok(other > ids.at(-1)! && Number.isSafeInteger(other));
  assert.deepEqual(ids.toReversed().map((id) => opaques.take(id) === shared), [true, true, true]);
  assert.equal(opaques.take(ids[0]!), undefined);
});
