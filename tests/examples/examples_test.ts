import assert from "node:assert/strict";
import { packageFolder } from "../../src/setup/package_folder.ts";
import { REAL_SERVERS } from "../support/brokers.ts";
import { example } from "../support/example.ts";

const BROKER = REAL_SERVERS === undefined ? [] : [REAL_SERVERS];

Deno.test("every example says how to run it and what it prints", async () => {
  const folder = new URL("../../examples/", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".ts")) continue;
    const [head] = (await Deno.readTextFile(new URL(name, folder))).split("\n\n");
    assert.match(head!, /^\/\/ .*\n(\/\/ .*\n)*\/\/\n\/\/ Run: {4}\S.*\n\/\/ Prints: \S/, name);
  }
});

Deno.test("topic.ts sends two messages, then reads and prints them", async () => {
  const { code, out } = await example("topic.ts", BROKER);
  assert.deepEqual([code, out.trim().split("\n").sort()], [0, ["fish 🐟", "trophy 🏆"]]);
});

Deno.test("several_topics.ts reads two topics by their names, and once more by an expression", async () => {
  const { code, out, err } = await example("several_topics.ts", BROKER);
  assert.deepEqual([code, out.trim().split("\n").sort()], [0, ["bird: 🐦", "bird: 🐦", "fish: 🐟", "fish: 🐟"]], err);
});

Deno.test("web_streams.ts pipes a topic through a transform into another", async () => {
  const { code, out } = await example("web_streams.ts", BROKER);
  assert.deepEqual([code, out.trim().split("\n").sort()], [0, ["a HELLO", "b STREAMS"]]);
});

Deno.test("yield.ts prints what its handler yields", async () => {
  assert.equal((await example("yield.ts")).out, "zero: 0\neven: 0\neven: 2\neven: 4\n");
});

Deno.test("conf.ts prints what its topics are configured with, secrets masked", async () => {
  const { out } = await example("conf.ts");
  assert.equal(
    out.replaceAll(/\s+/g, " "),
    '{ "bootstrap.servers": "localhost:29092", "group.id": "default-demo" } ' +
      '{ "bootstrap.servers": "localhost:29091", "group.id": "demo", "security.protocol": "SASL_SSL", ' +
      '"sasl.mechanism": "PLAIN", "sasl.username": "myuser", "sasl.password": "********" } ',
  );
});

Deno.test("timer.ts ticks three times and ends", async () => {
  const { code, out } = await example("timer.ts");
  assert.equal(code, 0);
  assert.match(out, /^(\d\d:\d\d:\d\d\n){3}$/);
});

Deno.test("cron_drain.ts drains what is there at each tick, and ends on a signal", async () => {
  const { code, out, err } = await example("cron_drain.ts", BROKER, [
    `--preload=${new URL("cron_now.ts", import.meta.url)}`,
  ]);
  assert.deepEqual([code, out], [0, "a fish\na trophy\n2 drained\nanother fish\n1 drained\n"], err);
});

Deno.test("codec_json.ts writes and reads what fits its schema, and reports what does not", async () => {
  const { code, out, err } = await example("codec_json.ts", BROKER);
  assert.deepEqual([code, out], [0, "🐟 2026\n🐠 some day\ndeleted\n"], err);
  const [written, read, ...rest] = err.trim().split("\n");
  assert.match(written!, /^Topic "emoji-[-\w]+": can't encode the value as json: .* schema: msg: /);
  assert.match(read!, /^handler "handler" failed on emoji-.*@1: Can't decode the value of .* schema: msg: .*; at: /);
  assert.deepEqual(rest, []);
});

Deno.test("codec_avro.ts writes what fits its schema, and reads it back", async () => {
  const { code, out, err } = await example("codec_avro.ts", BROKER);
  assert.equal(code, 0, err);
  const [first, second, ...read] = out.split("\n");
  assert.equal(first, "written at 0");
  assert.match(second!, /^Topic "emoji-[-\w]+": can't encode the value as avro: invalid "string": 1$/);
  assert.equal(read.join("\n"), 'Emoji { msg: "🐟", seen: 2 }\nnull\n');
});

Deno.test("pipe.ts pairs the running sums of the odd numbers", async () => {
  assert.deepEqual(await example("pipe.ts"), { code: 0, out: "1 + 3 = 4\n4 + 5 = 9\n9 + 7 = 16\n", err: "" });
});

Deno.test("concurrency.ts handles three keys at a time, each in order", async () => {
  assert.equal((await example("concurrency.ts")).out, "a: 0 3 6\nb: 1 4 7\nc: 2 5 8\n3 at a time\n");
});

Deno.test("dead_letter.ts bills what it can, and puts the rest aside with the reason", async () => {
  const { code, out } = await example("dead_letter.ts", BROKER);
  // A topic of several partitions has no order of its own.
  assert.deepEqual([code, out.trim().split("\n").sort()], [0, [
    "a: 3",
    "b: no JSON (TypeError)",
    'c: {"price":-1} (RangeError)',
    "d: 4",
  ]]);
});

/** A file of many words, made of librdkafka's pages, and what `wc -w` counts in it. */
async function longText(words: number): Promise<{ file: string; count: number }> {
  const folder = `${await packageFolder()}/deps/librdkafka`;
  const texts = await Promise.all(
    ["INTRODUCTION.md", "CHANGELOG.md", "CONFIGURATION.md"].map((name) => Deno.readTextFile(`${folder}/${name}`)),
  );
  const text = texts.join("\n");
  const file = await Deno.makeTempFile({ suffix: ".txt" });
  const once = text.split(/\s+/).length;
  await Deno.writeTextFile(file, `${text}\n`.repeat(Math.ceil(words / once)));
  const { stdout } = await new Deno.Command("wc", { args: ["-w", file], env: { LC_ALL: "C.UTF-8" } }).output();
  return { file, count: parseInt(new TextDecoder().decode(stdout)) };
}

Deno.test("demo.ts counts the words that wc counts, and the commonest of them", async () => {
  const { file, count } = await longText(200_000);
  assert.ok(count >= 200_000);
  const { code, out, err } = await example("demo.ts", [file, ...BROKER.flatMap((at) => ["--bootstrap-servers", at])]);
  assert.equal(code, 0, err);
  assert.match(out, new RegExp(`^words: ${count}$`, "m"));
  // A count by other means: sort and uniq.
  const script =
    `tr -s '[:space:]' '\\n' < "$1" | grep '[[:alnum:]]' | LC_ALL=C sort | uniq -c | LC_ALL=C sort -rn | head -1`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, "sh", file], env: { LC_ALL: "C.UTF-8" } })
    .output();
  const [times, word] = new TextDecoder().decode(stdout).trim().split(" ");
  assert.equal(out.split("\n")[0]!.trim(), `${times} ${word}`);
  assert.match(out, /^distinct: \d+$/m);
  assert.match(out, /^\d+ messages\/s$/m);
  await Deno.remove(file);
});

Deno.test("demo.ts refuses unknown options and files that are not there", async () => {
  const option = await example("demo.ts", ["--frobnicate"]);
  assert.equal(option.code, 2);
  assert.match(option.err, /there is no option --frobnicate\nUsage/);
  const file = await example("demo.ts", ["/no/such/file"]);
  assert.equal(file.code, 2);
  assert.match(file.err, /can't read \/no\/such\/file/);
});
