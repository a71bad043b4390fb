import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { Cache } from "../../src/cache/cache.ts";
import { registerStore } from "../support/registered_store.ts";
import { openSink } from "../../src/protocol/protocol.ts";
import { MemoryKv } from "../support/memory_kv.ts";

Deno.test("registerStore() makes Caches of its path share a store and open it again", async () => {
  const disk = new MemoryKv();
  let opened = 0;
  using store = registerStore("shared by two", () => (opened++, disk.open()));
  assert.throws(() => registerStore("shared by two", () => disk.open()), /registered/);
  {
    await using one = new Cache<number>(store.path);
    await using two = new Cache<number>(store.path);
    await using other = new Cache<number>(store.path, { prefix: "other" });
    await one.set("a", 1);
    await other.set("a", 2);
    assert.equal(await two.get("a"), 1);
  }
  await using again = new Cache<number>(store.path, { shared: true });
  assert.equal(await again.get("a"), 1);
  assert.equal(opened, 2);
});

Deno.test("an unregistered store is forgotten together with its Caches", async () => {
  const disk = new MemoryKv({ onCommit: () => "never" });
  const store = registerStore("crashed", () => disk.open());
  const crashed = new Cache<number>(store.path);
  void crashed.set("a", 1);
  await crashed.has("b");
  store[Symbol.dispose]();
  const next = new MemoryKv({ from: disk.snapshot() });
  using again = registerStore("crashed", () => next.open());
  await using cache = new Cache<number>(again.path);
  assert.equal(await cache.get("a"), undefined);
  await cache.set("a", 2);
  assert.equal(next.entries().length, 1);
});

Deno.test("a Cache on a store in memory sets no timer to open, write, read, list, update and close", async () => {
  const clock = FakeTimers.install({ toFake: ["Date", "setTimeout", "clearTimeout", "setImmediate", "setInterval"] });
  try {
    for (const shared of [false, true]) {
      const disk = new MemoryKv();
      using store = registerStore("virtual time", () => disk.open());
      const cache = new Cache<number>(store.path, { shared, log: { limit: 10 } });
      await cache.set("a", 1);
      await cache.update("a", (value = 0) => value + 1);
      await cache.transaction([["a"], ["b"]], async (tx) => tx.emit("b", (await tx.get("a"))! + 1));
      const writer = cache[openSink]();
      const delivery = { undelivered() {} };
      await writer.accept(["c", 4], delivery);
      await writer.settle(delivery);
      await cache.set("d", 5, { expireInMs: 1000 });
      assert.deepEqual(await Array.fromAsync(cache.entries()), [["a", 2], ["b", 3], ["c", 4], ["d", 5]]);
      clock.tick(1000);
      assert.equal(await cache.get("d"), undefined);
      await cache.close();
    }
    assert.equal(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});
