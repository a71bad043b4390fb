import assert from "node:assert/strict";
import { Cache, type CacheUpdate, Slipstream } from "@slipstream/slipstream";
import { freshStore } from "../support/stores.ts";
import { batchOf, deliver } from "../support/deliver.ts";

async function take<T>(stream: ReadableStream<T>, count: number): Promise<T[]> {
  const found: T[] = [];
  for await (const some of stream) if (found.push(some) === count) break;
  return found;
}

Deno.test("updates() reads what is emitted and handled, not what is set, and ends when the Cache is closed", async () => {
  await using store = await freshStore("memory");
  const cache = new Cache<number>(store.path);
  await cache.has("open");
  const all = Array.fromAsync(cache.updates());
  const some = Array.fromAsync(cache.updates({ prefix: "b" }));
  const loop = Array.fromAsync(cache);
  await cache.set("a", 0);
  await cache.emit("a", 1);
  await deliver(batchOf([2, 3]), cache, (n) => [["b", n], n]);
  await cache.close();
  const expected = [["a", 1, undefined], [["b", 2], 2, undefined], [["b", 3], 3, undefined]];
  assert.deepEqual(await all, expected);
  assert.deepEqual(await some, expected.slice(1));
  assert.deepEqual(await loop, expected);
});

Deno.test("a slow reader without a log gets the latest update of each key, and queues a bounded number", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  const reader = cache.updates().getReader();
  await cache.has("open");
  for (let n = 0; n < 20; n++) {
    await Promise.all(Array.from({ length: 1000 }, (_, m) => cache.emit(m % 500, n * 1000 + m)));
  }
  const latest = new Map<unknown, unknown>();
  let count = 0;
  while (latest.get(499) !== 19_999) {
    const [key, value] = (await reader.read()).value!;
    latest.set(key, value);
    count++;
  }
  assert.ok(count <= 2000, `${count}`);
  for (let m = 0; m < 500; m++) assert.equal(latest.get(m), 19_500 + m);
  await reader.cancel();
});

Deno.test("a slow reader without a log queues a bounded number of bytes, and gets the newest updates", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<Uint8Array>(store.path);
  const reader = cache.updates().getReader();
  await cache.has("open");
  for (let n = 0; n < 60; n++) await cache.emit(n, new Uint8Array(1_000_000).fill(n));
  const seen: number[] = [];
  while (seen.at(-1) !== 59) seen.push((await reader.read()).value![1]![0]!);
  assert.ok(seen.length <= 17, `${seen.length} MB`);
  await reader.cancel();
});

Deno.test("a log resumes from any number, across a restart, and keeps its limit", async () => {
  await using store = await freshStore();
  const { path } = store;
  const log = { limit: 50 };
  {
    await using cache = new Cache<number>(path, { log });
    await Promise.all(Array.from({ length: 70 }, (_, n) => cache.emit("k", n + 1)));
    const [first] = await take(cache.updates({ from: 1 }), 1);
    assert.deepEqual(first, ["k", 21, 21]);
  }
  await using cache = new Cache<number>(path, { log });
  const live = take(cache.updates({ from: 69 }), 4);
  const fresh = take(cache.updates(), 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await Promise.all([cache.emit("k", 71), cache.emit("k", 72)]);
  assert.deepEqual((await live).map(([, , sequence]) => sequence), [69, 70, 71, 72]);
  assert.deepEqual(await fresh, [["k", 71, 71], ["k", 72, 72]]);
  // A number that the log has not reached: everything that the log holds is read.
  assert.deepEqual((await take(cache.updates({ from: 1000 }), 1))[0]![2], 23);
});

Deno.test("a slow reader of a log gets every update, removals and large values included", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<string>(store.path, { log: { limit: 10_000 } });
  const stream = cache.updates({ from: 1 });
  const big = "x".repeat(100_000);
  const values = [big, null, ...Array.from({ length: 5000 }, (_, n) => `${n}`)];
  await deliver(batchOf(values), cache, (value) => ["k", value]);
  await cache.set("k", big);
  const found: CacheUpdate<string>[] = await take(stream, 5002);
  assert.equal(found[0]![1], big);
  assert.deepEqual(found[1], ["k", undefined, 2]);
  assert.deepEqual(found.slice(2).map(([, value]) => value), Array.from({ length: 5000 }, (_, n) => `${n}`));
});

Deno.test("handle() reads the updates of a Cache, and ends when it is stopped", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  await cache.has("open");
  const seen: unknown[] = [];
  const app = new Slipstream();
  const stop = new AbortController();
  app.handle(cache, ([key, value]) => {
    seen.push([key, value]);
    stop.abort();
  });
  const running = app.stream({ signal: stop.signal });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await cache.emit("a", 1);
  await running.catch(() => {});
  assert.deepEqual(seen, [["a", 1]]);
});

Deno.test("updates() refuses to resume without a log", () => {
  assert.throws(() => new Cache(":memory:").updates({ from: 1 }), /needs a log/);
});
