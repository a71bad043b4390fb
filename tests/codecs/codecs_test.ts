import assert from "node:assert/strict";
import fc from "fast-check";
import { bytes, type Codec, json, text } from "@slipstream/slipstream";
import { SEED } from "../support/seed.ts";

async function roundTrip<T>(codec: Codec<T>, value: T): Promise<T> {
  return await codec.decode(await codec.encode(value));
}

Deno.test("text, json() and bytes decode what they encode", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary" }), async (value) => {
      assert.equal(await roundTrip(text, value), value);
    }),
    { seed: SEED },
  );
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      assert.deepEqual(await roundTrip(json(), value), JSON.parse(JSON.stringify(value)));
    }),
    { seed: SEED },
  );
  assert.deepEqual(await roundTrip(bytes, new Uint8Array([0, 255])), new Uint8Array([0, 255]));
});

Deno.test("text.encodeInto() writes the bytes that encode() returns, or returns -1 when they don't fit", async () => {
  const target = new Uint8Array(5);
  assert.equal(text.encodeInto!("äb", target), 3);
  assert.deepEqual(target.subarray(0, 3), await text.encode("äb"));
  assert.equal(text.encodeInto!("🐟🐟", target), -1);
});

Deno.test("text, json() and bytes throw for what they can't encode or decode", () => {
  assert.throws(() => text.encode(5 as never), /takes strings: got a number/);
  assert.throws(() => text.decode(new Uint8Array([0xff])), TypeError);
  assert.throws(() => text.encode("half of \ud83d"), /can't encode half of a surrogate pair/);
  assert.throws(() => text.encodeInto!("\udc1f", new Uint8Array(9)), /can't encode half of a surrogate pair/);
  assert.throws(() => json().encode(undefined), /JSON has no form/);
  assert.throws(() => json().decode(new TextEncoder().encode("{")), SyntaxError);
  assert.throws(() => bytes.encode("x" as never), /takes Uint8Arrays/);
});
