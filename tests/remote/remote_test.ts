/** A real server of remote Deno KV: `deno task test:remote`. */
import assert from "node:assert/strict";
import { Cache } from "@slipstream/slipstream";
import { freshStore } from "../support/stores.ts";
import { startHttpProxy, startTcpProxy } from "../support/spoiling_proxy.ts";

const CHILD = new URL("../support/cache_program.ts", import.meta.url).pathname;

/** Runs a program on a store in another process. */
async function runChild(...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", CHILD, ...args],
    stdout: "null",
  }).output();
  assert.equal(
    code,
    0,
    new TextDecoder().decode(stderr).split("\n").filter((line) => !line.startsWith("KV Connect")).join("\n"),
  );
}

Deno.test("2,000 concurrent sets, emits, updates and deletes, with and without a log", async () => {
  await using store = await freshStore();
  for (const log of [undefined, { limit: 10_000 }]) {
    await using cache = new Cache<number>(store.path, { prefix: log ? "logged" : "", ...(log && { log }) });
    const all = Array.from({ length: 2_000 }, (_, n) => n);
    await Promise.all(all.map((n) => cache.set(n, n)));
    await Promise.all(all.map((n) => cache.emit(["emitted", n], n)));
    await Promise.all(all.map((n) => cache.update(n, (value = 0) => value + 1)));
    assert.deepEqual(await cache.getMany(all), all.map((n) => n + 1));
    assert.deepEqual(await Array.fromAsync(cache.values({ prefix: "emitted" })), all);
    await Promise.all(all.map((n) => cache.delete(n)));
    assert.equal((await Array.fromAsync(cache.keys())).length, 2_000);
    if (log !== undefined) {
      const reader = cache.updates({ from: 1 }).getReader();
      for (const n of all) assert.deepEqual((await reader.read()).value, [["emitted", n], n, n + 1]);
      await reader.cancel();
    }
    await cache.clear();
    assert.deepEqual(await Array.fromAsync(cache.keys()), []);
  }
});

Deno.test("a transaction reads as many keys as an atomic can check, and refuses one more", async () => {
  await using store = await freshStore();
  for (const options of [{}, { log: { limit: 10 } }]) {
    await using cache = new Cache<number | Uint8Array>(store.path, { prefix: `${"log" in options}`, ...options });
    await cache.set("large", new Uint8Array(200_000));
    const keys = Array.from({ length: 900 }, (_, n) => [n]);
    const sum = (reads: number, writes: number) =>
      cache.transaction(keys, async (tx) => {
        for (const key of keys.slice(0, reads)) await tx.get(key);
        for (const key of keys.slice(0, writes)) tx.set(key, 1);
        tx.emit(keys[0]!, 2);
      });
    await sum(7, 900);
    assert.equal((await Array.fromAsync(cache.keys())).length, 901);
    await assert.rejects(sum(8, 1), /can read 7 keys, and \[7\] is one too many/);
    const long = Array.from({ length: 60 }, (_, n) => ["k".repeat(1_700), n]);
    await assert.rejects(cache.transaction(long, (tx) => long.forEach((key) => tx.set(key, 1))), /one atomic/);
    assert.deepEqual(await cache.getMany([[0], [1]]), [2, 1]);
  }
});

Deno.test("two processes write large values to the same keys: each value is whole, and no chunk is left", async () => {
  await using store = await freshStore();
  const keys = [0, 1, 2];
  {
    await using cache = new Cache<Uint8Array>(store.path);
    const write = async () => {
      for (let n = 0; n < 20; n++) {
        await Promise.all(keys.map((key) => cache.set(key, new Uint8Array(150_000 + 100_000 * key).fill(n))));
      }
    };
    await Promise.all([write(), runChild("large", store.path, "20")]);
    for (const value of await cache.getMany(keys)) assert.ok(value!.every((byte) => byte === value![0]));
    await Promise.all(keys.map((key) => cache.set(key, new Uint8Array([key]))));
  }
  using kv = await Deno.openKv(store.path);
  const left = (await Array.fromAsync(kv.list({ prefix: [""] }))).map(({ key }) => key[1]);
  // Receipts expire.
  assert.deepEqual(left.filter((kind) => kind !== "f"), ["l", "v", "v", "v"]);
});

