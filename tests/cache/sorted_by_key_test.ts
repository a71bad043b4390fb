import assert from "node:assert/strict";
import fc from "fast-check";
import { compareKeys, type KeyPart } from "../../src/cache/cache_key.ts";
import { SortedByKey } from "../../src/cache/engine/sorted_by_key.ts";
import { SEED } from "../support/seed.ts";

Deno.test("SortedByKey has the order and the ranges of a sorted list, whatever is added and removed", () => {
  const numbers = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 3000 });
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 3000 }), { maxLength: 1500 }), numbers, (first, toggled) => {
      const items = new Map(first.map((n) => [n, { key: [n] as KeyPart[] }]));
      const sorted = new SortedByKey([...items.values()]);
      for (const n of toggled) {
        const item = items.get(n);
        if (item === undefined) {
          items.set(n, { key: [n] });
          sorted.add(items.get(n)!);
        } else {
          items.delete(n);
          sorted.remove(item);
        }
      }
      const expected = [...items.keys()].sort((a, b) => a - b);
      for (const [start, end] of [[0, 3001], [100, 200], [1500, 1501], [2999, 5000], [700, 600]] as const) {
        const found = sorted.range((key) => compareKeys(key, [start]) >= 0, (key) => compareKeys(key, [end]) >= 0);
        assert.deepEqual(found.map(({ key }) => key[0]), expected.filter((n) => n >= start && n < end));
      }
    }),
    { seed: SEED, numRuns: 20 },
  );
});
