import assert from "node:assert/strict";
import { Cache } from "@slipstream/slipstream";
import { fileTest, freshStore, REMOTE } from "../support/stores.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

function child(...args: string[]) {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", new URL("../support/cache_program.ts", import.meta.url).pathname, ...args],
    stdout: "piped",
  }).spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream());
  return { process, lines };
}

fileTest(
  "a second process learns at once that a file is owned, and may have it when the owner was killed",
  async () => {
    await using store = await freshStore();
    const { path } = store;
    const { process, lines } = child("hold", path);
    const reader = lines.getReader();
    assert.equal((await reader.read()).value, "holding\n");
    for (const shared of [false, true]) {
      await assert.rejects(new Cache(path, { shared }).get("held"), (error: Error & { code: string }) => {
        assert.equal(error.code, "in-use");
        assert.ok(error.message.includes(path) && error.message.includes("shared: true"), error.message);
        return true;
      });
    }
    process.kill("SIGKILL");
    await process.status;
    await reader.cancel();
    await using cache = new Cache(path);
    assert.equal(await cache.get("held"), 1);
  },
);

fileTest("a closed file can be opened at once, also while other threads start processes", async () => {
  const spawning = new Blob(['for (;;) { await new Deno.Command("true").output(); postMessage(""); }'], {
    type: "application/javascript",
  });
  const worker = new Worker(URL.createObjectURL(spawning), { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  try {
    await using store = await freshStore();
    const { path } = store;
    for (let n = 0; n < 300; n++) {
      await using cache = new Cache<number>(path);
      assert.equal(await cache.get("n"), n || undefined);
      await cache.set("n", n + 1);
    }
  } finally {
    worker.terminate();
  }
});

Deno.test("two processes that share a file lose no increment of one key", async () => {
  await using store = await freshStore();
  const { path } = store;
  const both = [child("increment", path, "10000"), child("increment", path, "10000")];
  const ends = await Promise.all(both.map(async ({ process, lines }) => {
    await Array.fromAsync(lines);
    return (await process.status).code;
  }));
  assert.deepEqual(ends, [0, 0]);
  await using cache = new Cache<number>(path, { shared: true });
  assert.equal(await cache.get("n"), 20_000);
});

Deno.test("two processes that share a log number their updates without a gap, and each reads the other's", async () => {
  await using store = await freshStore();
  const { path } = store;
  await using cache = new Cache<number>(path, { shared: true, log: { limit: 10_000 } });
  const reader = cache.updates({ from: 1 }).getReader();
  const { process, lines } = child("emit", path, "200");
  const ended = Array.fromAsync(lines);
  for (let n = 0; n < 20; n++) {
    await Promise.all(Array.from({ length: 10 }, (_, m) => cache.emit("parent", 10 * n + m)));
  }
  await ended;
  assert.equal((await process.status).code, 0);
  const next = new Map<unknown, number>([["parent", 0], ["child", 0]]);
  for (let sequence = 1; sequence <= 400; sequence++) {
    const [key, value, number] = (await reader.read()).value!;
    assert.deepEqual([number, value], [sequence, next.get(key)]);
    next.set(key, value! + 1);
  }
  await reader.cancel();
});

Deno.test("kill -9 during commits, 50 times: no acknowledged write is lost, no value is torn, no offset is ahead", async () => {
  await using store = await freshStore();
  const { path } = store;
  const offsets = await Deno.makeTempFile(), random = new Random(SEED, "kills");
  for (let trial = 0; trial < 50; trial++) {
    const acknowledged = await killedAmidWrites(path, trial * 1000, offsets, random.next() * 150);
    await using cache = new Cache<number | Uint8Array>(path);
    await using logged = new Cache<number>(path, { prefix: "logged", log: { limit: 50 } });
    for (let writer = 0; writer < 20; writer++) {
      const [n, found] = [acknowledged.get(`${writer}`) ?? 0, await cache.get(["writer", writer])];
      assert.ok(found === (n || undefined) || found === n + 1, `writer ${writer}: ${found} after ${n}`);
    }
    const n = acknowledged.get("big") ?? 0;
    const big = await cache.get("big") as Uint8Array | undefined;
    assert.ok(big === undefined ? n === 0 : big.length === 1_000_000 && big.every((byte) => byte === big[0]));
    assert.ok(big === undefined || [n, n + 1].includes(big[0]!), `big: ${big?.[0]} after ${n}`);
    // An update in the log and its value are on disk together.
    const [value, last] = [await logged.get("n") ?? 0, acknowledged.get("logged") ?? trial * 1000];
    assert.ok(value === last || value === last + 1 || last === trial * 1000, `logged: ${value} after ${last}`);
    await logged.emit("end", trial);
    let [before, key]: [unknown, unknown] = [undefined, undefined];
    for await (const [next, n] of logged.updates({ from: 1 })) {
      if (next === "end" && n === trial) break;
      [key, before] = [next, n];
    }
    if (key === "n") assert.equal(before, value);
    else assert.equal(last, trial * 1000); // nothing was logged before the kill
    const offset = Number((await Deno.readTextFile(offsets)).split("\n").at(-2) ?? 0);
    for (let seen = Math.max(0, offset - 100); seen < offset; seen++) {
      const state = await cache.get(["seen", seen % 100]) as number;
      assert.ok(state >= seen, `${state} is there, and the offset says ${seen} is done`);
    }
    await Promise.all([cache.deleteRange({ prefix: "writer" }), cache.delete("big")]);
  }
  if (REMOTE) return; // in a shared store, leftover chunks are removed only after ten minutes
  const kv = await Deno.openKv(path);
  const left = (await Array.fromAsync(kv.list({ prefix: [""] }))).map(({ key }) => key.slice(0, 3).join());
  assert.deepEqual([...new Set(left)], [",l", ",v,seen"]); // no chunk is left behind
  kv.close();
});

/** Kills a process that writes. Returns the last write of each kind that the process knew to be on disk. */
async function killedAmidWrites(
  path: string,
  from: number,
  offsets: string,
  afterMs: number,
): Promise<Map<string, number>> {
  const { process, lines } = child("write", path, `${from}`, offsets);
  const acknowledged = new Map<string, number>();
  let rest = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const text of lines) {
    timer ??= setTimeout(() => process.kill("SIGKILL"), afterMs);
    const some = (rest + text).split("\n");
    rest = some.pop()!;
    for (const line of some) {
      const [name, n] = line.split(" ");
      acknowledged.set(name!, Number(n));
    }
  }
  assert.equal((await process.status).signal, "SIGKILL");
  assert.ok(acknowledged.size > 0);
  return acknowledged;
}
