import assert from "node:assert/strict";
import { Cache, type CacheKey, Slipstream } from "@slipstream/slipstream";
import { fileTest, freshStore, REMOTE } from "../support/stores.ts";

Deno.test("a Cache that is opened again has what was set and not what was deleted; the folders of its path are made", async () => {
  await using store = await freshStore();
  const { path } = store;
  {
    await using cache = new Cache<unknown>(path);
    await Promise.all([cache.set("a", 1), cache.set(["b", 2], { c: new Map([[1, 2n]]) }), cache.set("gone", 1)]);
    await cache.delete("gone");
  }
  await using cache = new Cache<unknown>(path);
  assert.deepEqual(await cache.getMany(["a", ["b", 2], "gone"]), [1, { c: new Map([[1, 2n]]) }, undefined]);
  assert.equal(await cache.has("a"), true);
  assert.equal(await cache.has("gone"), false);
});

Deno.test("get() sees a write at once, and set() resolves when it is on disk, where other processes see it", async () => {
  await using store = await freshStore();
  const { path } = store;
  await using cache = new Cache<number>(path);
  await cache.has("open");
  const kv = await Deno.openKv(path);
  for (let n = 0; n < 20; n++) {
    const setting = cache.set("a", n);
    assert.equal(await cache.get("a"), n);
    await setting;
    assert.equal((await kv.get(["", "v", "a"])).value, n);
  }
  kv.close();
});

Deno.test("each read returns a copy of the value", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<{ list: number[]; bytes: Uint8Array }>(store.path);
  const value = { list: [1], bytes: new Uint8Array([1, 2]) };
  const setting = cache.set("a", value);
  value.list.push(2);
  (await cache.get("a"))!.bytes[0] = 9;
  await setting;
  (await cache.get("a"))!.list.push(3);
  const found = (await cache.get("a"))!;
  assert.deepEqual(found, { list: [1], bytes: new Uint8Array([1, 2]) });
  assert.equal(found.bytes.buffer.byteLength, 2);
});

Deno.test("handle() counts to 10,000 in one batch through a Cache that it also reads", async () => {
  await using store = await freshStore();
  const { path } = store;
  {
    await using counts = new Cache<number>(path);
    const app = new Slipstream();
    app.handle(Array.from({ length: 10_000 }, () => "k"), { sink: counts }, async function* (key) {
      yield [key, (await counts.get(key) ?? 0) + 1];
    });
    await app.stream();
    assert.equal(await counts.get("k"), 10_000);
  }
  await using counts = new Cache<number>(path);
  assert.equal(await counts.get("k"), 10_000);
});

Deno.test("as a sink, a Cache refuses everything but pairs and records, and null removes the key", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  const app = new Slipstream();
  app.handle([1, 2], { sink: cache }, (n) => n === 1 ? ["a", 1] : { key: "a", value: null });
  await app.stream();
  assert.equal(await cache.has("a"), false);
  const bad = new Slipstream();
  bad.handle([1], { sink: cache }, ((n: number) => n) as never);
  await assert.rejects(bad.stream(), /A Cache takes \[key, value\]/);
});

const KEYS: CacheKey[] = [
  "",
  "\0",
  "a",
  "a\0",
  "a\0b",
  ["a", ""],
  ["a", "b"],
  ["a", "b", 1],
  "user:1",
  "user:10",
  ["user", 1],
  ["user", 10],
  ["user", 10n],
  new Uint8Array(),
  new Uint8Array([97]),
  new Uint8Array([0]),
  [new Uint8Array([97]), "a"],
  0,
  1,
  -1,
  1.5,
  Infinity,
  -Infinity,
  0n,
  1n,
  -1n,
  2n ** 70n,
  -(2n ** 70n),
  true,
  false,
  "\uffff",
  "😀",
  "é",
  "s1:a",
  "true",
  "1",
  ["a", 0],
  ["a", false],
  [""],
  ["", ""],
];

Deno.test("hostile keys neither collide nor appear under another prefix, in memory, on disk, and in the overlay", async () => {
  await using store = await freshStore();
  const { path } = store;
  const names = (some: unknown[]) => some.map((key) => Deno.inspect(key));
  const distinct = [...new Map(KEYS.map((key) => [Deno.inspect(Array.isArray(key) ? key : [key]), key])).values()];
  const check = async (cache: Cache<number>) => {
    for (const [n, key] of distinct.entries()) assert.equal(await cache.get(key), n, Deno.inspect(key));
    const under = await Array.fromAsync(cache.keys({ prefix: "user" }));
    assert.deepEqual(names(under), names([["user", 10n], ["user", 1], ["user", 10]]));
  };
  let pending: unknown[];
  {
    await using cache = new Cache<number>(path);
    await cache.has("open");
    const setting = distinct.map((key, n) => cache.set(key, n));
    await check(cache);
    pending = await Array.fromAsync(cache.keys());
    await Promise.all(setting);
    await check(cache);
  }
  await using cache = new Cache<number>(path);
  await check(cache);
  const listed = await Array.fromAsync(cache.keys());
  assert.equal(listed.length, distinct.length);
  // The overlay is merged in the order of KV.
  assert.deepEqual(names(pending), names(listed));
  assert.deepEqual(names(await Array.fromAsync(cache.keys({ reverse: true }))), names(listed).reverse());
});

