import assert from "node:assert/strict";
import { measured, SKIPPED } from "./program.ts";

/** Half a million messages that each leave 100 bytes behind are 50 MB. */
const MOST_GROWTH_MIB = 30;
const MESSAGES = 500_000;

interface Found {
  readonly count: number;
  /** The heap in megabytes after each 100,000 messages. */
  readonly heaps: readonly number[];
}

/** Makes a topic and writes half a million messages to it, looking at the heap now and then. */
const WRITE = `
  const MESSAGES = ${MESSAGES};
  const broker = await LocalBroker.start();
  // A partition of the local broker keeps 100,000 messages.
  broker.createTopic("many", { partitions: 10 });
  const conf = { "bootstrap.servers": broker.bootstrapServers, "fetch.wait.max.ms": 5 };
  const heaps = [];
  let count = 0;
  const look = async () => void heaps.push((await measure()).heap);
  const counted = () => ++count % 100_000 === 0 ? look() : undefined;
  async function write(each) {
    await using topic = new Topic("many", conf);
    for (let n = 0; n < MESSAGES; n += 1000) {
      await topic.sendBatch(Array.from({ length: 1000 }, (_, i) => ({ key: null, value: "v" + i, partition: n / 1000 % 10 })));
      if (each && n % 100_000 === 99_000) await look();
      if (each) count += 1000;
    }
  }`;

const PROGRAMS: Readonly<Record<string, string>> = {
  "writing by sendBatch()": `await write(true);`,
  "reading by for await": `
    await write(false);
    await using topic = new Topic("many", conf, { offset: "beginning", until: "end" });
    for await (const _ of topic) await counted();`,
  "reading by .readable": `
    await write(false);
    await using topic = new Topic("many", conf, { offset: "beginning", until: "end" });
    const reader = topic.readable.getReader();
    while (!(await reader.read()).done) await counted();`,
  "reading by handle()": `
    await write(false);
    const topic = new Topic("many", conf, { offset: "beginning", until: "end" });
    handle(topic, async () => void await counted());
    await stream();`,
};

for (const [way, program] of Object.entries(PROGRAMS)) {
  Deno.test({
    name: `${way} keeps nothing of half a million messages${SKIPPED === undefined ? "" : ` (${SKIPPED})`}`,
    ignore: SKIPPED !== undefined,
    async fn() {
      const { count, heaps } = await measured<Found>(`
        ${WRITE}
        {${program}}
        await broker.close();
        console.log(JSON.stringify({ count, heaps }));
      `);
      assert.deepEqual([count, heaps.length], [MESSAGES, MESSAGES / 100_000]);
      assert.ok(heaps.at(-1)! - heaps[0]! < MOST_GROWTH_MIB, `${way}: ${heaps} MiB`);
    },
  });
}

/** librdkafka's default is to fetch 64 MiB ahead; one answer of a broker, of 50 MiB at most, comes on top. */
const MOST_AHEAD_MIB = 64 + 50 + MOST_GROWTH_MIB;

Deno.test({
  name: `a reader that stalls holds a bounded part of a large topic${SKIPPED === undefined ? "" : ` (${SKIPPED})`}`,
  ignore: SKIPPED !== undefined,
  async fn() {
    const { written, before, after } = await measured<{ written: number; before: number; after: number }>(`
      const broker = await LocalBroker.start();
      const PARTITIONS = 50;
      broker.createTopic("large", { partitions: PARTITIONS });
      const conf = { "bootstrap.servers": broker.bootstrapServers, "fetch.wait.max.ms": 5 };
      {
        await using topic = new Topic("large", conf);
        const value = "x".repeat(100_000);
        // A partition of the local broker keeps 5 MB.
        for (let partition = 0; partition < PARTITIONS; partition++) {
          await topic.sendBatch(Array.from({ length: 48 }, () => ({ key: null, value, partition })));
        }
      }
      const before = (await measure()).rss;
      const topic = new Topic("large", conf, { offset: "beginning", until: "end" });
      const messages = topic[Symbol.asyncIterator]();
      await messages.next();
      // Until it fetches nothing any more.
      let after = 0;
      for (let same = 0, n = 0; same < 10 && n < 300; n++) {
        const { rss } = await measure();
        same = Math.abs(rss - after) < 1 ? same + 1 : 0;
        after = rss;
      }
      await topic.close();
      await broker.close();
      console.log(JSON.stringify({ written: PARTITIONS * 48 * 100_000 / MiB, before, after }));
    `);
    assert.ok(written > MOST_AHEAD_MIB + 50, "the topic is larger than what may be held");
    assert.ok(after - before < MOST_AHEAD_MIB, `${before} to ${after} MiB`);
  },
});
