import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { Cache } from "../../src/cache/cache.ts";
import type { CacheInput } from "../../src/cache/cache_input.ts";
import { checkOptions } from "../../src/cache/cache_options.ts";
import { CacheError } from "../../src/cache/cache_error.ts";
import { openEngine } from "../../src/cache/engine/open_engine.ts";
import { registerStore } from "../support/registered_store.ts";
import { type Delivery, openSink } from "../../src/protocol/protocol.ts";
import { type CommitFate, MemoryKv } from "../support/memory_kv.ts";

const delivery = (): Delivery => ({ undelivered() {} });

/** A writer that is used without deliveries. */
interface Own {
  accept(input: CacheInput<unknown>, delivery?: Delivery): void | Promise<void>;
  settle(delivery?: Delivery): void | Promise<void>;
}

/** Whether a promise settles within some turns of the event loop. Each commit waits for the test. */
async function outcome(asked: void | Promise<void>): Promise<"settled" | "failed" | "pending"> {
  let found: "settled" | "failed" | "pending" = "pending";
  void Promise.resolve(asked).then(() => found = "settled", () => found = "failed");
  await turns();
  return found;
}

async function turns(count = 4): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
}

/** A Cache whose commits the test ends. */
async function manual(name: string) {
  const waiting: ((fate: CommitFate) => void)[] = [];
  let opened = false;
  const disk = new MemoryKv({
    onCommit: () => opened ? new Promise((resolve) => waiting.push(resolve)) : "made",
  });
  const store = registerStore(name, () => disk.open());
  const cache = new Cache<unknown>(store.path);
  await cache.has("open");
  opened = true;
  return {
    cache,
    disk,
    path: store.path,
    commits: waiting,
    /** Ends the commit that is under way. */
    end: async (fate: CommitFate = "made") => {
      await turns();
      assert.equal(waiting.length, 1, "no commit is under way");
      waiting.shift()!(fate);
      await turns();
    },
    [Symbol.asyncDispose]: async () => {
      disk.crashAndReject(new Error("over"));
      await cache.close();
      store[Symbol.dispose]();
    },
  };
}

const FULL: CommitFate = { error: new Error("database or disk is full") };

Deno.test("settle() depends on its delivery alone, whoever else writes, and gives the same answer each time", async () => {
  await using store = await manual("settle");
  const [one, two] = [store.cache[openSink](), store.cache[openSink]()];
  const [a, b, c, none] = [delivery(), delivery(), delivery(), delivery()];
  one.accept(["a", 1], a);
  await turns(); // the first group is being committed, and fails
  one.accept(["b", 1], b);
  two.accept(["c", 1], c);
  const early = one.settle(a);
  assert.equal(await outcome(one.settle(b)), "pending");
  await store.end(FULL);
  assert.equal(await outcome(early), "failed");
  for (let n = 0; n < 3; n++) assert.equal(await outcome(one.settle(a)), "failed");
  assert.equal(await outcome(one.settle(b)), "pending");
  assert.equal(await outcome(two.settle(c)), "pending");
  await store.end();
  assert.equal(await outcome(one.settle(a)), "failed");
  assert.equal(await outcome(one.settle(b)), "settled");
  assert.equal(await outcome(two.settle(c)), "settled");
  // A delivery without values has settled.
  assert.equal(one.settle(none), undefined);
  assert.equal(one.settle(c), undefined);
  // A failed delivery stays failed, whatever is accepted for it later.
  one.accept(["a", 2], a);
  await store.end();
  assert.equal(await outcome(one.settle(a)), "failed");
});

Deno.test("a failed commit rejects every delivery with a value in it, and no other", async () => {
  await using store = await manual("two writers");
  const writers = [store.cache[openSink](), new Cache(store.path)[openSink]()];
  const shared = delivery();
  for (const [n, writer] of writers.entries()) await writer.accept([n, 1], shared);
  const setting = store.cache.set("other", 1);
  const failed = assert.rejects(setting, /full/);
  await store.end(FULL);
  await failed;
  for (const writer of writers) assert.equal(await outcome(writer.settle(shared)), "failed");
  assert.equal(await outcome(store.cache[openSink]().settle(shared)), "settled");
});