Deno.test("keys that KV would confuse are refused before anything is written", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  const bad = ["\ud800", "a\udfff", NaN, -0, [], null, undefined, {}, ["a", ["b"]], "x".repeat(3000), Symbol("s")];
  for (const key of bad) {
    await assert.rejects(
      cache.set(key as never, 1),
      (error) => error instanceof TypeError || error instanceof RangeError,
    );
    await assert.rejects(cache.get(key as never));
  }
  await cache.set("é".repeat(800), 1);
  assert.equal((await Array.fromAsync(cache.keys())).length, 1);
});

Deno.test("values above 64 KiB are read as a whole, and their chunks are removed when they are replaced", async () => {
  await using store = await freshStore();
  const { path } = store;
  const sizes = [65_000, 65_536, 1_000_000, 10_000_000];
  {
    await using cache = new Cache<Uint8Array | string>(path, { memoryBytes: 0 });
    for (const size of sizes) {
      const bytes = new Uint8Array(size).map((_, n) => n * 7 + size);
      await cache.set(["big", size], bytes);
      assert.deepEqual(await cache.get(["big", size]), bytes);
    }
    await cache.set("text", "é€".repeat(100_000));
    assert.equal(await cache.get("text"), "é€".repeat(100_000));
    assert.deepEqual((await Array.fromAsync(cache.values({ prefix: "big" }))).map(({ length }) => length), sizes);
    for (const size of sizes) await cache.set(["big", size], "small");
    await cache.delete("text");
  }
  const kv = await Deno.openKv(path);
  const left = (await Array.fromAsync(kv.list({ prefix: [] }))).map(({ key }) => key[1]);
  kv.close();
  // The entries, and the mark of large values. The receipt of a remote store expires by itself.
  assert.deepEqual(left.filter((kind) => kind !== "f"), ["l", "v", "v", "v", "v"]);
});

for (const memoryBytes of [0, 2_000, 64_000_000]) {
  Deno.test(`entries() shows the entries and the overlay as of its first read, whatever is written later (${memoryBytes} bytes of memory)`, async () => {
    await using store = await freshStore();
    await using cache = new Cache<number>(store.path, { memoryBytes });
    await Promise.all(Array.from({ length: 3000 }, (_, n) => cache.set(n, 0)));
    const writing = cache.set(5000, 0);
    const seen: [CacheKey, number][] = [];
    for await (const entry of cache.entries()) {
      if (seen.length === 0) {
        // Changed, removed and added while the scan runs, and on disk before it gets there.
        await Promise.all([cache.set(2000, 1), cache.delete(2500), cache.set(2700.5, 1), cache.set(5000, 1)]);
      }
      seen.push(entry);
    }
    await writing;
    assert.deepEqual(seen, [...Array.from({ length: 3000 }, (_, n) => [n, 0]), [5000, 0]] as never);
    assert.deepEqual(await Array.fromAsync(cache.keys({ start: 2698, end: 2702, reverse: true, limit: 3 })), [
      2701,
      2700.5,
      2700,
    ]);
    await cache.deleteRange({ start: 10 });
    assert.equal((await Array.fromAsync(cache.keys())).length, 10);
    await cache.clear();
    assert.deepEqual(await Array.fromAsync(cache.keys()), []);
  });
}

Deno.test("an expired value is never returned", async () => {
  await using store = await freshStore();
  await using cache = new Cache<number>(store.path);
  await cache.set("a", 1, { expireInMs: 40 });
  await cache.set("b", 2);
  while (await cache.get("a") !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(await Array.fromAsync(cache.entries()), [["b", 2]]);
  assert.equal(await cache.has("a"), false);
  await assert.rejects(cache.set("a", 1, { expireInMs: 0 }), TypeError);
});

Deno.test("Caches of one file see each other's entries if they have the same prefix, and only then", async () => {
  await using store = await freshStore();
  const { path } = store;
  await using a = new Cache<number>(path, { prefix: "a" });
  await using b = new Cache<number>(path, { prefix: "b" });
  await using again = new Cache<number>(path, { prefix: "a" });
  await Promise.all([a.set("k", 1), b.set("k", 2)]);
  assert.deepEqual([await a.get("k"), await b.get("k"), await again.get("k")], [1, 2, 1]);
  assert.deepEqual(await Array.fromAsync(b.keys()), ["k"]);
  const odd = new Cache(path, { shared: !REMOTE });
  await assert.rejects(odd.get("k"), { code: "in-use" });
});

fileTest(
  "a path through a symlink is refused unless allowed, and then names the same store as the real path",
  async () => {
    const folder = await Deno.makeTempDir();
    await Deno.mkdir(`${folder}/real`);
    await Deno.symlink(`${folder}/real`, `${folder}/link`);
    await Deno.symlink(`${folder}/real/cache`, `${folder}/file`);
    await using real = new Cache<number>(`${folder}/real/cache`);
    for (const path of [`${folder}/link/cache`, `${folder}/file`, `${folder}/link/../link/cache`]) {
      const link = new Cache<number>(path, { followSymlinks: true });
      await link.update("a", (n = 0) => n + 1);
      // Also while the store is open.
      await assert.rejects(new Cache(path).get("a"), { code: "path", message: /symlink/ });
      await real.update("a", (n = 0) => n + 1);
      await link.close();
    }
    assert.equal(await real.get("a"), 6);
    await real.close();
    // Through a symlink to a file that does not exist any more, the lock is that of the target.
    for await (const { name } of Deno.readDir(`${folder}/real`)) await Deno.remove(`${folder}/real/${name}`);
    await using link = new Cache<number>(`${folder}/file`, { followSymlinks: true });
    await using again = new Cache<number>(`${folder}/real/cache`);
    await link.set("a", 1);
    assert.equal(await again.get("a"), 1);
  },
);
