import assert from "node:assert/strict";
import { Slipstream, Topic } from "@slipstream/slipstream";
import { openSink } from "@slipstream/slipstream/protocol";
import { everything, SESSION, TestBroker } from "../support/brokers.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

/** How many messages each partition has. The counts differ, so that a mix-up of partitions is noticed. */
const COUNTS = [1800, 1200], PARTITIONS = COUNTS.length, MESSAGES = 3000;
/** Three messages of five go to the first partition. */
const partitionOf = (n: number) => n % 5 < 3 ? 0 : 1;
/** The messages of each partition, in order. */
const VALUES = COUNTS.map((_, partition) =>
  Array.from({ length: MESSAGES }, (_, n) => n).filter((n) => partitionOf(n) === partition)
);

/** Runs the mover program, and kills it after so many lines; returns whether it was killed before its end. */
async function moving(args: readonly string[], killAfter: number): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("../support/mover_program.ts", import.meta.url).pathname, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let lines = 0, killed = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    lines += text.split("\n").length - 1;
    if (killed || lines < killAfter) continue;
    killed = true;
    child.kill("SIGKILL");
  }
  const { success } = await child.status;
  assert.ok(success || killed);
  return killed;
}

async function filled(broker: TestBroker): Promise<string> {
  const name = await broker.createTopic("kill", PARTITIONS);
  await using topic = new Topic(name, broker.conf());
  await topic.sendBatch(
    Array.from({ length: MESSAGES }, (_, n) => ({ value: `${n}`, key: `k${n % 9}`, partition: partitionOf(n) })),
  );
  return name;
}

/** The committed offset of each partition. */
async function committed(asking: Topic): Promise<number[]> {
  const { partitions } = await asking.lag();
  return partitions.map(({ currentOffset = 0 }) => currentOffset);
}

Deno.test("a topic is copied to another completely, however often and whenever the copying process is killed", async () => {
  await using broker = await TestBroker.start();
  const from = await filled(broker), to = await broker.createTopic("killed", PARTITIONS);
  // The group admits a new member when the session of the killed one has expired.
  const args = [broker.bootstrapServers, from, to, `g-${from}`, `${SESSION["session.timeout.ms"]}`];
  await using asking = new Topic(from, broker.conf({ "group.id": `g-${from}` }));
  const moments: number[] = [], random = new Random(SEED, "kills");
  for (let kill = 0; kill < 2; kill++) {
    const moment = 1 + Math.floor(random.next() * MESSAGES / 3);
    moments.push(moment);
    assert.ok(await moving(args, moment), "it was killed");
    const arrived = new Set((await everything(broker, to)).map(({ value }) => Number(value)));
    for (const [partition, next] of (await committed(asking)).entries()) {
      for (let offset = 0; offset < next; offset++) {
        const n = VALUES[partition]![offset]!;
        assert.ok(arrived.has(n), `killed after ${moments}: ${next} committed, and ${offset} has not arrived`);
      }
    }
  }
  await moving(args, Infinity);
  const arrived = new Set((await everything(broker, to)).map(({ value }) => Number(value)));
  assert.equal(arrived.size, MESSAGES, `killed after ${moments}`);
  assert.deepEqual(await committed(asking), COUNTS);
});

Deno.test("the committed offset is never above a message that the sinks have not settled", async () => {
  await using broker = await TestBroker.start();
  const name = await filled(broker);
  const conf = broker.conf({ "group.id": `g-${name}`, "auto.commit.interval.ms": 10 });
  await using topic = new Topic(name, conf, { until: "end" }), asking = new Topic(name, conf);
  const settled = Array.from({ length: PARTITIONS }, () => new Set<number>());
  const random = new Random(SEED, "settling");
  let accepted: { partition: number; offset: number }[] = [];
  const slow = {
    [openSink]: () => ({
      accept: (value: { partition: number; offset: number }) => void accepted.push(value),
      async settle() {
        const batch = accepted;
        accepted = [];
        await new Promise((resolve) => setTimeout(resolve, 50 + random.next() * 50));
        for (const { partition, offset } of batch) settled[partition]!.add(offset);
      },
      close() {},
    }),
  };
  const app = new Slipstream();
  let handled = 0;
  app.handle(topic, { sink: slow }, async ({ partition, offset }) => {
    if (++handled % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    return { partition, offset };
  });
  let over = false, between = 0;
  const running = app.stream({ handleSignals: false }).finally(() => over = true);
  while (!over) {
    for (const [partition, next] of (await committed(asking)).entries()) {
      if (next > 0 && next < COUNTS[partition]!) between++;
      for (let offset = 0; offset < next; offset++) {
        assert.ok(settled[partition]!.has(offset), `${next} committed, and ${offset} has not settled`);
      }
    }
  }
  await running;
  assert.ok(between > 0, "no sample was between the ends");
});
