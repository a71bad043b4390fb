import assert from "node:assert/strict";
import { Slipstream, Topic } from "@slipstream/slipstream";
import { everything, TestBroker, until } from "../support/brokers.ts";

const MESSAGES = 3000;
const QUIET = { handleSignals: false } as const;

/** Longer than a member waits for its partitions. */
const QUIET_MS = 15_000;

/** Lets a reader print so many lines, or until it has no more, then signals it; answers all that it printed. */
async function reading(args: readonly string[], lines: number, signal: Deno.Signal): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("../support/hard_reader.ts", import.meta.url).pathname, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let out = "", signalled = false;
  const end = () => {
    signalled = true;
    child.kill(signal);
  };
  let quiet = setTimeout(end, QUIET_MS);
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    out += text;
    if (signalled) continue;
    clearTimeout(quiet);
    if (out.split("\n").length > lines) end();
    // There is no line for a dead letter: nothing may be left but those.
    else quiet = setTimeout(end, QUIET_MS / 10);
  }
  clearTimeout(quiet);
  await child.status;
  return out.split("\n").slice(0, -1);
}

async function filled(test: string): Promise<{ broker: TestBroker; name: string; dead: string; args: string[] }> {
  const broker = await TestBroker.start();
  const [name, dead] = [await broker.createTopic(test, 2), await broker.createTopic(`${test}-dead`)];
  await using topic = new Topic(name, broker.conf());
  await topic.sendBatch(Array.from({ length: MESSAGES }, (_, n) => [`key ${n % 50}`, `${n}`] as const));
  return { broker, name, dead, args: [broker.bootstrapServers, name, `g-${name}`, dead] };
}

const numbers = (values: Iterable<string | null>) => [...new Set(values)].map(Number).sort((a, b) => a - b);
const handled = Array.from({ length: MESSAGES }, (_, n) => n);

Deno.test("concurrency and dead letters lose nothing when the process is killed", async () => {
  const { broker, dead, args } = await filled("kill");
  await using _ = broker;
  const first = await reading(args, 800, "SIGKILL");
  assert.ok(first.length < MESSAGES * 0.9, "it was killed before the end");
  // The rest, and what had not been committed; then it waits for more until it is ended.
  const done = new Set(first);
  const missing = handled.filter((n) => n % 10 !== 7 && !done.has(`${n}`)).length;
  const second = await reading(args, missing, "SIGTERM");
  const letters = (await everything(broker, dead)).map(({ value }) => value);
  const all = numbers([...first, ...second, ...letters]);
  // What is repeated first may use up the lines: the last run is asked for all that is left.
  const third = all.length === MESSAGES ? [] : await reading(args, Infinity, "SIGTERM");
  const last = (await everything(broker, dead)).map(({ value }) => value);
  assert.deepEqual(numbers([...first, ...second, ...third, ...last]), handled);
});

Deno.test("concurrency and dead letters repeat nothing after an end in order", async () => {
  const { broker, dead, args } = await filled("end");
  await using _ = broker;
  const first = await reading(args, 500, "SIGTERM");
  assert.ok(first.length < MESSAGES * 0.9, "it was ended before the end");
  const second = await reading(args, Infinity, "SIGTERM");
  const values = [...first, ...second, ...(await everything(broker, dead)).map(({ value }) => value!)];
  assert.deepEqual(values.map(Number).sort((a, b) => a - b), handled);
});

Deno.test("the committed offset is never ahead of what is handled, while handlers run side by side", async () => {
  const { broker, name, dead } = await filled("ahead");
  await using _ = broker;
  const conf = broker.conf({ "group.id": `g-${name}`, "auto.commit.interval.ms": 20 });
  await using topic = new Topic(name, conf, { until: "end" });
  await using asking = new Topic(name, conf);
  await using letters = new Topic(dead, broker.conf());
  const through: Set<number>[] = [new Set(), new Set()];
  const app = new Slipstream();
  app.handle(topic, { concurrency: 8, onError: letters }, async ({ partition, offset, value }) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    through[partition]!.add(offset);
    if (Number(value) % 10 === 7) throw new Error("on purpose");
  });
  let over = false, samples = 0, between = 0;
  const running = app.stream(QUIET).finally(() => over = true);
  while (!over) {
    const { partitions } = await asking.lag();
    for (const { partition, currentOffset: committed = 0, lag } of partitions) {
      samples++;
      if (committed > 0 && lag > 0) between++;
      for (let offset = 0; offset < committed; offset++) {
        assert.ok(through[partition]!.has(offset), `committed ${committed}, and ${offset} is not handled`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await running;
  assert.ok(samples > 0 && between > 0, `${samples} samples, ${between} of them on the way`);
});

Deno.test("a paused Topic hands on nothing, stays in its group, and goes on at once", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("paused");
  const group = { "group.id": `g-${name}` };
  await using writer = new Topic(name, broker.conf());
  await using topic = new Topic(name, broker.conf({ ...group, "max.poll.interval.ms": 7000 }));
  await writer.send(null, "0");
  const seen: (string | null)[] = [];
  const abort = new AbortController();
  const app = new Slipstream();
  app.handle(topic, ({ value }) => void seen.push(value));
  const running = app.stream({ ...QUIET, signal: abort.signal });
  await until(() => seen.length === 1, "the first message");
  app.pause(topic);
  await writer.sendBatch([[null, "1"], [null, "2"]]);
  // Longer than max.poll.interval.ms: a member that does not poll would have left, and read again what it handled.
  await new Promise((resolve) => setTimeout(resolve, 8000));
  assert.deepEqual(seen, ["0"]);
  app.resume(topic);
  await until(() => seen.length === 3, "the rest");
  abort.abort();
  await running;
  assert.deepEqual(seen, ["0", "1", "2"]);
});

Deno.test("a run that is stopped while its Topic is paused commits what was handled, to the message", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("midway");
  await using writer = new Topic(name, broker.conf());
  await writer.sendBatch(Array.from({ length: 10 }, (_, n) => [null, `${n}`] as const));
  const seen: (string | null)[] = [];
  for (const enough of [4, 10]) {
    const abort = new AbortController();
    await using topic = new Topic(name, broker.conf({ "group.id": `g-${name}` }));
    const app = new Slipstream();
    app.handle(topic, ({ value }) => {
      seen.push(value);
      if (seen.length !== enough) return;
      app.pause(topic);
      setTimeout(() => abort.abort(), 10);
    });
    await app.stream({ ...QUIET, signal: abort.signal });
  }
  assert.deepEqual(seen, Array.from({ length: 10 }, (_, n) => `${n}`));
});
