/** The flags that the README names: a program runs with exactly these, and without each it says what the README says. */
import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";

const README = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** Runs a program with some flags and no others; returns what it printed, on either stream. */
async function run(program: string, flags: readonly string[], config = CONFIG): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, program);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", `--config=${config}`, ...flags, file],
    env: { NO_COLOR: "1" },
  }).output();
  await Deno.remove(file);
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** A text that the README shows, and that must be in what a program printed. */
function assertSays(printed: string, ...texts: readonly string[]): void {
  for (const text of texts) assert.ok(README.includes(text), `the README does not say: ${text}`);
  assert.ok(texts.some((text) => printed.includes(text)), `none of ${texts.join(" / ")} is in:\n${printed}`);
}

Deno.test("a program with a Topic runs with the README's flags, and says which one is missing", async () => {
  const [, command] = /```sh\ndeno run (--allow-ffi .*) app\.ts\n```/.exec(README) ?? [];
  assert.ok(command !== undefined, "the README shows no command with flags");
  const flags = command.split(" ");
  await using broker = await LocalBroker.start();
  const program = `
    import { handle, stream, Topic } from "@slipstream/slipstream";
    await using words = new Topic("words", {
      "bootstrap.servers": "${broker.bootstrapServers}",
      "group.id": crypto.randomUUID(),
      "auto.offset.reset": "earliest",
    }, { until: "end" });
    await words.send("fish", "handled");
    handle(words, { sink: console.log }, ({ value }) => value);
    await stream();`;
  assert.match(await run(program, flags), /^(handled\n)+$/);
  const without = (name: string) => flags.filter((flag) => !flag.startsWith(name));
  assert.equal(flags.length, 2, "this test leaves out two flags, one by one");
  assertSays(await run(program, without("--allow-ffi")), "LibraryError: Kafka topics need --allow-ffi");
  // A machine may have a library that its system finds.
  const printed = await run(program, without("--allow-env"));
  if (!/slipstream: .*system's librdkafka/.test(printed)) {
    assertSays(printed, "LibraryError: No librdkafka 2.13.2 or newer can be used");
  }
  // As the README says, the flag takes no path.
  const scoped = await run(program, ["--allow-ffi=/usr/lib", ...without("--allow-ffi")]);
  assertSays(scoped, "LibraryError: Kafka topics need --allow-ffi");
});

Deno.test("a program with a Cache runs with the README's flags, and says which one is missing", async () => {
  const folder = await Deno.makeTempDir();
  const program = `
    import { Cache } from "@slipstream/slipstream";
    await using cache = new Cache<number>(${JSON.stringify(`${folder}/state/counts`)});
    await cache.set("fish", 1);
    console.log(await cache.get("fish"));`;
  const flags = ["--allow-read", "--allow-write"].map((flag) => `${flag}=${folder}/state`);
  assert.equal(await run(program, flags), "1\n");
  assert.match(await run(program, flags.slice(0, 1)), /Requires write access to "/);
  assert.match(await run(program, flags.slice(1)), /Requires read access to "/);
  assert.ok(README.includes('Requires write access to "…"'));
  // The same without "unstable": ["kv"].
  const { imports } = JSON.parse(await Deno.readTextFile(CONFIG));
  const bare = `${folder}/deno.json`;
  const module = new URL("../../mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    bare,
    JSON.stringify({ imports: { ...imports, "@slipstream/slipstream": module }, nodeModulesDir: "none" }),
  );
  assertSays(await run(program, flags, bare), "CacheError: A Cache needs Deno KV: run with --unstable-kv");
  assert.equal(await run(program, ["--unstable-kv", ...flags], bare), "1\n");
  const remote = program.replace(/Cache<number>\(.*\)/, 'Cache<number>("http://127.0.0.1:9")');
  assertSays(await run(remote, ["--allow-net"]), 'Requires env access to "DENO_KV_ACCESS_TOKEN"');
});

Deno.test("cron() says which flag is missing, and handlers over arrays need none", async () => {
  const folder = await Deno.makeTempDir();
  const { imports } = JSON.parse(await Deno.readTextFile(CONFIG));
  const bare = `${folder}/deno.json`;
  const module = new URL("../../mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    bare,
    JSON.stringify({ imports: { ...imports, "@slipstream/slipstream": module }, nodeModulesDir: "none" }),
  );
  const cron = `import { cron } from "@slipstream/slipstream"; cron("drain", "* * * * *");`;
  assertSays(await run(cron, [], bare), "needs --unstable-cron");
  const plain = `
    import { handle, stream } from "@slipstream/slipstream";
    handle([1, 2], { sink: console.log }, (n) => n * 2);
    await stream();`;
  assert.equal(await run(plain, [], bare), "2\n4\n");
});
