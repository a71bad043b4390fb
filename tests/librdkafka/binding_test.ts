import assert from "node:assert/strict";
import { AdminClient } from "../../src/librdkafka/admin_client.ts";
import { Producer } from "../../src/librdkafka/producer.ts";
import { LocalBroker } from "../../src/testing/local_broker.ts";

Deno.test("setPartitioner() answers true and the function is never called, as with the addon", async () => {
  await using broker = await LocalBroker.start();
  await broker.createTopic("t", { partitions: 3 });
  const producer = new Producer({ "bootstrap.servers": broker.bootstrapServers, partitioner: "murmur2" }, {});
  await new Promise((resolve) => producer.connect(resolve));
  let calls = 0;
  assert.equal(producer.setPartitioner(() => calls++), true);
  const partitions = new Set<number>();
  producer.configureCallbacks(true, {
    event: { delivery_cb: (_error: unknown, report: { partition: number }) => partitions.add(report.partition) },
  });
  producer.produce("t", null, new TextEncoder().encode("v") as never, "one key");
  const flushed = await new Promise((resolve) => producer.flush(5000, resolve));
  await new Promise((resolve) => producer.disconnect(resolve));
  assert.deepEqual([flushed, calls], [null, 0]);
});

Deno.test("getMetadata() of an admin client lists the brokers and topics", async () => {
  await using broker = await LocalBroker.start();
  await broker.createTopic("t", { partitions: 2 });
  const admin = new AdminClient({ "bootstrap.servers": broker.bootstrapServers }, null);
  assert.equal(admin.connect(), 0);
  const metadata = await new Promise<{ topics: { name: string; partitions: unknown[] }[] }>((resolve, reject) =>
    admin.getMetadata(
      { topic: "t", timeout: 5000 },
      (error, result) => error ? reject(error) : resolve(result as never),
    )
  );
  assert.equal(admin.disconnect(), 0);
  assert.deepEqual(metadata.topics.map(({ name, partitions }) => [name, partitions.length]), [["t", 2]]);
});
