import assert from "node:assert/strict";
import { Cache, Topic } from "@slipstream/slipstream";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { TestBroker } from "../support/brokers.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

const MESSAGES = 50_000;

/** Runs a process that writes state, and kills it after so many lines. */
async function killed(args: readonly string[], lines: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("../support/state_writer_program.ts", import.meta.url).pathname, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  // Each line stands for a hundred messages: offsets are committed on the way.
  let left = lines;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const before = left;
    left -= text.split("\n").length - 1;
    if (before > 0 && left <= 0) child.kill("SIGKILL");
  }
  assert.equal((await child.status).signal, "SIGKILL");
}

/** The offset of partition 0 that a group has committed. */
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

Deno.test("a process that is killed has no offset in Kafka ahead of its state in a Cache", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("state");
  {
    await using topic = new Topic(name, broker.conf());
    await topic.sendBatch(Array.from({ length: MESSAGES }, (_, n) => [null, `${n}`] as const));
  }
  const path = `${await Deno.makeTempDir()}/cache`;
  const random = new Random(SEED, "kills");
  let between = 0;
  // A busy machine may come to the kill before the first commit, or after the last.
  for (let trial = 0; trial < 6 || between < 3; trial++) {
    assert.ok(trial < 30, `${between} of ${trial} were killed on the way`);
    // A group of its own: the broker holds the place of a member that was killed for a while.
    const group = `g${trial}-${name}`.slice(0, 60);
    await killed([broker.bootstrapServers, name, group, path], 30 + random.next() * 300);
    const offset = await committed(broker.bootstrapServers, name, group);
    await using cache = new Cache<number>(path, { prefix: group });
    if (offset > 0 && offset < MESSAGES) between++;
    for (let n = Math.max(0, offset - 100); n < offset; n++) {
      const state = await cache.get(["last", n % 100]) ?? -1;
      assert.ok(state >= n, `the group has committed ${offset}, and the state has ${state} where ${n} was`);
    }
    // One commit has both of what a message led to, or the later one's is the older.
    assert.ok((await cache.get("count") ?? 0) >= offset);
  }
});
