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
