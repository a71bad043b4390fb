import assert from "node:assert/strict";
import { Cache } from "@slipstream/slipstream";

function child(...args: string[]) {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", new URL("child.ts", import.meta.url).pathname, ...args],
    stdout: "piped",
  }).spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream());
  return { process, lines };
}

Deno.test("a second process learns at once that a file is owned, and may have it when the owner was killed", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
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
});

Deno.test("two processes that share a file lose no increment of one key", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
  const both = [child("increment", path, "10000"), child("increment", path, "10000")];
  const ends = await Promise.all(both.map(async ({ process, lines }) => {
    await Array.fromAsync(lines);
    return (await process.status).code;
  }));
  assert.deepEqual(ends, [0, 0]);
  await using cache = new Cache<number>(path, { shared: true });
  assert.equal(await cache.get("n"), 20_000);
});

Deno.test("kill -9 in the middle of commits loses no acknowledged write and tears no large value", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
  const trials = Number(Deno.env.get("SLIPSTREAM_KILLS") ?? 5);
  for (let trial = 0; trial < trials; trial++) {
    const { process, lines } = child("write", path);
    const acknowledged = new Map<string, number>();
    let rest = "";
    const enough = 200 + Math.random() * 3000;
    let count = 0;
    for await (const text of lines) {
      const some = (rest + text).split("\n");
      rest = some.pop()!;
      for (const line of some) {
        const [writer, n] = line.split(" ");
        acknowledged.set(writer!, Number(n));
        if (++count > enough) {
          try {
            process.kill("SIGKILL");
          } catch { /* dead already */ }
        }
      }
    }
    await process.status;
    assert.ok(acknowledged.size > 0);
    await using cache = new Cache<number | Uint8Array>(path);
    for (const [writer, n] of acknowledged) {
      if (writer === "big") continue;
      const found = await cache.get(["writer", Number(writer)]) as number;
      assert.ok(found === n || found === n + 1, `writer ${writer}: ${found} after ${n}`);
    }
    const big = await cache.get("big") as Uint8Array | undefined;
    if (acknowledged.has("big")) assert.ok(big);
    if (big) assert.ok(big.length === 1_000_000 && big.every((byte) => byte === big[0]));
    await cache.deleteRange({ prefix: "writer" });
    await cache.delete("big");
  }
  const kv = await Deno.openKv(path);
  assert.deepEqual(await Array.fromAsync(kv.list({ prefix: [] })), []); // no chunk is left behind
  kv.close();
});
