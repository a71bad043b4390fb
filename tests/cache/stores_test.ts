import assert from "node:assert/strict";
import { Cache } from "@slipstream/slipstream";

Deno.test("without a path a Cache uses the runtime's own store, which several processes can share", async () => {
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

Deno.test("a Cache that can't be opened names its path and the reason, and wrong options are refused at once", async () => {
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
  Deno.env.set("DENO_KV_ACCESS_TOKEN", Deno.env.get("DENO_KV_ACCESS_TOKEN") ?? "none"); // no server is asked for it
  await assert.rejects(new Cache("http://127.0.0.1:1").get("a"), (error: Error & { code: string; fatal: boolean }) => {
    assert.deepEqual([error.code, error.fatal], ["path", true], String(error));
    return true;
  });
  assert.equal(await Deno.readTextFile(`${folder}/text`), "not a database ".repeat(1000));
  for (const path of ["", "file:///tmp/cache", "postgres://host/db"]) assert.throws(() => new Cache(path), TypeError);
  const wrong = [{ prefix: 5 }, { shared: "yes" }, { memoryBytes: "5" }, { memoryBytes: -1 }, { memory: 5 }, {
    log: {},
  }];
  for (const options of [...wrong, { log: { limit: 0.5 } }, { prefix: "\ud800" }, { prefix: "x".repeat(65) }]) {
    assert.throws(
      () => new Cache(":memory:", options as never),
      TypeError,
      Deno.inspect(options),
    );
  }
});

Deno.test("a Cache and its methods report every unknown and wrong option at once", async () => {
  const refused = (call: () => unknown, ...problems: RegExp[]) => {
    let error: Error | undefined;
    try {
      call();
    } catch (thrown) {
      error = thrown as Error;
    }
    assert.equal(error?.name, "TypeError", String(problems));
    for (const problem of problems) assert.match(error!.message, problem);
  };
  refused(
    () => new Cache("", { prefx: "a", memoryBytes: -1, log: { limit: 0, size: 1 } } as never),
    /^new Cache\(\): 5 problems/,
    /the path must not be empty/,
    /no option "prefx": did you mean "prefix"/,
    /memoryBytes must be 0 or more: got -1/,
    /no option "size"/,
    /log\.limit must be a whole number from 1 on: got 0/,
  );
  await using cache = new Cache<number>(":memory:");
  refused(() => cache.entries({ reversed: true, limit: -1 } as never), /^entries\(\): 2 problems/, /mean "reverse"/);
  refused(() => cache.keys({ form: 1 } as never), /^keys\(\): there is no option "form"/);
  refused(() => cache.values({ count: 1 } as never), /^values\(\): there is no option "count"/);
  refused(
    () => cache.updates({ from: 0.5, prefx: "a" } as never),
    /3 problems/,
    /needs a log/,
    /whole number: got 0.5/,
  );
  refused(() => cache.changes({ after: "1", snapshots: true } as never), /2 problems/, /mean "snapshot"/);
  const rejected = (call: Promise<unknown>, message: RegExp) => assert.rejects(call, { name: "TypeError", message });
  await rejected(cache.set("a", 1, { expiresInMs: 5 } as never), /^set\(\): .*did you mean "expireInMs"/);
  await rejected(cache.deleteRange({ prefx: "a" } as never), /^deleteRange\(\): .*did you mean "prefix"/);
  await rejected(cache.transaction("a", () => 1, { timeout: 5 } as never), /^transaction\(\): .*mean "timeoutMs"/);
  await rejected(cache.transaction("a", () => 1, { timeoutMs: 0 }), /timeoutMs must be a number .* above 0: got 0/);
  await rejected(cache.update("a", () => 1, { expireInMs: -1, timeoutMs: NaN }), /^update\(\): 2 problems/);
  await rejected(cache.transaction("a", (tx) => tx.set("a", 1, { expires: 1 } as never)), /^tx\.set\(\): there is no/);
  assert.equal(await cache.has("a"), false);
});
