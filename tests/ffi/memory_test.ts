import assert from "node:assert/strict";
import { cString } from "../../src/ffi/memory.ts";

Deno.test("cString() refuses a NUL inside", () => {
  assert.deepEqual([...cString("ä")], [0xc3, 0xa4, 0]);
  assert.throws(() => cString("a\0b"), TypeError);
});
