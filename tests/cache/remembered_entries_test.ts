import assert from "node:assert/strict";
import fc from "fast-check";
import { Committer } from "../../src/cache/store/committer.ts";
import { compareKeys, type KeyPart } from "../../src/cache/cache_key.ts";
import { RememberedEntries } from "../../src/cache/engine/remembered_entries.ts";
import { RetryingKv } from "../../src/cache/store/retrying_kv.ts";
import { SortedByKey } from "../../src/cache/engine/sorted_by_key.ts";
import { ABSENT, encode } from "../../src/cache/store/stored_value.ts";
import { Cache } from "@slipstream/slipstream";

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
    { numRuns: 20 },
  );
});

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

Deno.test("chunks that can't be removed are removed after a later commit", async () => {
  const kv = await Deno.openKv(":memory:");
  let failing = true;
  const faulty = new Proxy(kv, {
    get(target, name) {
      if (name === "delete" && failing) return () => Promise.reject(new Error("database or disk is full"));
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const committer = new Committer(
    new RetryingKv(faulty, ":memory:", false),
    { prefix: "", shared: false, remote: false },
    undefined,
  );
  const write = (value: unknown) => [{ id: "a", key: ["a"], keyBytes: 3, stored: encode(value, "a") }];
  const left = async () => (await Array.fromAsync(kv.list({ prefix: ["", "b"] }))).length;
  await committer.commit(write(new Uint8Array(200_000)), []);
  await committer.commit(write("small"), []);
  assert.equal(await left(), 1);
  failing = false;
  await committer.commit(write("small again"), []);
  assert.equal(await left(), 0);
  kv.close();
});