Deno.test("an expired entry is gone in every process, and so are its chunks", async () => {
  await using store = await freshStore();
  await using cache = new Cache<number | Uint8Array>(store.path);
  await cache.set("small", 1, { expireInMs: 50 });
  await cache.set("large", new Uint8Array(200_000), { expireInMs: 50 });
  await cache.set("stays", 2);
  while (await cache.has("small") || await cache.has("large")) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(await Array.fromAsync(cache.entries()), [["stays", 2]]);
});

for (const spoilt of ["cut", "503"] as const) {
  Deno.test(`answers that are lost (${spoilt}): what two processes count, emit and write is there once and whole`, async () => {
    await using store = await freshStore();
    let [answers, lost] = [0, 0];
    const isLost = () => ++answers % 7 === 0 && ++lost > 0;
    await using proxy = spoilt === "cut" ? startTcpProxy(store.path, isLost) : startHttpProxy(store.path, isLost);
    const cache = new Cache<unknown>(proxy.url, { log: { limit: 10_000 } });
    const big = new Uint8Array(300_000).map((_, n) => n);
    const count = async () => {
      for (let n = 0; n < 50; n++) await cache.update("n", (value) => (value as number ?? 0) + 1);
    };
    const emit = async () => {
      for (let n = 0; n < 50; n++) await cache.emit("parent", n);
    };
    await Promise.all([
      ...[count(), emit(), cache.set("big", big)],
      runChild("increment", proxy.url, "40"),
      runChild("emit", proxy.url, "50"),
    ]);
    assert.ok(lost > 10, `${lost} of ${answers}`);
    // Read without the proxy and the Cache: what the store holds.
    await using other = new Cache<unknown>(store.path, { log: { limit: 10_000 } });
    assert.deepEqual(await other.getMany(["n", "parent", "child", "big"]), [90, 49, 49, big]);
    const reader = other.updates({ from: 1 }).getReader();
    const next = new Map<unknown, number>([["parent", 0], ["child", 0]]);
    for (let sequence = 1; sequence <= 100; sequence++) {
      const [key, value, number] = (await reader.read()).value!;
      assert.deepEqual([number, value], [sequence, next.get(key)]);
      next.set(key, value as number + 1);
    }
    await reader.cancel();
    await cache.close();
  });
}

for (const spoilt of ["cut", "503"] as const) {
  Deno.test(`opening a store whose first answers are lost (${spoilt}) tries again, for two Caches at once`, async () => {
    await using store = await freshStore();
    let answers = 0;
    const isLost = () => ++answers <= 5;
    await using proxy = spoilt === "cut" ? startTcpProxy(store.path, isLost) : startHttpProxy(store.path, isLost);
    await using first = new Cache<number>(proxy.url, { prefix: "first" });
    await using second = new Cache<number>(proxy.url, { prefix: "second" });
    await Promise.all([first.set("n", 1), second.set("n", 2)]);
    assert.deepEqual([await first.get("n"), await second.get("n")], [1, 2]);
    assert.ok(answers > 5);
  });
}

Deno.test("a program ends although the server is gone, if it awaits nothing of it", async () => {
  await using store = await freshStore();
  const program = `import { Cache } from "@slipstream/slipstream";
await using cache = new Cache(Deno.args[0]);
await cache.emit("a", 1);
console.log("written");
await new Promise((resolve) => Deno.stdin.read(new Uint8Array(1)).then(resolve));`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, program);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", new URL("../../deno.json", import.meta.url).pathname, file, store.path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.getReader();
  await lines.read();
  await store[Symbol.asyncDispose]();
  await child.stdin.close();
  assert.equal((await child.status).code, 0);
  await lines.cancel();
});

Deno.test("a server that refuses the token is a CacheError", async () => {
  await using store = await freshStore();
  const program = `import { Cache } from "@slipstream/slipstream"; await new Cache(Deno.args[0]).get("a");`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, program);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", new URL("../../deno.json", import.meta.url).pathname, file, store.path],
    env: { DENO_KV_ACCESS_TOKEN: "another token" },
  }).output();
  assert.notEqual(code, 0);
  assert.match(new TextDecoder().decode(stderr), /CacheError: The Cache http:.* can't be opened: .*(401|access token)/);
});
