import assert from "node:assert/strict";
import { Cache } from "@slipstream/slipstream";
import { freshStore } from "../support/stores.ts";

/** How many chunks a store holds, with their records. */
async function chunksIn(path: string): Promise<number> {
  const kv = await Deno.openKv(path);
  const keys = (await Array.fromAsync(kv.list({ prefix: [] }))).map(({ key }) => key);
  kv.close();
  return keys.filter(([, kind]) => kind === "b" || kind === "c").length;
}

Deno.test("values are read as they were set, from memory and from disk", async () => {
  await using store = await freshStore();
  const { path } = store;
  const circle: Record<string, unknown> = { deep: { list: [1, , 3] } };
  circle.self = circle;
  const values: unknown[] = [
    null,
    0,
    -0,
    NaN,
    -Infinity,
    2n ** 200n,
    -1n,
    true,
    "",
    "\0",
    "\ud800 and \udfff",
    "x".repeat(5000),
    new Date(1e12),
    /a+/gi,
    new Map<unknown, unknown>([[{ a: 1 }, new Set([1n, "x"])], [new Map(), null]]),
    new Set([new Date(0), [undefined]]),
    { undefined: undefined, "": 1 },
    [1, [2, [3]]],
    new Uint8Array([1, 2, 3]),
    new ArrayBuffer(5),
    new Float64Array([1.5, NaN]),
    new BigInt64Array([-1n]),
    new Uint8ClampedArray([255]),
    circle,
    { views: [new Uint16Array([1, 2, 3, 4]).subarray(1, 3), new DataView(new ArrayBuffer(9), 3, 2)] },
    { view: new Float32Array([1, 2, 3]).subarray(1), big: [2n, new BigUint64Array([1n, 2n]).subarray(1)] },
    new RangeError("no"),
  ];
  const check = async (cache: Cache) => {
    for (const [n, value] of values.entries()) {
      const found = await cache.get(n);
      assert.deepEqual(found, value);
      assert.equal(Object.is(found, -0), Object.is(value, -0));
    }
  };
  {
    await using cache = new Cache(path);
    await Promise.all(values.map((value, n) => cache.set(n, value)));
    await check(cache);
  }
  await using cache = new Cache(path);
  await check(cache);
});

Deno.test("set() refuses values that structured clone refuses or that do not outlive the program, and names the key", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache(store.path);
  const refused: unknown[] = [
    undefined,
    () => 1,
    Symbol("a"),
    { deep: Symbol("a") },
    new Map([[1, () => 1]]),
    new WeakMap(),
    new WeakRef({}),
    Promise.resolve(),
    (function* () {})(),
    new Proxy({}, {}),
    new URL("http://localhost"),
    [new Response("x")],
    new Map([[new Headers(), 1]]),
    { stream: new ReadableStream() },
    new Set([new Blob(["x"])]),
    new SharedArrayBuffer(1),
    {
      class: new (class Order {
        sent = new Request("http://localhost");
      })(),
    },
    {
      get broken() {
        throw new Error("no");
      },
    },
  ];
  for (const value of refused) {
    await assert.rejects(cache.set(["k", 1], value), { name: "TypeError", message: /\["k", 1\]/ }, Deno.inspect(value));
    await assert.rejects(cache.emit(["k", 1], value), { name: "TypeError" });
  }
  assert.deepEqual(await Array.fromAsync(cache.keys()), []);
});

Deno.test("of a view only its own bytes are stored, not its whole buffer", async () => {
  await using store = await freshStore();
  const { path } = store;
  const slab = new Uint8Array(5_000_000).fill(7);
  {
    await using cache = new Cache(path);
    await cache.set("plain", slab.subarray(10, 14));
    await cache.set("deep", { at: [slab.subarray(0, 2)] });
  }
  assert.equal(await chunksIn(path), 0);
  await using cache = new Cache(path);
  const found = await cache.get("plain") as Uint8Array;
  assert.deepEqual([found, found.buffer.byteLength], [new Uint8Array([7, 7, 7, 7]), 4]);
  assert.deepEqual(await cache.get("deep"), { at: [new Uint8Array([7, 7])] });
});

Deno.test("updates with values and keys of any size fit into the log", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<Uint8Array>(store.path, { log: { limit: 1000 } });
  const sizes = Array.from({ length: 70 }, (_, n) => 59_000 + n * 100);
  const reading = cache.updates({ from: 1 }).getReader();
  await Promise.all(sizes.map((size) => cache.emit(["k".repeat(1700), size], new Uint8Array(size))));
  for (const size of sizes) assert.equal((await reading.read()).value![1]!.length, size);
  await reading.cancel();
});

Deno.test("a wrong expireInMs is refused at once, and fails no other write", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  const other = cache.set("other", 1);
  for (const expireInMs of [0, -1, NaN, Infinity, 1e20, "5" as never]) {
    await assert.rejects(cache.set("a", 1, { expireInMs }), TypeError, `${expireInMs}`);
    await assert.rejects(cache.update("a", () => 1, { expireInMs }), TypeError, `${expireInMs}`);
  }
  await cache.set("long", 1, { expireInMs: 8e15 });
  await other;
  assert.deepEqual(await Array.fromAsync(cache.keys()), ["long", "other"]);
});

Deno.test("chunks are removed when their value is replaced or removed, or its commit fails", async () => {
  await using store = await freshStore();
  const { path } = store;
  const big = (n: number) => new Uint8Array(300_000).fill(n);
  {
    await using cache = new Cache<unknown>(path);
    await cache.set("a", big(1));
    await Promise.all([cache.set("a", big(2)), cache.set("a", big(3)), cache.set("b", big(4))]);
    await assert.rejects(
      cache.transaction([["a"], ["b"]], (tx) => {
        tx.set("a", big(5));
        throw new Error("no");
      }),
    );
    await cache.transaction([["a"], ["b"]], (tx) => {
      tx.set("a", "small");
      tx.set("b", big(6));
      tx.delete("b");
    });
    assert.deepEqual(await Array.fromAsync(cache.entries()), [["a", "small"]]);
  }
  assert.equal(await chunksIn(path), 0);
});

Deno.test("on a shared file, chunks that another process wrote are removed with their value", async () => {
  await using store = await freshStore();
  const { path } = store;
  for (const shared of [true, false]) {
    {
      await using cache = new Cache<Uint8Array>(path, { shared });
      await cache.set("a", new Uint8Array(200_000));
    }
    assert.equal(await chunksIn(path), 5);
    await using cache = new Cache<Uint8Array>(path, { shared: !shared });
    await cache.delete("a");
    await cache.close();
    assert.equal(await chunksIn(path), 0);
  }
});
