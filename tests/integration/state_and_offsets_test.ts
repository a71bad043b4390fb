import assert from "node:assert/strict";
import { Cache, Topic } from "@slipstream/slipstream";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { TestBroker } from "../support/brokers.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

const MESSAGES = 50_000;

/** Runs the state writer program, and kills it after so many lines. */
async function runAndKill(args: readonly string[], lines: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("../support/state_writer_program.ts", import.meta.url).pathname, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  // The program prints a line every hundred messages, and commits meanwhile.
  let left = lines;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const before = left;
    left -= text.split("\n").length - 1;
    if (before > 0 && left <= 0) child.kill("SIGKILL");
  }
  assert.equal((await child.status).signal, "SIGKILL");
}

/** The offset that a group has committed in partition 0; 0 if none. */
async function committed(servers: string, topic: string, group: string): Promise<number> {
  const { KafkaConsumer } = await loadKafkaJavascript();
  const consumer = new KafkaConsumer({ "bootstrap.servers": servers, "group.id": group }, {});
  await new Promise<void>((resolve, reject) => consumer.connect({}, (error) => error ? reject(error) : resolve()));
  try {
    const [found] = await new Promise<{ offset?: number }[]>((resolve, reject) =>
      consumer.committed([{ topic, partition: 0 }], 10_000, (error, found) => error ? reject(error) : resolve(found))
    );
    return found?.offset ?? 0;
  } finally {
    await new Promise((resolve) => consumer.disconnect(resolve));
  }
}

Deno.test("a process that is killed has committed no offset of a message whose state is not in the Cache", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("state");
  {
    await using topic = new Topic(name, broker.conf());
    await topic.sendBatch(Array.from({ length: MESSAGES }, (_, n) => [null, `${n}`] as const));
  }
  const path = `${await Deno.makeTempDir()}/cache`;
  const random = new Random(SEED, "kills");
  let between = 0;
  // On a busy machine, the kill may come before the first commit or after the last.
  for (let trial = 0; trial < 6 || between < 3; trial++) {
    assert.ok(trial < 30, `${between} of ${trial} were killed between their first and last commit`);
    // Each trial has a group of its own: the broker keeps a killed member until its session expires.
    const group = `g${trial}-${name}`.slice(0, 60);
    await runAndKill([broker.bootstrapServers, name, group, path], 30 + random.next() * 300);
    const offset = await committed(broker.bootstrapServers, name, group);
    await using cache = new Cache<number>(path, { prefix: group });
    if (offset > 0 && offset < MESSAGES) between++;
    for (let n = Math.max(0, offset - 100); n < offset; n++) {
      const state = await cache.get(["last", n % 100]) ?? -1;
      assert.ok(state >= n, `the group has committed ${offset}, and the state has ${state} where ${n} was`);
    }
    // An offset is committed only after both writes of its message, so the count is not below the offset.
    assert.ok((await cache.get("count") ?? 0) >= offset);
  }
});
