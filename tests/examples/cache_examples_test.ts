/** The examples of `Cache`, as they stand; under `deno task test:remote` each of their stores is a remote one. */
import assert from "node:assert/strict";
import { freshStore, REMOTE } from "../support/stores.ts";
import { example, exampleUrl } from "../support/example.ts";

/** What an example opens: a file of its own, or memory. */
const STORE = /`\$\{await Deno\.makeTempDir\(\)\}[^`]*`|":memory:"(?=\)|, \{)/g;

/** Runs an example; on remote stores in place of what it opens when the tests run on those. */
async function run(name: string): Promise<{ out: string; err: string }> {
  if (!REMOTE) return await example(name);
  const source = await Deno.readTextFile(exampleUrl(name));
  await using stores = new AsyncDisposableStack();
  const paths: string[] = [];
  for (const _ of source.matchAll(STORE)) paths.push(stores.use(await freshStore()).path);
  assert.ok(paths.length > 0, `${name} opens no store`);
  const copy = await Deno.makeTempFile({ suffix: `-${name}` });
  await Deno.writeTextFile(copy, source.replaceAll(STORE, () => JSON.stringify(paths.shift())));
  const config = new URL("../../deno.json", import.meta.url).pathname;
  return await example(new URL(`file://${copy}`), [], ["--config", config]);
}

Deno.test("cache.ts reads in a second run what the first has set", async () => {
  const { out, err } = await run("cache.ts");
  assert.equal(
    out,
    '🏆 Set(2) { "🐟", "📞" } false\n[ "user", 2 ] bob\n[ "user", 1 ] ann\n[ "bag", "prize", "session" ]\n',
    err,
  );
});

Deno.test("aggregation.ts counts all, by window, and over the last seconds", async () => {
  const { out, err } = await run("aggregation.ts");
  const [sliding, rest] = [out.split("\n").slice(0, 6), out.split("\n").slice(6)];
  assert.deepEqual(sliding, [
    "up to 0 s: 🏆",
    "up to 1 s: 🏆📞",
    "up to 1 s: 🏆📞🏆",
    "up to 2 s: 🏆📞🏆🐟",
    "up to 3.5 s: 📞🏆🐟🏆",
    "up to 5 s: 🐟🏆📞",
  ], err);
  assert.deepEqual(rest, [
    '{ "🏆": 3, "🐟": 1, "📞": 2 }',
    '[ 0, "🏆" ] 2',
    '[ 0, "📞" ] 1',
    '[ 2, "🏆" ] 1',
    '[ 2, "🐟" ] 1',
    '[ 4, "📞" ] 1',
    "",
  ]);
});

Deno.test("temporal_join.ts loads the table, and finds the nearest earlier report of the same city", async () => {
  const { out, err } = await run("temporal_join.ts");
  const [loaded, ...lines] = out.trimEnd().split("\n");
  assert.equal(loaded, "6 reports", err);
  // Partitions have no order among them.
  assert.deepEqual(lines.sort(), [
    "The weather during breakfast in rome was unknown",
    "The weather during drying up in oslo was 🌞",
    "The weather during shopping in rome was 🌞",
    "The weather during swimming in oslo was 🌞",
    "The weather during walking home in oslo was ⛅",
  ], err);
});

Deno.test("cache_transaction.ts moves money, and moves none when there is too little", async () => {
  const { out, err } = await run("cache_transaction.ts");
  assert.equal(out, "moved 30\nrefused: only 70 left\nann 70, bob 30\n", err);
});

Deno.test("the README's count of words goes on where it was, in a second run of the program", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const snippet = [...readme.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!).find((code) =>
    code.includes('"state/words"')
  );
  assert.ok(snippet !== undefined, "the README has it no more");
  await using store = await freshStore();
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, snippet.replace('"state/words"', JSON.stringify(store.path)));
  const flags = ["--config", new URL("../../deno.json", import.meta.url).pathname];
  for (const expected of ["[ 2, 1 ]\n", "[ 4, 2 ]\n"]) {
    const { out, err } = await example(new URL(`file://${file}`), [], flags);
    assert.equal(out, expected, err);
  }
});
