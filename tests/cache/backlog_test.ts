import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { Cache } from "../../src/cache/cache.ts";
import type { CacheInput } from "../../src/cache/cache_input.ts";
import { checkOptions } from "../../src/cache/cache_options.ts";
import type { Engine } from "../../src/cache/engine/engine.ts";
import { openEngine } from "../../src/cache/engine/open_engine.ts";
import { registerStore } from "../support/registered_store.ts";
import { openSink } from "../../src/protocol/protocol.ts";
import { MemoryKv } from "../support/memory_kv.ts";

const BOUND = 32 * 1024 * 1024;
const delivery = { undelivered() {} };
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A Cache on a disk that makes no commit until the test lets it. */
async function standingStill<V>(test: (cache: Cache<V>, engine: Engine, goOn: () => void) => Promise<void>) {
  const { promise, resolve } = Promise.withResolvers<"made">();
  let opened = false;
  const disk = new MemoryKv({ onCommit: () => opened ? promise : "made" });
  using store = registerStore("standing still", () => disk.open());
  await using cache = new Cache<V>(store.path, { memoryBytes: 1_000_000 });
  const { engine, release } = await openEngine(store.path, checkOptions(store.path, { memoryBytes: 1_000_000 }));
  await cache.has("open");
  opened = true;
  try {
    await test(cache, engine, () => resolve("made"));
  } finally {
    resolve("made");
    await release();
  }
}

/** How many writes a sink takes before it makes its user wait. */
function fill<V>(
  cache: Cache<V>,
  input: (n: number) => CacheInput<V>,
  most = 1_000_000,
): { count: number; room: unknown } {
  const writer = cache[openSink]();
  for (let count = 1; count <= most; count++) {
    const room = writer.accept(input(count), delivery);
    if (room !== undefined) return { count, room };
  }
  return { count: most, room: undefined };
}

Deno.test("a sink makes its user wait once 32 MB or 50,000 writes wait for the disk, small and large values alike", async () => {
  for (const size of [20, 10_000, 60_000, 200_000, 3_000_000]) {
    await standingStill<Uint8Array>(async (cache, engine, goOn) => {
      const value = new Uint8Array(size);
      const { count, room } = fill(cache, (n) => [n, value]);
      assert.ok(count === 50_000 || count * size <= BOUND + size, `${count} of ${size} bytes were taken`);
      assert.ok(engine.groups.bytes <= BOUND + size + 2_000 && engine.groups.bytes >= count * size);
      goOn();
      await room;
      assert.ok(engine.groups.bytes < BOUND);
    });
  }
});

Deno.test("a published value counts as waiting until it is on disk, also when a newer value of its key replaces it", async () => {
  await standingStill<Uint8Array>(async (cache, engine, goOn) => {
    const reader = cache.updates().getReader();
    await turn();
    const value = new Uint8Array(50_000);
    const { count, room } = fill(cache, () => ["same", value]);
    assert.ok(count * value.length <= BOUND + value.length, `${count} were taken`);
    assert.ok(engine.groups.bytes >= count * value.length);
    goOn();
    await room;
    await reader.cancel();
  });
  // Without readers of updates, a replaced value does not count. Only its write does.
  await standingStill<Uint8Array>((cache, engine) => {
    const value = new Uint8Array(50_000);
    assert.equal(fill(cache, () => ["same", value]).count, 50_000);
    assert.ok(engine.groups.bytes < 100_000);
    return Promise.resolve();
  });
});

Deno.test("a value that is larger than the limit on waiting bytes is accepted by itself", async () => {
  await standingStill<Uint8Array>(async (cache, engine, goOn) => {
    const { count, room } = fill(cache, (n) => [n, new Uint8Array(BOUND + 1_000_000)]);
    assert.equal(count, 1);
    goOn();
    await room;
    assert.equal(engine.groups.bytes, 0);
    assert.equal((await cache.get(1))!.length, BOUND + 1_000_000);
  });
});

Deno.test("deleteRange() and cache.writable wait for room", async () => {
  await standingStill<Uint8Array | string>(async (cache, engine, goOn) => {
    const { room } = fill(cache, (n) => [n, new Uint8Array(100_000)]);
    const before = engine.groups.bytes;
    const deleting = cache.deleteRange({});
    const writer = cache.writable.getWriter();
    const writing = Array.from({ length: 100 }, (_, n) => writer.write([`${n}`, "x".repeat(4000)]));
    for (let n = 0; n < 10; n++) await turn();
    // One write of each.
    assert.ok(engine.groups.bytes - before < 10_000, `${engine.groups.bytes - before} bytes more`);
    goOn();
    await Promise.all([room, deleting, ...writing]);
    assert.equal(engine.groups.bytes, 0);
  });
});
