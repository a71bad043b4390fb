import assert from "node:assert/strict";
import type { CacheTransaction } from "@slipstream/slipstream";
import { openFaulty } from "../support/faulty_cache.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

const ofInjected = (error: unknown) => assert.match(String(error), /injected/);

Deno.test("whatever commits fail, the disk has exactly the acknowledged increments and transfers", async () => {
  const random = new Random(SEED, "commits that fail");
  let failed = 0;
  const { cache, kv } = await openFaulty((call) => {
    if (call === "commit" && random.next() < 0.3) return `injected ${++failed}`;
  });
  const counted = new Map<string, number>();
  const onDisk = async (key: string) => (await kv.get<number>(["", "v", key])).value ?? 0;
  const increments = async (key: string, times: number) => {
    for (let n = 0; n < times; n++) {
      await cache.update(key, (value = 0) => value + 1).then(() => {
        counted.set(key, (counted.get(key) ?? 0) + 1);
      }, ofInjected);
    }
  };
  const transfer = (from: string, to: string) => async (tx: CacheTransaction<number>) => {
    const [left, there] = [await tx.get(from) ?? 0, await tx.get(to) ?? 0];
    tx.set(from, left - 1);
    tx.set(to, there + 1);
  };
  const transfers = async (times: number) => {
    for (let n = 0; n < times; n++) {
      const [from, to] = ["x", "y", "z"].sort(() => random.next() - 0.5) as [string, string];
      await cache.transaction([[from], [to]], transfer(from, to)).catch(ofInjected);
    }
  };
  // Writes of others that share the commits.
  const noise = async (writer: number) => {
    for (let n = 0; n < 100; n++) await cache.set(`noise ${writer} ${n % 7}`, n).catch(ofInjected);
  };
  await Promise.all([
    ...Array.from({ length: 20 }, (_, n) => increments(`count ${n % 3}`, 60)),
    ...Array.from({ length: 8 }, () => transfers(40)),
    ...Array.from({ length: 8 }, (_, writer) => noise(writer)),
  ]);
  for (const [key, count] of counted) assert.equal(await onDisk(key), count, key);
  assert.equal(await onDisk("x") + await onDisk("y") + await onDisk("z"), 0);
  assert.deepEqual(await cache.getMany(counted.keys()), [...counted.values()]);
  assert.ok(failed > 10 && counted.size === 3, `${failed} commits failed`);
  await cache.close();
  kv.close();
});

Deno.test("what a transaction has read is on disk before or with what it writes, in whatever groups they wait", async () => {
  let commits = 0;
  const { cache, kv } = await openFaulty((call) => call === "commit" && ++commits === 2 ? "injected" : undefined);
  // The first group is full and has "to". The second group has "from", and fails.
  const first = cache.set("to", 0);
  const others = Array.from({ length: 499 }, (_, n) => cache.set(`${n}`, n));
  const second = cache.set("from", 5);
  const copy = cache.transaction([["from"], ["to"]], async (tx) => tx.set("to", await tx.get("from") ?? -1));
  await Promise.all([first, ...others]);
  await assert.rejects(second, /injected/);
  await assert.rejects(copy, /injected/);
  assert.equal((await kv.get(["", "v", "from"])).value, null);
  assert.equal((await kv.get(["", "v", "to"])).value, 0);
  await cache.close();
  kv.close();
});

Deno.test("transactions on one key that come together share a commit, in their order", async () => {
  let commits = 0;
  const { cache, kv } = await openFaulty((call) => void (call === "commit" && commits++));
  const order: number[] = [];
  const appended = Array.from({ length: 100 }, (_, n) =>
    cache.update("n", (value = 0) => {
      order.push(n);
      return value + 1;
    }));
  await Promise.all(appended);
  assert.deepEqual(order, Array.from({ length: 100 }, (_, n) => n));
  assert.equal((await kv.get(["", "v", "n"])).value, 100);
  assert.ok(commits < 10, `${commits} commits`);
  await cache.close();
  kv.close();
});

