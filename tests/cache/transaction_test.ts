import assert from "node:assert/strict";
import { Cache } from "@slipstream/slipstream";
import { fileTest, freshStore } from "../support/stores.ts";

const later = (ms = 1) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("two transactions that each append twice do not interleave", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<string>(store.path);
  const append = (first: string, second: string) =>
    cache.transaction("k", async (tx) => {
      tx.set("k", (await tx.get("k") ?? "") + first);
      await later(5);
      tx.set("k", await tx.get("k") + second);
    });
  await Promise.all([append("a", "b"), append("b", "a")]);
  assert.equal(await cache.get("k"), "abba");
});

Deno.test("16 times 1,000 concurrent update() calls count to 16,000", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let n = 0; n < 1000; n++) await cache.update("n", (value = 0) => value + 1);
  }));
  assert.equal(await cache.get("n"), 16_000);
});

Deno.test("a transaction that throws writes nothing and releases its key", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  await cache.set("a", 1);
  await assert.rejects(
    cache.transaction([["a"], ["b"]], async (tx) => {
      tx.set("a", 2);
      tx.set(["b"], 2);
      assert.deepEqual([await tx.get("a"), await cache.get("a")], [2, 1]);
      throw new Error("no");
    }),
    /no/,
  );
  assert.deepEqual(await Array.fromAsync(cache.entries()), [["a", 1]]);
  assert.equal(await cache.update("a", (value = 0) => value + 1), 2);
});

Deno.test("transactions that name the same keys in different orders do not deadlock", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  const keys = [["a"], ["b"], ["c"]];
  await Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      cache.transaction(n % 2 ? keys : keys.toReversed(), async (tx) => {
        for (const key of keys) tx.set(key, (await tx.get(key) ?? 0) + 1);
      })),
  );
  assert.deepEqual(await cache.getMany(keys), [60, 60, 60]);
});

Deno.test("a transaction runs again when a plain write changes a key that it has read", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  let runs = 0;
  await cache.transaction("n", async (tx) => {
    const n = await tx.get("n") ?? 0;
    if (runs++ === 0) await cache.set("n", 10);
    tx.set("n", n + 1);
  });
  assert.deepEqual([await cache.get("n"), runs], [11, 2]);
});

Deno.test("a nested transaction on the same key is an error, on another key it is not", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  await cache.transaction("a", async (tx) => {
    await assert.rejects(cache.update("a", () => 1), { code: "nested", message: /"a"/ });
    await cache.update("b", () => 1);
    tx.set("a", 2);
  });
  assert.deepEqual(await cache.getMany(["a", "b"]), [2, 1]);
  // A key that an outer transaction has released.
  let after!: Promise<number>;
  await cache.transaction("a", () => void (after = later(5).then(() => cache.update("a", () => 3))));
  assert.equal(await after, 3);
});

Deno.test("a transaction that takes too long rejects, and so does one that waits for it too long", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number>(store.path);
  const { promise, resolve } = Promise.withResolvers<void>();
  let late: unknown;
  const slow = cache.transaction("a", async (tx) => {
    await promise;
    try {
      tx.set("a", 1);
    } catch (error) {
      late = error;
    }
  }, { timeoutMs: 60 });
  const waiting = cache.update("a", () => 2, { timeoutMs: 20 });
  await assert.rejects(waiting, { code: "timeout" });
  await assert.rejects(slow, { code: "timeout", message: /"a".*60/ });
  resolve();
  await later();
  assert.match(String(late), /has ended/);
  assert.equal(await cache.update("a", (value) => value ?? 5), 5);
});

Deno.test("a transaction refuses keys that it does not name, and more writes than an atomic takes", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<number | string>(store.path);
  await assert.rejects(
    cache.transaction(["a", "b"], (tx) => tx.get("a")),
    /names \["a", "b"\], and its function uses "a".*\[\["a"\], \["b"\]\]/,
  );
  const keys = Array.from({ length: 1200 }, (_, n) => [n]);
  await assert.rejects(cache.transaction(keys, (tx) => keys.forEach((key) => tx.set(key, 1))), /one atomic/);
  assert.deepEqual(await Array.fromAsync(cache.keys()), []);
});

fileTest("a transaction on a shared file reads 97 keys, which an atomic can check, and refuses one more", async () => {
  await using store = await freshStore();
  await using cache = new Cache<number>(store.path, { shared: true, log: { limit: 10 } });
  const keys = Array.from({ length: 98 }, (_, n) => [n]);
  const copy = (count: number) =>
    cache.transaction(keys, async (tx) => {
      const values = await Promise.all(keys.slice(0, count).map((key) => tx.get(key)));
      tx.emit(keys[0]!, values.length);
    });
  await copy(97);
  await assert.rejects(copy(98), (error) => error instanceof RangeError && /can read 97 keys/.test(error.message));
  assert.equal(await cache.get(0), 97);
});
