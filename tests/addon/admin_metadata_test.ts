import assert from "node:assert/strict";
import { AdminClient } from "../../src/addon/admin_client.ts";
import { LocalBroker } from "../../src/testing/local_broker.ts";

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
