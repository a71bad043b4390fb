import assert from "node:assert/strict";
import { Cache } from "@slipstream/slipstream";
import { startKvServer } from "./kv_server.ts";

const CHILD = new URL("child.ts", import.meta.url).pathname;

Deno.test("a URL is a remote store, which several processes share, and which may turn a request away", async () => {
  await using server = startKvServer("secret", { refuseEvery: 100 });
  Deno.env.set("DENO_KV_ACCESS_TOKEN", "secret");
  const big = new Uint8Array(300_000).map((_, n) => n);
  await using cache = new Cache<unknown>(server.url, { log: { limit: 100 } });
  await Promise.all([
    cache.set("a", new Map([[1, 2n]])),
    cache.set(["b", 1], "one"),
    cache.set(["b", 2], big),
    cache.emit(["b", 3], 3),
  ]);
  assert.deepEqual(await cache.getMany(["a", ["b", 1], ["b", 2], "c"]), [new Map([[1, 2n]]), "one", big, undefined]);
  assert.deepEqual(await Array.fromAsync(cache.keys({ prefix: "b", reverse: true })), [["b", 3], ["b", 2], ["b", 1]]);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", CHILD, "increment", server.url, "100"],
    stdout: "null",
  }).spawn();
  for (let n = 0; n < 100; n++) await cache.update("n", (value) => (value as number ?? 0) + 1);
  assert.equal((await child.status).code, 0);
  assert.equal(await cache.get("n"), 200);
  const reader = cache.updates({ from: 1 }).getReader();
  assert.deepEqual((await reader.read()).value, [["b", 3], 3, 1]);
  await reader.cancel();
  await cache.clear();
  assert.deepEqual(await Array.fromAsync(cache.keys()), []);
  assert.ok(server.answered["/v/atomic_write"]! > 100);
});

Deno.test("a remote store that refuses says so", async () => {
  await using server = startKvServer("another");
  Deno.env.set("DENO_KV_ACCESS_TOKEN", "secret");
  await assert.rejects(new Cache(server.url).get("a"), /401 Unauthorized: who\?/);
});

Deno.test("without a path a Cache is in the runtime's own store, for several processes at once", async () => {
  const file = `${await Deno.makeTempDir()}/program.ts`;
  const mod = new URL("../../mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    file,
    `import { Cache } from ${JSON.stringify(mod)};
    await using cache = new Cache<number>();
    for (let n = 0; n < 50; n++) await cache.update("n", (value = 0) => value + 1);
    console.log(await cache.get("n"));
    if (Deno.args.length > 0) await cache.clear();`,
  );
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const run = async (...args: string[]) => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", `--config=${config}`, file, ...args],
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  };
  await Promise.all([run(), run()]);
  assert.equal(await run("clear"), "150\n");
  assert.equal(await run("clear"), "50\n");
});

Deno.test("a Cache that can't be opened names its path and says why, and wrong options are refused at once", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/text`, "not a database ".repeat(1000));
  for (const path of [folder, `${folder}/text`, `${folder}/text/below`, `${folder}/a\0b`]) {
    const cache = new Cache(path);
    await assert.rejects(cache.set("a", 1), (error: Error & { code: string }) => {
      assert.equal(error.code, "path", String(error));
      assert.ok(error.message.startsWith(`The Cache ${path} can't be opened: `), error.message);
      return true;
    });
    await cache.close();
  }
  assert.equal(await Deno.readTextFile(`${folder}/text`), "not a database ".repeat(1000));
  for (const path of ["", "file:///tmp/cache", "postgres://host/db"]) assert.throws(() => new Cache(path), TypeError);
  const wrong = [{ prefix: 5 }, { shared: "yes" }, { memoryBytes: "5" }, { memoryBytes: -1 }, { memory: 5 }, {
    log: {},
  }];
  for (const options of [...wrong, { log: { limit: 0.5 } }, { prefix: "\ud800" }, { prefix: "x".repeat(65) }]) {
    assert.throws(
      () => new Cache(":memory:", options as never),
      (error) => error instanceof TypeError || error instanceof RangeError,
      Deno.inspect(options),
    );
  }
});
