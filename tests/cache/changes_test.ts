import assert from "node:assert/strict";
import { Cache } from "../../src/cache/cache.ts";
import type { CacheChange } from "../../src/cache/cache_change.ts";
import { openEngine } from "../../src/cache/engine/open_engine.ts";
import { type CacheOptions, checkOptions } from "../../src/cache/cache_options.ts";
import { registerStore } from "../support/registered_store.ts";
import { MemoryKv } from "../support/memory_kv.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

type ChangeReader = ReadableStream<CacheChange<number>>;

/** Reads changes until one passes a test, and cancels the stream. */
async function readUntil(changes: ChangeReader, isLast: (change: CacheChange<number>) => boolean) {
  const found: CacheChange<number>[] = [];
  for await (const change of changes) {
    found.push(change);
    if (isLast(change)) break;
  }
  return found;
}

const isLive = ({ type }: CacheChange<number>) => type === "live";
const isEnd = (change: CacheChange<number>) => change.type === "update" && change.update[0] === "end";
/** A change in short: its type, and its key and value or reason. */
const short = (change: CacheChange<number>) =>
  "update" in change
    ? [change.type, change.update[0], change.update[1]]
    : change.type === "gap"
    ? ["gap", change.reason]
    : [change.type];

async function temporary(): Promise<string> {
  return `${await Deno.makeTempDir()}/cache`;
}

Deno.test("changes() resumes behind an id, in any Cache of the store, and reports a gap in any other log", async () => {
  const log = { limit: 100 };
  const path = await temporary();
  let id: string;
  {
    await using cache = new Cache<number>(path, { log });
    for (let n = 1; n <= 3; n++) await cache.emit("k", n);
    const [live] = await readUntil(cache.changes(), isLive);
    id = live!.id!;
    for (let n = 4; n <= 5; n++) await cache.emit("k", n);
  }
  await using cache = new Cache<number>(path, { log });
  const found = await readUntil(cache.changes({ after: id }), isLive);
  assert.deepEqual(found.map(short), [["update", "k", 4], ["update", "k", 5], ["live"]]);
  assert.equal(found.at(-1)!.id, found.at(-2)!.id);

  // The numbers exist under another prefix, in another file, and in a new file of the same name too.
  const others: [string, CacheOptions][] = [[path, { prefix: "other", log }], [await temporary(), { log }]];
  for (const [path, options] of others) {
    await using other = new Cache<number>(path, options);
    for (let n = 1; n <= 5; n++) await other.emit("k", 10 * n);
    const all = [["gap", "other-log"], ...[10, 20, 30, 40, 50].map((n) => ["update", "k", n]), ["live"]];
    for (const after of [id, "3", "no id", `${"0".repeat(400)}-1`]) {
      assert.deepEqual((await readUntil(other.changes({ after }), isLive)).map(short), all);
    }
    // The gap is reported once.
    const [gap] = await readUntil(other.changes({ after: id }), ({ type }) => type === "gap");
    const again = await readUntil(other.changes({ after: gap!.id! }), isLive);
    assert.deepEqual(again.map(short), all.slice(1));
  }
  await cache.close();
  await Deno.remove(path);
  await using wiped = new Cache<number>(path, { log });
  for (let n = 1; n <= 4; n++) await wiped.emit("k", 100 * n);
  const [gap, first] = await readUntil(wiped.changes({ after: id }), isLive);
  assert.deepEqual([short(gap!), short(first!)], [["gap", "other-log"], ["update", "k", 100]]);
});

Deno.test("changes() reports a gap where the log was trimmed, at the start and while reading, and goes on", async () => {
  await using cache = new Cache<number>(":memory:", { log: { limit: 3 } });
  const beginning = (await readUntil(cache.changes(), isLive))[0]!.id!;
  const slow = cache.changes({ after: beginning }).getReader();
  assert.deepEqual(short((await slow.read()).value!), ["live"]);
  await cache.emit("k", 1);
  assert.deepEqual(short((await slow.read()).value!), ["update", "k", 1]);
  for (let n = 2; n <= 6; n++) await cache.emit("k", n);
  const rest = [["gap", "trimmed"], ["update", "k", 4], ["update", "k", 5], ["update", "k", 6]];
  for (const expected of rest) assert.deepEqual(short((await slow.read()).value!), expected);
  await slow.cancel();
  const late = await readUntil(cache.changes({ after: beginning }), isLive);
  assert.deepEqual(late.map(short), [...rest, ["live"]]);
  const snapshot = await readUntil(cache.changes({ after: beginning, snapshot: true }), isLive);
  assert.deepEqual(snapshot.map(short), [["gap", "trimmed"], ["snapshot"], ["entry", "k", 6], ["live"]]);
  // A client that is cut off before it has the whole snapshot must not resume behind it.
  assert.deepEqual(snapshot.map(({ id }) => id === undefined), [true, true, true, false]);
});