Deno.test("a delivery over several commits settles after the last; without a delivery, all values of a writer are one", async () => {
  await using store = await manual("several");
  const writer = store.cache[openSink]() as Own;
  const first = delivery();
  writer.accept(["a", 1], first);
  await turns();
  writer.accept(["b", 1], first);
  writer.accept(["c", 1]);
  await store.end();
  assert.equal(await outcome(writer.settle(first)), "pending");
  assert.equal(await outcome(writer.settle()), "pending");
  await store.end();
  assert.equal(await outcome(writer.settle(first)), "settled");
  assert.equal(await outcome(writer.settle()), "settled");
  writer.accept(["c", 2]);
  await store.end(FULL);
  assert.equal(await outcome(writer.settle()), "failed");
  assert.equal(await outcome(writer.settle(first)), "settled");
});

Deno.test("a writer that never settles holds no memory for values on disk", async () => {
  using store = registerStore("flat", () => new MemoryKv().open());
  await using cache = new Cache<number>(store.path);
  const { engine, release } = await openEngine(store.path, checkOptions(store.path, {}));
  const groups = new WeakSet<object>();
  let [made, collected] = [0, 0];
  const registry = new FinalizationRegistry(() => collected++);
  const write = engine.write.bind(engine);
  engine.write = (writes, updates) => {
    const group = write(writes, updates);
    if (!groups.has(group) && groups.add(group)) registry.register(group, made++);
    return group;
  };
  const [writer, mine] = [cache[openSink](), delivery()];
  const pipe = cache.writable.getWriter();
  for (let n = 0; n < 100; n++) {
    writer.accept([n, n], mine);
    if (n % 2) await pipe.write([n, n]);
    else await cache.set("flush", n);
  }
  await pipe.close();
  const before = made;
  // Wait until the garbage collector runs.
  for (let round = 0; collected < before && round < 500; round++) {
    await cache.set(round % 10, round);
    new Uint8Array(5_000_000).fill(1);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.ok(before >= 100 && collected >= before, `${collected} of ${before} commits were let go`);
  assert.equal(writer.settle(mine), undefined);
  await release();
});

Deno.test("the errors of a closed Cache and of a store that can't be opened are fatal; that of a value is not", async () => {
  const cache = new Cache(":memory:");
  await cache.set("a", 1);
  const writer = cache[openSink]();
  const over = await cache.transaction("a", (tx) => tx);
  await assert.rejects(over.get("a"), { code: "over", fatal: false });
  await assert.rejects(cache.transaction("a", () => cache.update("a", () => 1)), { code: "nested", fatal: false });
  await cache.close();
  await assert.rejects(async () => await writer.accept(["a", 1], delivery()), { code: "closed", fatal: true });
  await assert.rejects(cache.set("a", 1), { code: "closed", fatal: true });
  await assert.rejects(new Cache("/proc/nowhere/cache").get("a"), { code: "path", fatal: true });
  assert.equal(new CacheError("in-use", "").fatal, true);
});

Deno.test("writes made before the store is open are accepted in the order of the calls", async () => {
  for (let turns = 1; turns < 60; turns++) {
    using store = registerStore("order", () => new MemoryKv().open());
    const { engine, release } = await openEngine(store.path, checkOptions(store.path, {}));
    const accepted: unknown[] = [];
    const write = engine.write.bind(engine);
    engine.write = (writes, updates) => (accepted.push(writes[0]!.stored!.data), write(writes, updates));
    const cache = new Cache<number>(store.path);
    const writer = cache[openSink]() as Own;
    let n = 0;
    const writing: unknown[] = [cache.set("a", ++n), writer.accept(["a", ++n]), cache.emit("a", ++n)];
    // One write comes just when the store has opened, before the waiting writes are accepted.
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    writing.push(
      writer.accept(["a", ++n]),
      cache.set("a", ++n),
      cache.get("a").then((found) => assert.equal(found, 5)),
    );
    await Promise.all(writing);
    assert.deepEqual(accepted, [1, 2, 3, 4, 5]);
    await cache.close();
    await release();
  }
});

Deno.test("a delivery does not settle while its value waits for the store to be opened", async () => {
  const disk = new MemoryKv();
  using store = registerStore("settles-when-open", () => disk.open());
  await using cache = new Cache<unknown>(store.path);
  const writer = cache[openSink](), of = delivery();
  const accepted = writer.accept(["k", 1], of);
  const settled = writer.settle(of);
  assert(settled instanceof Promise);
  await settled;
  assert.equal(disk.entries().length, 1);
  await accepted;
});
