import assert from "node:assert/strict";
import { Cache, type CacheTransaction } from "@slipstream/slipstream";

/** Opens a Cache whose commits fail when they are told to; what is on disk is read by `kv`. */
async function faulty(fails: () => boolean): Promise<{ cache: Cache<number>; kv: Deno.Kv; failed: () => number }> {
  const kv = await Deno.openKv(":memory:");
  let failed = 0;
  const bound = (target: object, name: PropertyKey) => {
    const value = Reflect.get(target, name);
    return typeof value === "function" ? value.bind(target) : value;
  };
  const limping = new Proxy(kv, {
    get(target, name) {
      if (name === "close") return () => {};
      if (name !== "atomic") return bound(target, name);
      return () => {
        const atomic = target.atomic();
        return new Proxy(atomic, {
          get(operation, name) {
            if (name !== "commit") return bound(operation, name);
            return async () => {
              await new Promise((resolve) => setTimeout(resolve, 0)); // others are accepted meanwhile
              if (!fails()) return await operation.commit();
              failed++;
              throw new Error("injected");
            };
          },
        });
      };
    },
  });
  const openKv = Object.getOwnPropertyDescriptor(Deno, "openKv")!;
  Object.defineProperty(Deno, "openKv", { value: () => Promise.resolve(limping), configurable: true });
  try {
    const cache = new Cache<number>(":memory:");
    await cache.has("open");
    return { cache, kv, failed: () => failed };
  } finally {
    Object.defineProperty(Deno, "openKv", openKv);
  }
}

const ofInjected = (error: unknown) => assert.match(String(error), /injected/);

Deno.test("whatever commits fail, what is on disk is what was acknowledged: increments, and transfers of money", async () => {
  const { cache, kv, failed } = await faulty(() => Math.random() < 0.3);
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
      const [from, to] = ["x", "y", "z"].sort(() => Math.random() - 0.5) as [string, string];
      await cache.transaction([[from], [to]], transfer(from, to)).catch(ofInjected);
    }
  };
  // Others' writes, which go into the same commits.
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
  assert.ok(failed() > 10 && counted.size === 3, `${failed()} commits failed`);
  await cache.close();
  kv.close();
});

Deno.test("what a transaction has read is on disk before what it writes, in whatever groups they wait", async () => {
  let commits = 0;
  const { cache, kv } = await faulty(() => ++commits === 2);
  // The first group is full, with "to" in it; "from" waits in the second, which fails.
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
  const { cache, kv } = await faulty(() => (commits++, false));
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
