import assert from "node:assert/strict";
import { RememberedEntries } from "../../src/cache/engine/remembered_entries.ts";
import { ABSENT, encode } from "../../src/cache/store/stored_value.ts";
import { Cache } from "@slipstream/slipstream";

Deno.test("RememberedEntries stays within its bytes, keeps what is used, and knows when it is not complete", () => {
  const memory = new RememberedEntries(100_000);
  memory.markComplete(0);
  const value = encode("x".repeat(100), "k");
  for (let n = 0; n < 1000; n++) {
    memory.set(`${n}`, [`${n}`], value);
    memory.get("0");
    assert.ok(memory.bytes <= 100_000);
    if (memory.complete) assert.equal(memory.get("never"), ABSENT);
  }
  assert.equal(memory.complete, false);
  assert.deepEqual([memory.get("0"), memory.get("1"), memory.get("999")], [value, undefined, value]);
  memory.set("large", ["large"], encode("x".repeat(30_000), "k"));
  assert.equal(memory.get("large"), undefined);
});

Deno.test("writes made while a Cache loads its file into memory are not overwritten by the load", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
  const model = new Map<number, number>();
  {
    await using cache = new Cache<number>(path);
    await Promise.all(Array.from({ length: 6000 }, (_, n) => (model.set(n, n), cache.set(n, n))));
  }
  await using cache = new Cache<number>(path);
  const writing: Promise<void>[] = [];
  for (let n = 0; n < 4000; n++) {
    // New keys, and keys that the load has read or will read.
    const key = (n * 7919) % 8000;
    assert.equal(await cache.get(key), model.get(key));
    if (n % 3 === 0) model.delete(key);
    else model.set(key, -n);
    writing.push(n % 3 === 0 ? cache.delete(key) : cache.set(key, -n));
    if (n % 500 === 0) await Promise.all(writing);
    const other = (n * 104_729) % 8000;
    assert.equal(await cache.get(other), model.get(other));
  }
  assert.deepEqual(new Map(await Array.fromAsync(cache.entries()) as [number, number][]), model);
  await Promise.all(writing);
  assert.deepEqual(new Map(await Array.fromAsync(cache.entries()) as [number, number][]), model);
  await cache.close();
  const kv = await Deno.openKv(path);
  const stored = (await Array.fromAsync(kv.list<number>({ prefix: ["", "v"] }))).map((
    { key, value },
  ) => [key[2], value]);
  kv.close();
  assert.deepEqual(new Map(stored as [number, number][]), model);
});
