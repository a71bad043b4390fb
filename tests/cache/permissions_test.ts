import assert from "node:assert/strict";

Deno.test("a Cache needs no permission for FFI, environment or network, and names a missing flag", async () => {
  const folder = await Deno.makeTempDir();
  const module = new URL("../../mod.ts", import.meta.url).href;
  const program = `import { Cache } from ${JSON.stringify(module)};
    await using cache = new Cache(${JSON.stringify(`${folder}/state/cache`)});
    await cache.set("a", 1);
    console.log(await cache.get("a"));`;
  const file = `${folder}/program.ts`;
  await Deno.writeTextFile(file, program);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const run = async (...flags: string[]) => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", `--allow-read=${folder}`, `--allow-write=${folder}`, ...flags, file],
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  };
  assert.equal(await run(`--config=${config}`), "1\n");
  // The same without "unstable": ["kv"].
  const { imports } = JSON.parse(await Deno.readTextFile(config));
  const bare = `${folder}/deno.json`;
  await Deno.writeTextFile(bare, JSON.stringify({ imports, nodeModulesDir: "none" }));
  assert.match(await run(`--config=${bare}`), /CacheError: A Cache needs Deno KV: run with --unstable-kv/);
});