Deno.test("on a shared file, a call that finds the file locked is tried again, and nothing is lost or read twice", async () => {
  const random = new Random(SEED, "calls that find the file locked");
  let locked = 0;
  const { cache, kv } = await openFaulty<unknown>(() => {
    if (random.next() < 0.2) return `database is locked ${++locked}`;
  }, { shared: true, log: { limit: 1000 } });
  const big = new Uint8Array(200_000).fill(7);
  await Promise.all([
    ...Array.from({ length: 8 }, async (_, n) => {
      for (let m = 0; m < 10; m++) {
        await cache.set([n, m], m);
        await cache.update("count", (value) => (value as number ?? 0) + 1);
        assert.equal(await cache.get([n, m]), m);
      }
    }),
    cache.set("big", big),
    ...Array.from({ length: 20 }, (_, n) => cache.emit("emitted", n)),
  ]);
  assert.deepEqual(await cache.getMany(["count", "big"]), [80, big]);
  for (const reverse of [false, true]) {
    const keys = await Array.fromAsync(cache.keys({ reverse }));
    assert.equal(keys.length, 83);
    assert.equal(new Set(keys.map((key) => Deno.inspect(key))).size, 83);
  }
  assert.equal((await Array.fromAsync(cache.keys({ limit: 50 }))).length, 50);
  const reader = cache.updates({ from: 1 }).getReader();
  for (let n = 0; n < 20; n++) assert.deepEqual((await reader.read()).value, ["emitted", n, n + 1]);
  await reader.cancel();
  await cache.clear();
  assert.deepEqual((await Array.fromAsync(kv.list({ prefix: ["", "c"] }))).length, 0);
  assert.ok(locked > 50, `${locked} calls`);
  await cache.close();
  kv.close();
});

Deno.test("after a failed commit a large value is there as a whole or not at all, also if the commit took effect", async () => {
  for (const shared of [false, true]) {
    for (const message of ["injected", "after"]) {
      for (let failing = 1; failing <= 5; failing++) {
        let commits = 0;
        const { cache, kv } = await openFaulty<Uint8Array>(
          (call) => call === "commit" && ++commits === failing ? message : undefined,
          { shared, memoryBytes: 0 },
        );
        const values = [1, 2].map((n) => new Uint8Array(200_000).fill(n));
        const outcomes = [];
        for (const value of values) outcomes.push(await cache.set("k", value).then(() => true, () => false));
        const found = await cache.get("k");
        const nth = values.findIndex((value) => value[0] === found?.[0]);
        assert.deepEqual(found, values[nth]);
        // An acknowledged write is there. Another one may be, if its commit took effect.
        const last = outcomes.lastIndexOf(true);
        assert.ok(nth === last || (message === "after" && nth > last), `${nth} is there, of ${outcomes}`);
        await cache.set("k", new Uint8Array(1));
        await cache.close();
        assert.deepEqual((await Array.fromAsync(kv.list({ prefix: [] }))).map(({ key }) => key), [["", "l"], [
          "",
          "v",
          "k",
        ]]);
        kv.close();
      }
    }
  }
});

Deno.test("a log goes on numbering behind an update whose commit took effect although it failed", async () => {
  for (const message of ["injected", "after"]) {
    let fails = false;
    const { cache, kv } = await openFaulty(
      (call) => call === "commit" && fails ? message : undefined,
      { log: { limit: 10 } },
    );
    await cache.emit("k", 1);
    fails = true;
    await assert.rejects(cache.emit("k", 2));
    fails = false;
    await cache.emit("k", 3);
    const reader = cache.updates({ from: 1 }).getReader();
    const seen = [];
    while (seen.at(-1)?.[0] !== 3) seen.push((await reader.read()).value!.slice(1));
    assert.deepEqual(seen, message === "after" ? [[1, 1], [2, 2], [3, 3]] : [[1, 1], [3, 2]]);
    await reader.cancel();
    await cache.close();
    kv.close();
  }
});

Deno.test("a read rejects when a chunk of the value is missing, and does not search for ever", async () => {
  const { cache, kv } = await openFaulty<Uint8Array>(() => undefined, { memoryBytes: 0 });
  await cache.set("k", new Uint8Array(200_000));
  for await (const { key } of kv.list({ prefix: ["", "c"] })) {
    await kv.delete(key);
    break;
  }
  await assert.rejects(cache.get("k"), /chunk of the value of \["k"\] is missing/);
  await assert.rejects(Array.fromAsync(cache.values()), /missing/);
  assert.deepEqual(await Array.fromAsync(cache.keys()), ["k"]);
  await cache.set("k", new Uint8Array(1));
  assert.equal((await cache.get("k"))!.length, 1);
  await cache.close();
  kv.close();
});

