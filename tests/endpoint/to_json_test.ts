import assert from "node:assert/strict";
import { toJson } from "../../src/endpoint/to_json.ts";

Deno.test("toJson() writes values that JSON has no form for, and null where a value contains itself or is too deep", () => {
  const circle: unknown[] = [1];
  circle.push(circle, new Map([["again", circle]]), circle[0]);
  const twice = { a: 1 };
  for (
    const [value, expected] of [
      [undefined, "null"],
      [[1n, NaN, undefined, new Date(0)], '["1",null,null,"1970-01-01T00:00:00.000Z"]'],
      [new Map([[1, new Set([2])]]), "[[1,[2]]]"],
      [[new Uint8Array([1]), new ArrayBuffer(2), new DataView(new ArrayBuffer(2), 1)], "[[1],[0,0],[0]]"],
      [new BigInt64Array([-1n]), '["-1"]'],
      ["\ud800", '"\\ud800"'],
      [circle, '[1,null,[["again",null]],1]'],
      [[twice, twice], '[{"a":1},{"a":1}]'],
    ] as const
  ) {
    assert.equal(toJson(value), expected);
  }
  let deep: unknown = 0;
  for (let n = 0; n < 100_000; n++) deep = { deep };
  assert.match(toJson(deep), /^(\{"deep":)+null\}+$/);
  const map = new Map();
  map.set("self", map);
  assert.match(toJson(map), /^(\[\["self",)+(null|\[null\])\]+$/);
});
