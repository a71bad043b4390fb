import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { AdminClient as NativeAdminClient } from "../../src/addon/admin_client.ts";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

type Failure = { code: number; message: string } | null;

const NOWHERE = { "bootstrap.servers": "127.0.0.1:1", "log_level": 0 };
const ignore = () => {};

Deno.test("admin requests check their arguments as the native addon does", () => {
  const admin = new NativeAdminClient({});
  const refused: [() => unknown, string][] = [
    [() => new NativeAdminClient(), "You must supply a global configuration or a preexisting client"],
    [() => new NativeAdminClient(1), "Global configuration data must be specified"],
    [() => new NativeAdminClient({}, null, 5), "Third argument, if provided, must be a client object"],
    [() => new NativeAdminClient({ "no.such": 1 }), 'No such configuration property: "no.such"'],
    [() => admin.createTopic({}, 1, undefined as never), "Need to specify a callback"],
    [() => admin.createTopic({}, "x", ignore), "Must provide 'timeout'"],
    [
      () => admin.createTopic({ topic: "t", num_partitions: 1, replication_factor: 1, config: { a: 1 } }, 1, ignore),
      "Config values must all be provided as strings.",
    ],
    [() => admin.deleteTopic(1, 1, ignore), "Must provide 'timeout', and 'topicName'"],
    [() => admin.createPartitions("t", 1, 1, 4 as never), "Need to specify a callback 2"],
    [() => admin.createPartitions("t", "1", 1, ignore), "Must provide 'totalPartitions', 'timeout', and 'topicName'"],
    [() => admin.listGroups(1, ignore), "Must provide options object"],
    [() => admin.describeGroups(null, {}, ignore), "Must provide group name array"],
    [() => admin.describeGroups([], {}, ignore), "Must provide at least one group name"],
    [() => admin.deleteGroups([], {}, ignore), "Must provide at least one group name"],
    [() => admin.listConsumerGroupOffsets([], {}, ignore), "'listGroupOffsets' cannot be empty"],
    [() => admin.listConsumerGroupOffsets([1], {}, ignore), "Each entry must be an object"],
    [
      () => admin.listConsumerGroupOffsets([{ groupId: "g", partitions: [1] }], {}, ignore),
      "Failed to convert partitions to list, provide proper object in partitions",
    ],
    [() => admin.deleteRecords([], {}, ignore), "Must provide at least one TopicPartitionOffset"],
    [
      () => admin.deleteRecords([1], {}, ignore),
      "Failed to convert objects in delete records list, provide proper TopicPartitionOffset objects",
    ],
    [() => admin.describeTopics([], {}, ignore), "'topicNames' cannot be empty"],
    [() => admin.listOffsets(1, {}, ignore), "Must provide an array of 'TopicPartitionOffsets'"],
  ];
  for (const [call, message] of refused) assert.throws(call, { message });
});

Deno.test("admin requests answer −172 when the client is not connected", async () => {
  const admin = new NativeAdminClient({});
  const error = await new Promise((resolve) => admin.listGroups({}, resolve));
  assert.deepEqual(error, { message: "Local: Erroneous state", code: -172 });
  assert.equal(admin.name(), "");
});

Deno.test("an admin request times out when there is no broker, and its client can be disconnected", async () => {
  const { AdminClient } = await loadKafkaJavascript();
  const admin = AdminClient.create(NOWHERE);
  const topic = { topic: "t", num_partitions: 1, replication_factor: 1 };
  const failed = await new Promise<Failure>((resolve) => admin.createTopic(topic, 50, (error) => resolve(error)));
  assert.deepEqual([failed?.code, failed?.message], [-185, "Local: Timed out"]);
  const waiting = new Promise<Failure>((resolve) => admin.createTopic(topic, 200, (error) => resolve(error)));
  admin.disconnect();
  assert.equal((await waiting)?.code, -185, "a request on its way is answered");
});

Deno.test("an admin request with a time-out of 0 times out", async () => {
  await using broker = await LocalBroker.start();
  const { AdminClient } = await loadKafkaJavascript();
  const admin = AdminClient.create({ "bootstrap.servers": broker.bootstrapServers, "log_level": 0 });
  const error = await new Promise<Failure>((resolve) =>
    admin.describeGroups(["g"], { timeout: 0 }, (error) => resolve(error))
  );
  assert.equal(error?.code, -185);
  admin.disconnect();
});

Deno.test("an admin client made from a producer uses its handle, and is disconnected with it", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("there");
  const { AdminClient, Producer } = await loadKafkaJavascript();
  const producer = new Producer({ "bootstrap.servers": broker.bootstrapServers }, {});
  assert.throws(() => AdminClient.createFrom(producer), /must be connected/);
  await new Promise((resolve) => producer.connect({}, resolve));
  const admin = AdminClient.createFrom(producer);
  const topics = () =>
    new Promise<[Failure, string[]]>((resolve) => admin.listTopics((error, topics) => resolve([error, topics])));
  assert.deepEqual((await topics())[1], ["there"]);
  const native = (admin as unknown as { _client: NativeAdminClient })._client;
  const { name } = (producer as unknown as { _client: { name(): string } })._client;
  assert.equal(native.name(), name.call((producer as unknown as { _client: object })._client));
  assert.deepEqual([native.connect(), native.disconnect()], [0, 0]);
  assert.deepEqual((await topics())[1], ["there"], "disconnecting it leaves the producer alone");
  await new Promise((resolve) => producer.disconnect(resolve));
  assert.equal((await topics())[0]?.code, -172);
  assert.equal(native.connect(), -172);
});

Deno.test("getMetadata() of an admin client lists the brokers and topics", async () => {
  await using broker = await LocalBroker.start();
  await broker.createTopic("t", { partitions: 2 });
  const admin = new NativeAdminClient({ "bootstrap.servers": broker.bootstrapServers }, null);
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
