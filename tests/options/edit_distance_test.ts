import assert from "node:assert/strict";
import { editDistance } from "../../src/options/edit_distance.ts";

Deno.test("editDistance() counts insertions, deletions and replacements", () => {
  assert.equal(editDistance("", ""), 0);
  assert.equal(editDistance("", "name"), 4);
  assert.equal(editDistance("name", ""), 4);
  assert.equal(editDistance("onEror", "onError"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
  assert.equal(editDistance("concurency", "concurrency"), editDistance("concurrency", "concurency"));
});
