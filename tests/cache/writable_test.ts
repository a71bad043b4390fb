import assert from "node:assert/strict";
import { Cache } from "../../src/cache/cache.ts";
import type { CacheInput } from "../../src/cache/cache_input.ts";
import { registerStore } from "../support/registered_store.ts";
import { type CommitFate, MemoryKv } from "../support/memory_kv.ts";

const FULL: CommitFate = { error: new Error("database or disk is full") };

Deno.test("a write to cache.writable resolves when its value is on disk", async () => {
  const disk = new MemoryKv();
  using store = registerStore("on disk", () => disk.open());
  await using cache = new Cache<number>(store.path);
  const updates = cache.updates().getReader();
  const writer = cache.writable.getWriter();
  for (let n = 0; n < 20; n++) {
    await writer.write(n % 2 ? ["a", n] : { key: "a", value: n });
    assert.equal(disk.entries()[0]!.value, n);
  }
  await writer.write(["a", null]);
  assert.deepEqual(disk.entries(), []);
  await updates.cancel();
});

Deno.test("a pipe into cache.writable rejects when the disk is full, and has read no value ahead", async () => {
  let full = false;
  const disk = new MemoryKv({ onCommit: () => full ? FULL : "made" });
  using store = registerStore("full", () => disk.open());
  await using cache = new Cache<number>(store.path);
  let [given, cancelled] = [0, false];
  const endless = new ReadableStream<CacheInput<number>>({
    pull(controller) {
      if (given === 10) full = true;
      controller.enqueue([given, given++]);
    },
    cancel: () => void (cancelled = true),
  }, { highWaterMark: 0 });
  await assert.rejects(endless.pipeTo(cache.writable), /disk is full/);
  assert.equal(cancelled, true);
  const there = disk.entries().length;
  assert.ok(there >= 9 && given - there <= 2, `${there} of ${given} are on disk`);
  full = false;
});

Deno.test("cache.writable returns a new stream after the old one was closed, aborted or has failed", async () => {
  let full = false;
  const disk = new MemoryKv({ onCommit: () => full ? FULL : "made" });
  using store = registerStore("clean", () => disk.open());
  await using cache = new Cache<unknown>(store.path);
  const first = cache.writable;
  assert.equal(cache.writable, first);
  await ReadableStream.from([["a", 1], ["b", 2]] as CacheInput<unknown>[]).pipeTo(first);
  await ReadableStream.from([["c", 3]] as CacheInput<unknown>[]).pipeTo(cache.writable);
  for (const wrong of [["d", 1, 2], ["d", () => {}]]) {
    const writer = cache.writable.getWriter();
    await assert.rejects(writer.write(wrong as never), TypeError);
    await assert.rejects(writer.closed, TypeError);
  }
  full = true;
  const failing = cache.writable.getWriter();
  await assert.rejects(failing.write(["d", 4]), /full/);
  await assert.rejects(failing.closed, /full/);
  full = false;
  const aborted = cache.writable.getWriter();
  void aborted.closed.catch(() => {});
  await aborted.write(["e", 5]);
  await aborted.abort(new Error("enough"));
  const last = cache.writable.getWriter();
  await last.write(["f", 6]);
  await last.close();
  assert.deepEqual(disk.entries().map(({ value }) => value), [1, 2, 3, 5, 6]);
});