Deno.test("changes() reports a gap when another process wipes the store", async () => {
  const disk = new MemoryKv();
  using store = registerStore("wiped", () => disk.open());
  await using cache = new Cache<number>(store.path, { shared: true, log: { limit: 10 } });
  await cache.emit("k", 1);
  const changes = cache.changes().getReader();
  assert.deepEqual(short((await changes.read()).value!), ["live"]);
  const kv = disk.open();
  for await (const { key } of kv.list({ prefix: [""] })) await kv.delete(key);
  const next = changes.read();
  await cache.emit("k", 2);
  const found = [short((await next).value!), short((await changes.read()).value!)];
  // In between, the store may be empty, which is another log too.
  if (found[1]![0] === "gap") found.splice(0, 2, found[1]!, short((await changes.read()).value!));
  assert.deepEqual(found, [["gap", "other-log"], ["update", "k", 2]]);
  await changes.cancel();
});

Deno.test("changes() without a log has a gap where a slow reader has lost updates, and then a snapshot", async () => {
  await using cache = new Cache<number>(":memory:");
  const changes = cache.changes({ snapshot: true }).getReader();
  assert.deepEqual(short((await changes.read()).value!), ["snapshot"]);
  assert.deepEqual(short((await changes.read()).value!), ["live"]);
  await Promise.all(Array.from({ length: 5000 }, (_, n) => cache.emit(n, n)));
  const seen = new Set<unknown>();
  const types = new Set<string>();
  for (let change = (await changes.read()).value!; !isLive(change); change = (await changes.read()).value!) {
    types.add(change.type);
    if (change.type === "entry") seen.add(change.update[0]);
  }
  assert.deepEqual([seen.size, [...types]], [5000, ["gap", "snapshot", "entry"]]);
  await changes.cancel();
});

const KEYS = 300;

