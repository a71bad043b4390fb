import assert from "node:assert/strict";
import { type Measure, measured, SKIPPED } from "./program.ts";

/** A handle and its queues are far above 100 kB: a thousand that leak would be 100 MB and more. */
const MOST_GROWTH_MIB = 40;

for (const kind of ["Producer", "KafkaConsumer", "AdminClient"] as const) {
  Deno.test({
    name: `a thousand connections of a ${kind} leave nothing behind${SKIPPED === undefined ? "" : ` (${SKIPPED})`}`,
    ignore: SKIPPED !== undefined,
    async fn() {
      const { before, after } = await measured<{ before: Measure; after: Measure }>(`
        const broker = await LocalBroker.start();
        broker.createTopic("t");
        const kafka = await loadKafkaJavascript();
        const conf = { "bootstrap.servers": broker.bootstrapServers, "group.id": "g" };
        async function cycle() {
          if (${JSON.stringify(kind)} === "AdminClient") {
            const { "group.id": _, ...own } = conf;
            const client = kafka.AdminClient.create(own);
            const native = client._client;
            await new Promise((resolve, reject) =>
              native.getMetadata({ topic: "t", allTopics: false }, (error) => error ? reject(error) : resolve()));
            client.disconnect();
            await native.free();
            return;
          }
          const client = new kafka[${JSON.stringify(kind)}](conf, {});
          await new Promise((resolve, reject) =>
            client.connect({ allTopics: false, topic: "t" }, (error) => error ? reject(error) : resolve()));
          await new Promise((resolve) => client.disconnect(resolve));
        }
        const cycles = async (count) => {
          for (let n = 0; n < count; n++) await cycle();
        };
        await cycles(200);
        const before = await measure();
        await cycles(1000);
        let after = await measure();
        // The broker closes its ends of the connections when it comes to it.
        for (let n = 0; n < 100 && after.files > before.files; n++) after = await measure();
        await broker.close();
        console.log(JSON.stringify({ before, after }));
      `);
      assert.deepEqual(
        { files: after.files, threads: after.threads },
        { files: before.files, threads: before.threads },
      );
      assert.ok(after.rss - before.rss < MOST_GROWTH_MIB, JSON.stringify({ before, after }));
    },
  });
}
