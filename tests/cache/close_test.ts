import assert from "node:assert/strict";
import { Cache, CacheError } from "@slipstream/slipstream";
import { freshStore } from "../support/stores.ts";

const isClosed = (error: unknown) => error instanceof CacheError && error.code === "closed";

Deno.test("close() waits for writes and running transactions, and is idempotent", async () => {
  await using store = await freshStore();
  const { path } = store;
  const cache = new Cache<number>(path);
  const setting = cache.set("a", 1);
  const updating = cache.update("b", async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return 2;
  });
  await cache.has("open"); // the transaction has begun
  await Promise.all([cache.close(), cache.close()]);
  await Promise.all([setting, updating]);
  await assert.rejects(cache.get("a"), isClosed);
  await assert.rejects(cache.set("a", 2), isClosed);
  await assert.rejects(cache.update("a", () => 2), isClosed);
  await assert.rejects(Array.fromAsync(cache.keys()), isClosed);
  await assert.rejects(Array.fromAsync(cache.updates()), isClosed);
  await using again = new Cache<number>(path);
  assert.deepEqual(await again.getMany(["a", "b"]), [1, 2]);
});

Deno.test('a scan, a read and a transaction that close() interrupts reject with "closed"', async () => {
  await using store = await freshStore();
  const cache = new Cache<number>(store.path);
  await Promise.all(Array.from({ length: 2000 }, (_, n) => cache.set(n, n)));
  const seen: unknown[] = [];
  await assert.rejects(async () => {
    for await (const key of cache.keys()) {
      if (seen.push(key) === 3) await cache.close();
    }
  }, isClosed);
  assert.equal(seen.length, 3);

  const other = new Cache<number>(store.path, { prefix: "other" });
  await assert.rejects(
    other.transaction("a", async (tx) => {
      await other.close();
      tx.set("a", 1);
    }),
    isClosed,
  );
});

Deno.test("an abandoned scan does not make later commits read entries for it", async () => {
  await using store = await freshStore("memory");
  await using cache = new Cache<Uint8Array>(store.path);
  await Promise.all(Array.from({ length: 1000 }, (_, n) => cache.set(n, new Uint8Array(10))));
  const collected = Promise.withResolvers<void>();
  const registry = new FinalizationRegistry(() => collected.resolve());
  await (async () => {
    const scan = cache.keys();
    registry.register(scan, undefined);
    await scan.next();
  })();
  let gone = false;
  void collected.promise.then(() => gone = true);
  // Wait until the garbage collector runs.
  for (let round = 0; !gone && round < 500; round++) {
    await cache.set(round, new Uint8Array(1_000_000));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.ok(gone, "an abandoned scan is held");
});