Deno.test("on a remote store, a commit that is sent again because its answer was lost takes effect once", async () => {
  let commits = 0;
  const { cache, kv } = await openFaulty<unknown>(
    (call) => call === "commit" && ++commits % 2 === 0 ? "resent" : undefined,
    { log: { limit: 1000 } },
    "http://store.test",
  );
  const big = new Uint8Array(200_000).fill(7);
  await Promise.all([
    ...Array.from({ length: 20 }, (_, n) => cache.update(`count ${n % 2}`, (value) => (value as number ?? 0) + 1)),
    ...Array.from({ length: 20 }, (_, n) => cache.emit("emitted", n)),
    ...Array.from({ length: 5 }, (_, n) => cache.transaction(["tx"], (tx) => tx.emit(["tx"], n))),
    cache.set("big", big),
  ]);
  assert.deepEqual(await cache.getMany(["count 0", "count 1", "emitted", "big"]), [10, 10, 19, big]);
  const log = cache.updates({ from: 1 }).getReader();
  const logged = new Map<unknown, unknown[]>([["emitted", []], ["tx", []]]);
  for (let sequence = 1; sequence <= 25; sequence++) {
    const [key, value, number] = (await log.read()).value!;
    assert.equal(number, sequence);
    logged.get(key)!.push(value);
  }
  assert.deepEqual(logged.get("emitted"), Array.from({ length: 20 }, (_, n) => n));
  assert.deepEqual(logged.get("tx")!.sort(), [0, 1, 2, 3, 4]);
  await log.cancel();
  assert.ok(commits > 20, `${commits} commits`);
  await cache.clear();
  await cache.close();
  const left = (await Array.fromAsync(kv.list({ prefix: [] }))).map(({ key }) => key[1]);
  assert.deepEqual(left.filter((kind) => kind === "b" || kind === "c"), []);
  kv.close();
});

Deno.test("on a remote store, a write that is sent again does not overwrite what another process wrote in between", async () => {
  let armed = true;
  const { cache, kv } = await openFaulty(
    (call) => {
      if (call !== "commit" || !armed) return undefined;
      armed = false;
      return "resent";
    },
    {},
    "http://other-store.test",
    (kv) => kv.set(["", "v", "k"], 2),
  );
  await cache.set("k", 1);
  assert.equal((await kv.get(["", "v", "k"])).value, 2);
  await cache.set("k", 3);
  assert.equal(await cache.get("k"), 3);
  await cache.close();
  kv.close();
});

Deno.test("on a remote store, a failed commit resolves if it took effect, and rejects if not", async () => {
  for (const message of ["after", "injected"]) {
    let commits = 0;
    const { cache, kv } = await openFaulty<unknown>(
      (call) => call === "commit" && ++commits === 2 ? message : undefined,
      {},
      `http://${message}.test`,
    );
    await cache.set("k", 1);
    const made = await cache.update("k", (n) => n as number + 1).catch(ofInjected);
    assert.equal(made, message === "after" ? 2 : undefined);
    assert.equal(await cache.update("k", (n) => n as number + 1), message === "after" ? 3 : 2);
    await cache.close();
    kv.close();
  }
});

Deno.test("a list of a shared file that finds it locked goes on behind its last entry, in either direction", async () => {
  // Behind "a", with which all keys of the range begin, Deno's cursor is empty and would start the list again.
  const ranges = [{ start: "a", end: ["a", "c"] }, { prefix: "a" }, { start: ["a", "a"] }, { end: ["a", "c"] }, {}];
  const keys = ["a", ["a", "a"], ["a", "b"], ["a", "b", 1], ["a", "d"], "b"];
  for (const reverse of [false, true]) {
    for (const range of ranges) {
      for (let locked = 1; locked <= 4; locked++) {
        let calls = 0;
        const { cache, kv } = await openFaulty(
          (call) => call === "next" && ++calls === locked ? "database is locked" : undefined,
          { shared: true },
        );
        for (const [n, key] of keys.entries()) await cache.set(key, n);
        calls = 7; // no faults in the list that is compared with
        const expected = await Array.fromAsync(cache.keys({ ...range, reverse }));
        calls = 0;
        assert.deepEqual(await Array.fromAsync(cache.keys({ ...range, reverse })), expected);
        await cache.close();
        kv.close();
      }
    }
  }
});

Deno.test("on a shared file, a commit succeeds while others keep writing large values, and removes the chunks it replaces", async () => {
  let [others, commits] = [0, 0];
  const { cache, kv } = await openFaulty<unknown>((call) => void (call === "commit" && commits++), { shared: true });
  const faulty = kv.atomic.bind(kv);
  // As another process may: after a commit has read the entries and before it is made.
  kv.atomic = () => {
    const atomic = faulty();
    const commit = atomic.commit.bind(atomic);
    return Object.assign(atomic, {
      commit: async () => {
        await kv.set(["", "l"], others++);
        return await commit();
      },
    });
  };
  await cache.set("k", new Uint8Array(200_000));
  assert.ok(commits > 5, `${commits} commits`);
  await cache.update("k", () => "small");
  kv.atomic = faulty;
  assert.equal(await cache.get("k"), "small");
  assert.deepEqual((await Array.fromAsync(kv.list({ prefix: ["", "c"] }))).length, 0);
  await cache.close();
  kv.close();
});
