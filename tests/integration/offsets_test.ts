/** Offsets where only a real broker can test them: transactions, deleted records, added partitions. */

import assert from "node:assert/strict";
import { Slipstream, Topic } from "@slipstream/slipstream";
import { KafkaJS } from "@slipstream/slipstream/kafka-javascript";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { REAL_ONLY, REAL_SERVERS, TestBroker, until } from "../support/brokers.ts";

/** Calls a method of the npm client's admin client that takes a callback. */
async function callAdmin(method: string, ...args: unknown[]): Promise<void> {
  const { AdminClient } = await loadKafkaJavascript();
  const admin = AdminClient.create({ "bootstrap.servers": REAL_SERVERS! });
  try {
    await new Promise<void>((resolve, reject) =>
      (admin as unknown as Record<string, (...args: unknown[]) => void>)[method]!(
        ...args,
        (error: unknown) => error ? reject(error) : resolve(),
      )
    );
  } finally {
    admin.disconnect();
  }
}

/** Reads until a condition holds; returns what was read, and the notices. */
async function readUntil(
  topic: Topic,
  isDone: (read: readonly string[]) => boolean | Promise<boolean>,
): Promise<{ read: string[]; notices: string[] }> {
  const app = new Slipstream(), ended = new AbortController();
  const read: string[] = [], notices: string[] = [], { warn } = console;
  console.warn = (text: string) => notices.push(text);
  app.handle(topic, (message) => void read.push(`${message.topic}[${message.partition}]${message.value}`));
  const running = app.stream({ handleSignals: false, signal: ended.signal });
  try {
    await Promise.race([until(async () => await isDone(read), "all is read", 60_000), running]);
  } finally {
    console.warn = warn;
    ended.abort();
    await running;
  }
  return { read, notices };
}

Deno.test(
  "lag() is 0 for a group that has handled everything, also after aborted transactions",
  REAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const name = await broker.createTopic("aborted", 2);
    const kafka = new KafkaJS.Kafka({
      kafkaJS: { brokers: REAL_SERVERS!.split(","), logLevel: KafkaJS.logLevel.NOTHING },
    });
    const producer = kafka.producer({ kafkaJS: { transactionalId: name } });
    await producer.connect();
    for (const [values, isKept] of [[["1", "2"], true], [["x", "y", "z"], false]] as const) {
      const transaction = await producer.transaction();
      const messages = [...values.map((value) => ({ value, partition: 0 })), { value: "other", partition: 1 }];
      await transaction.send({ topic: name, messages });
      await (isKept ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    const conf = broker.conf({ "group.id": `g-${name}` });
    await using topic = new Topic(name, conf);
    const { read } = await readUntil(topic, async () => (await topic.lag()).total === 0);
    assert.deepEqual(read.sort(), [`${name}[0]1`, `${name}[0]2`, `${name}[1]other`]);
    await using asking = new Topic(name, conf);
    const { total, partitions } = await asking.lag();
    assert.deepEqual([total, partitions.map(({ lag }) => lag)], [0, [0, 0]]);
  },
);

Deno.test(
  "A group whose messages were deleted logs which ones, and reads the rest",
  REAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const name = await broker.createTopic("retention", 2);
    const conf = broker.conf({ "group.id": `g-${name}` });
    {
      await using topic = new Topic(name, conf, { commit: "manual" });
      await topic.sendBatch(Array.from({ length: 100 }, (_, n) => ({ value: `${n}`, partition: 0 })));
      await topic.sendBatch(Array.from({ length: 10 }, (_, n) => ({ value: `${n}`, partition: 1 })));
      const handled = [0, 0];
      for await (const message of topic) {
        // Commits ten messages of partition 0, and three of partition 1.
        if (++handled[message.partition]! === [10, 3][message.partition]) await topic.commit(message);
        if (handled[0]! >= 10 && handled[1]! >= 3) break;
      }
    }
    await callAdmin("deleteRecords", [{ topic: name, partition: 0, offset: 60 }], {});
    await using topic = new Topic(name, conf);
    const { read, notices } = await readUntil(topic, (read) => read.length >= 47);
    const left = [
      ...Array.from({ length: 40 }, (_, n) => `${name}[0]${n + 60}`),
      ...Array.from({ length: 7 }, (_, n) => `${name}[1]${n + 3}`),
    ];
    assert.deepEqual(read.sort(), left.sort());
    assert.deepEqual(notices.filter((text) => text.includes("deleted")), [
      `slipstream: Topic "${name}": ${name}[0]: deleted before it was read: offsets 10 to 59; reading goes on at 60`,
    ]);
  },
);

for (const grouped of [true, false]) {
  const who = grouped ? "A group" : "A reader without a group";
  Deno.test(
    `${who} that starts at the end reads topics and partitions that are added later from their beginning`,
    REAL_ONLY,
    async () => {
      await using broker = await TestBroker.start();
      const name = await broker.createTopic("grows", 1), later = `${name}-later`;
      // The reader looks for new partitions seldom, so that they have messages before it finds them.
      const [seldom, often] = [3000, 200].map((ms) => ({ "topic.metadata.refresh.interval.ms": ms }));
      await using topic = new Topic(
        new RegExp(`^${name}`),
        broker.conf({ ...(grouped && { "group.id": `g-${name}` }), ...seldom, "auto.offset.reset": "latest" }),
      );
      await using one = new Topic(name, broker.conf(often));
      await using two = new Topic(later, broker.conf(often));
      await one.send("k", "old");
      let begun = false, step = Promise.resolve(), number = 0;
      const { read } = await readUntil(topic, async (read) => {
        if (!begun) {
          // Messages from before the reader has a position are not for it.
          await one.send("k", `first ${number++}`, { partition: 0 });
          begun = read.length > 0;
          if (begun) {
            step = (async () => {
              await callAdmin("createTopic", { topic: later, num_partitions: 2, replication_factor: 1 }, 10_000);
              await callAdmin("createPartitions", name, 3, 10_000);
              for (const partition of [0, 1]) await two.send("k", "later", { partition });
              for (const partition of [1, 2]) {
                await until(() => one.send("k", "added", { partition }).then(() => true, () => false), "it is added");
              }
            })();
          }
        }
        await step;
        return read.filter((text) => /later$|added$/.test(text)).length >= 4;
      });
      assert.deepEqual(
        read.filter((text) => !text.includes("first")).sort(),
        [`${later}[0]later`, `${later}[1]later`, `${name}[1]added`, `${name}[2]added`].sort(),
      );
    },
  );
}
