import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

type Answer = (error: { code: number } | null, result?: unknown) => void;
type Native = {
  connect(): number;
  disconnect(): number;
  name(): string;
  free(): Promise<void>;
  listOffsets(partitions: unknown[], options: unknown, callback: Answer): void;
};

async function newAdmin(servers: string): Promise<Native> {
  const { AdminClient } = await loadKafkaJavascript();
  return (AdminClient.create({ "bootstrap.servers": servers }) as unknown as { _client: Native })._client;
}

const listed = (client: Native) =>
  new Promise<unknown>((resolve) => client.listOffsets([], {}, (error, result) => resolve(error?.code ?? result)));

Deno.test("an admin client's connect() while it disconnects answers 0, and requests wait for the new connection", async () => {
  await using broker = await LocalBroker.start();
  const client = await newAdmin(broker.bootstrapServers);
  const before = client.name();
  assert.deepEqual([client.disconnect(), client.connect(), client.connect()], [0, 0, 0]);
  assert.deepEqual(await listed(client), []);
  assert.notEqual(client.name(), before);
  client.disconnect();
  await client.free();
  assert.equal(await listed(client), -172);
});

Deno.test("an admin client's disconnect() cancels a connect() that waits for the disconnect before it", async () => {
  await using broker = await LocalBroker.start();
  const client = await newAdmin(broker.bootstrapServers);
  assert.deepEqual([client.disconnect(), client.connect(), client.disconnect()], [0, 0, 0]);
  await client.free();
  assert.equal(client.name(), "");
  assert.equal(await listed(client), -172);
});
