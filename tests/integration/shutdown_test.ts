import assert from "node:assert/strict";
import { Slipstream, Topic } from "@slipstream/slipstream";
import { TestBroker, until } from "../support/brokers.ts";

const MESSAGES = 4000;

/** Runs the reader program, signals it when it has printed enough, and returns what it printed. */
async function reading(
  args: readonly string[],
  enough: (values: readonly string[]) => boolean,
  signal: Deno.Signal,
): Promise<{ values: string[]; code: number }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("../support/reader_program.ts", import.meta.url).pathname, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let out = "", signalled = false;
  // The last line may be incomplete after a kill.
  const values = () => out.split("\n").slice(0, -1);
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    out += text;
    if (!signalled && enough(values())) {
      signalled = true;
      child.kill(signal);
    }
  }
  const { code } = await child.status;
  return { values: values(), code };
}

const some = (values: readonly string[]) => values.length >= 1500;
const all = (values: readonly string[]) => values.at(-1) === `${MESSAGES - 1}`;

async function filled(test: string): Promise<{ broker: TestBroker; args: string[] }> {
  const broker = await TestBroker.start();
  const name = await broker.createTopic(test);
  await using topic = new Topic(name, broker.conf());
  await topic.sendBatch(Array.from({ length: MESSAGES }, (_, n) => [null, `${n}`] as const));
  return { broker, args: [broker.bootstrapServers, name, `${test}-${name}`] };
}

Deno.test("a program that is ended by SIGTERM has committed what it handled: the next run repeats nothing", async () => {
  const { broker, args } = await filled("sigterm");
  await using _ = broker;
  const first = await reading(args, some, "SIGTERM");
  assert.equal(first.code, 0);
  assert.ok(first.values.length < MESSAGES, "it was stopped before the end");
  const second = await reading(args, all, "SIGTERM");
  assert.deepEqual([...first.values, ...second.values], Array.from({ length: MESSAGES }, (_, n) => `${n}`));
});

Deno.test("a program that is killed loses no message: the next run goes on at or before the last handled one", async () => {
  const { broker, args } = await filled("sigkill");
  await using _ = broker;
  const first = await reading(args, some, "SIGKILL");
  assert.ok(first.values.length < MESSAGES, "it was killed before the end");
  const second = await reading(args, all, "SIGTERM");
  const from = Number(second.values[0]);
  assert.ok(from <= first.values.length, `goes on at ${from}, after ${first.values.length}`);
  assert.deepEqual(second.values, Array.from({ length: MESSAGES - from }, (_, n) => `${from + n}`));
});

Deno.test("a slow handler delays neither a stop nor the commits of what it has handled", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("slow", 2);
  const conf = broker.conf({ "group.id": name, "auto.commit.interval.ms": 50 });
  const values = Array.from({ length: 400 }, (_, n) => `${n}`);
  {
    await using topic = new Topic(name, conf);
    await topic.sendBatch(values.map((value) => [value, value] as const));
  }
  const seen: string[] = [];
  /** How many messages were handled when the run was stopped. */
  let handledAtStop = 0;
  const run = async (enough: number) => {
    await using topic = new Topic(name, conf);
    const abort = new AbortController();
    const app = new Slipstream();
    app.handle(topic, async (message) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      seen.push(message.value!);
      if (seen.length !== enough) return;
      handledAtStop = enough;
      abort.abort();
    });
    const running = app.stream({ handleSignals: false, signal: abort.signal });
    // Commits follow the handler, so that a process that is killed now repeats little.
    const before = seen.length;
    await until(
      async () => seen.length > before + 60 && (await topic.lag()).total < values.length - before - 20,
      "commits follow the handler",
    );
    await running;
  };
  await run(150);
  assert.ok(seen.length <= handledAtStop + 1, `${seen.length - handledAtStop} were begun after the stop`);
  await run(400);
  assert.deepEqual(seen.toSorted((a, b) => +a - +b), values, "no message is lost or repeated");
});