for (const shared of [false, true]) {
  for (const log of [undefined, { limit: 100_000 }]) {
    const how = `${shared ? "shared" : "owned"}, ${log === undefined ? "without" : "with"} a log`;
    Deno.test(`a snapshot during writes misses no update and shows none twice (${how})`, async () => {
      const random = new Random(SEED, how), path = await temporary();
      const options = { shared, ...(log && { log }) };
      await using cache = new Cache<number>(path, options);
      await using elsewhere = new Cache<number>(path, { ...options, prefix: "elsewhere" });
      const next = new Map<string, number>();
      const emit = async (key: string) => {
        const n = (next.get(key) ?? 0) + 1;
        next.set(key, n);
        // Also in transactions, which a shared store commits beside the groups.
        if (n % 5 === 0) await cache.transaction(["in", key], (tx) => tx.emit(["in", key], n));
        else await Promise.all([cache.emit(["in", key], n), cache.emit(["out", key], n)]);
      };
      await Promise.all(Array.from({ length: KEYS }, (_, n) => emit(`${n}`)));
      let stopped = false;
      const writing = Array.from({ length: 10 }, async (_, writer) => {
        while (!stopped) {
          await emit(`${writer + 10 * Math.floor(random.next() * KEYS / 10)}`);
          await elsewhere.emit(["in", "1"], -1);
        }
      });
      // Several readers, some of them slow.
      const clients = Array.from({ length: 6 }, async (_, client) => {
        await new Promise((resolve) => setTimeout(resolve, 20 * client));
        const latest = new Map<unknown, number>();
        let count = 0;
        for await (const change of cache.changes({ prefix: "in", snapshot: true })) {
          if (client % 2 === 1 && ++count % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
          if (!("update" in change)) continue;
          const [[place, key], value] = change.update as readonly [readonly string[], number, number | undefined];
          if (key === "end") break;
          const before = latest.get(key);
          assert.equal(place, "in");
          if (change.type === "entry") assert.equal(before, undefined, "an entry comes once");
          // Each update adds one, so a missed or repeated update shows.
          else assert.equal(value, before === undefined ? value : before + 1, `${key} was ${before}`);
          latest.set(key, value!);
        }
        return latest;
      });
      await new Promise((resolve) => setTimeout(resolve, 400));
      stopped = true;
      await Promise.all(writing);
      await cache.emit(["in", "end"], 0);
      for (const latest of await Promise.all(clients)) {
        assert.deepEqual(latest, new Map([...latest.keys()].map((key) => [key, next.get(key as string)!])));
      }
      for (const latest of await Promise.all(clients)) assert.equal(latest.size, KEYS);
    });
  }
}

Deno.test("a snapshot includes large values and the key that equals the prefix, and no expired or removed entries", async () => {
  const path = await temporary();
  await using cache = new Cache<number | Uint8Array>(path, { log: { limit: 10 } });
  const large = new Uint8Array(300_000).fill(7);
  await cache.set("a", 1);
  await cache.set(["a", 1], large);
  await cache.set(["a", 2], 2, { expireInMs: 1 });
  await cache.emit(["a", 3], 3);
  await cache.delete(["a", 3]);
  await cache.set("ab", 4);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const found: unknown[] = [];
  for await (const change of cache.changes({ prefix: "a", snapshot: true })) {
    if (change.type === "live") break;
    if (change.type === "entry") found.push(change.update);
  }
  assert.deepEqual(found, [["a", 1, undefined], [["a", 1], large, undefined]]);
});

Deno.test("cancelling updates() or changes() releases the reader at once: while idle, before the first read, while opening", async () => {
  const path = await temporary();
  for (const options of [{}, { log: { limit: 10 } }, { log: { limit: 10 }, shared: true }]) {
    const file = `${path}${Object.keys(options).length}`;
    await using cache = new Cache<number>(file, options);
    const streams = () => [cache.updates(), cache.changes(), cache.changes({ snapshot: true })];
    // The store is not open yet.
    await Promise.all(streams().map((stream) => stream.cancel()));
    await cache.emit("a", 1);
    await Promise.all(streams().map((stream) => stream.cancel()));
    for (const stream of streams()) {
      const reader = (stream as ReadableStream<unknown>).getReader();
      const reading = reader.read();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await reader.cancel();
      await reading;
    }
    const { engine, release } = await openEngine(file, checkOptions(file, options));
    assert.equal(engine.updates.hasReaders, false);
    await release();
  }
});

Deno.test("changes() refuses an id without a log, and ends when the Cache is closed", async () => {
  const cache = new Cache<number>(":memory:");
  assert.throws(() => cache.changes({ after: "a-1" }), /needs a log/);
  const reading = readUntil(cache.changes({ snapshot: true }), isEnd);
  await cache.has("open");
  await cache.close();
  await reading;
  await assert.rejects(cache.changes().getReader().read(), { name: "CacheError", code: "closed" });
});

/** A store whose commits take effect at once, and are answered when `late.until` resolves. */
function lateStore(late: { until: Promise<unknown> }) {
  const disk = new MemoryKv();
  const store = registerStore("answers late", () => {
    const kv = disk.open();
    const { atomic } = kv;
    return Object.assign(kv, {
      atomic: () => {
        const operation = atomic.call(kv);
        const commit = operation.commit.bind(operation);
        return Object.assign(operation, { commit: () => commit().then((made) => late.until.then(() => made)) });
      },
    });
  });
  return { disk, store };
}

Deno.test("a snapshot that shows a commit leaves out its update, however late the commit is answered", async () => {
  const answer = { until: Promise.resolve() as Promise<unknown> };
  const { disk, store: registered } = lateStore(answer);
  using store = registered;
  using same = registerStore("the same disk", () => disk.open());
  await using cache = new Cache<number>(store.path, { shared: true });
  await using elsewhere = new Cache<number>(same.path, { shared: true });
  for (const how of ["emit", "transaction"]) {
    await cache.set("k", 0);
    const changes = cache.changes({ snapshot: true }).getReader();
    assert.deepEqual(short((await changes.read()).value!), ["snapshot"]);
    const late = Promise.withResolvers<void>();
    answer.until = late.promise;
    const emitting = how === "emit" ? cache.emit("k", 1) : cache.transaction(["k"], (tx) => tx.emit("k", 1));
    while (await elsewhere.get("k") !== 1) await new Promise((resolve) => setTimeout(resolve, 1));
    await elsewhere.set("k", 2);
    assert.deepEqual(short((await changes.read()).value!), ["entry", "k", 2]);
    const next = changes.read();
    await new Promise((resolve) => setTimeout(resolve, 5));
    late.resolve();
    await emitting;
    await cache.emit("end", 0);
    // Not the 1, which is older than the entry.
    assert.deepEqual([short((await next).value!), short((await changes.read()).value!)], [["live"], [
      "update",
      "end",
      0,
    ]]);
    await changes.cancel();
    await cache.delete("end");
  }
});

Deno.test("a snapshot of an owned store with a log is read once, however late a commit before it is answered", async () => {
  const answer = { until: Promise.resolve() as Promise<unknown> };
  const { store: registered } = lateStore(answer);
  using store = registered;
  await using cache = new Cache<number>(store.path, { log: { limit: 10 } });
  await cache.emit("a", 1);
  await cache.emit("b", 1);
  const late = Promise.withResolvers<void>();
  answer.until = late.promise;
  const emitting = cache.emit("a", 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const seen: unknown[] = [];
  const clients = [0, 1].map(async () => {
    for await (const change of cache.changes({ snapshot: true })) {
      if (change.type === "live") await new Promise((resolve) => setTimeout(resolve, 20));
      seen.push(short(change));
      if ("update" in change && change.update[0] === "end") return;
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  late.resolve();
  await emitting;
  await new Promise((resolve) => setTimeout(resolve, 50));
  await cache.emit("end", 0);
  await Promise.all(clients);
  const of = (type: string) => seen.filter((one) => (one as unknown[])[0] === type).length;
  assert.deepEqual([of("snapshot"), of("gap"), of("entry")], [2, 0, 4]);
});
