import assert from "node:assert/strict";
import { Slipstream, Topic } from "@slipstream/slipstream";
import { everything, TestBroker, until } from "../support/brokers.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

const MESSAGES = 3000;
const QUIET = { handleSignals: false } as const;

/** A member is assigned its partitions in less than this time, in milliseconds. */
const QUIET_MS = 15_000;

/** Runs the reader program, signals it after so many lines or when no more come, and returns all lines. */
async function reading(args: readonly string[], lines: number, signal: Deno.Signal): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      new URL("../support/concurrent_reader_program.ts", import.meta.url).pathname,
      ...args,
    ],
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
    // Dead letters print no line, so the rest may be dead letters alone.
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
  // The second run handles the rest, and what was not committed. Then it waits for more until it is signalled.
  const done = new Set(first);
  const missing = handled.filter((n) => n % 10 !== 7 && !done.has(`${n}`)).length;
  const second = await reading(args, missing, "SIGTERM");
  const letters = (await everything(broker, dead)).map(({ value }) => value);
  const all = numbers([...first, ...second, ...letters]);
  // Repeated messages may use up the lines of the second run. The third has no limit.
  const third = all.length === MESSAGES ? [] : await reading(args, Infinity, "SIGTERM");
  const last = (await everything(broker, dead)).map(({ value }) => value);
  assert.deepEqual(numbers([...first, ...second, ...third, ...last]), handled);
});

Deno.test("concurrency and dead letters repeat nothing after a graceful stop", async () => {
  const { broker, dead, args } = await filled("end");
  await using _ = broker;
  const first = await reading(args, 500, "SIGTERM");
  assert.ok(first.length < MESSAGES * 0.9, "it was stopped before the end");
  const second = await reading(args, Infinity, "SIGTERM");
  const values = [...first, ...second, ...(await everything(broker, dead)).map(({ value }) => value!)];
  assert.deepEqual(values.map(Number).sort((a, b) => a - b), handled);
});

Deno.test("the committed offset is never above a message that is not handled, while handlers run concurrently", async () => {
  const { broker, name, dead } = await filled("ahead");
  await using _ = broker;
  const conf = broker.conf({ "group.id": `g-${name}`, "auto.commit.interval.ms": 20 });
  await using topic = new Topic(name, conf, { until: "end" });
  await using asking = new Topic(name, conf);
  await using letters = new Topic(dead, broker.conf());
  const through: Set<number>[] = [new Set(), new Set()];
  const random = new Random(SEED, "handlers");
  const app = new Slipstream();
  app.handle(topic, { concurrency: 8, onError: letters }, async ({ partition, offset, value }) => {
    await new Promise((resolve) => setTimeout(resolve, random.next() * 5));
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
  assert.ok(samples > 0 && between > 0, `${samples} samples, ${between} of them between the ends`);
});

Deno.test("a paused Topic hands out no message, stays in its group, and goes on when it is resumed", async () => {
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
  // Longer than max.poll.interval.ms: a member that does not poll would leave its group, and read its messages again.
  await new Promise((resolve) => setTimeout(resolve, 8000));
  assert.deepEqual(seen, ["0"]);
  app.resume(topic);
  await until(() => seen.length === 3, "the rest");
  abort.abort();
  await running;
  assert.deepEqual(seen, ["0", "1", "2"]);
});

Deno.test("a run that is stopped while its Topic is paused commits exactly what was handled", async () => {
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
