import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type KafkaJavascript, loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { REAL_SERVERS, until } from "../support/brokers.ts";

type Failure = { code: number; message: string };
type Result = { error?: Failure; value?: unknown };
// deno-lint-ignore no-explicit-any -- the requests are called by name, with arguments of any type
type Any = any;

const ignore = REAL_SERVERS === undefined;
const servers = { "bootstrap.servers": REAL_SERVERS ?? "" };
const fresh = (name: string) => `${name}-${crypto.randomUUID().slice(0, 8)}`;

/** Runs a test with an admin client, whose requests it makes promises. */
async function administer(
  test: (ask: (name: string, ...args: unknown[]) => Promise<Result>, lib: KafkaJavascript) => Promise<void>,
): Promise<void> {
  const lib = await loadKafkaJavascript();
  const admin = lib.AdminClient.create(servers) as Any;
  try {
    await test(
      (name, ...args) =>
        new Promise((resolve) =>
          admin[name](...args, (error: Failure | null, value: unknown) => resolve(error ? { error } : { value }))
        ),
      lib,
    );
  } finally {
    admin.disconnect();
  }
}

/** Makes a topic with messages. The nth has the timestamp 1,000,000 + n; the first of two partitions has two thirds. */
async function filled(ask: Any, lib: KafkaJavascript, messages: number, partitions = 2): Promise<string> {
  const topic = fresh("admin");
  const made = await ask("createTopic", { topic, num_partitions: partitions, replication_factor: 1 }, 10_000);
  assert.equal(made.error, undefined);
  const producer = new lib.Producer({ ...servers, "acks": -1 }, {});
  await new Promise((resolve) => producer.connect({}, resolve));
  for (let n = 0; n < messages; n++) {
    producer.produce(topic, partitions > 1 && n % 3 === 1 ? 1 : 0, Buffer.from(`${n}`), "k", 1_000_000 + n);
  }
  await new Promise((resolve) => producer.flush(10_000, resolve));
  await new Promise((resolve) => producer.disconnect(resolve));
  return topic;
}

Deno.test({
  name: "createTopic(), createPartitions() and deleteTopic() call back without a value, or with the broker's error",
  ignore,
  fn: () =>
    administer(async (ask) => {
      const topic = fresh("admin");
      const wanted = { topic, num_partitions: 2, replication_factor: 1, config: { "retention.ms": "60000" } };
      assert.deepEqual(await ask("createTopic", wanted, 10_000), { value: undefined });
      const again = (await ask("createTopic", wanted, 10_000)).error!;
      assert.deepEqual([again.code, again.message], [36, `Topic '${topic}' already exists.`]);
      assert.deepEqual(await ask("createPartitions", topic, 3, 10_000), { value: undefined });
      assert.equal((await ask("createPartitions", topic, 1, 10_000)).error!.code, 37);
      assert.deepEqual(await ask("deleteTopic", topic, 10_000), { value: undefined });
      const unknown = (await ask("deleteTopic", fresh("none"), 10_000)).error!;
      assert.deepEqual([unknown.code, unknown.message], [3, "Broker: Unknown topic or partition"]);
    }),
});

Deno.test({
  name: "describeTopics() describes brokers, ids and operations, and has an error at the index of an unknown topic",
  ignore,
  fn: () =>
    administer(async (ask, lib) => {
      const topic = await filled(ask, lib, 0, 1);
      const none = fresh("none");
      const { value } = await ask("describeTopics", [topic, none], { includeAuthorizedOperations: true }) as Any;
      const [described, missing] = value;
      const { topicId, authorizedOperations, ...rest } = described;
      assert.equal(typeof topicId.mostSignificantBits, "bigint");
      assert.equal(typeof topicId.leastSignificantBits, "bigint");
      assert.match(topicId.base64, /^[\w+/]{22}$/);
      assert.ok(authorizedOperations.includes(lib.KafkaJS.AclOperationTypes.READ));
      const node = rest.partitions[0].leader;
      assert.deepEqual(Object.keys(node).filter((key) => key !== "rack"), ["id", "host", "port"]);
      const partition = { partition: 0, leader: node, isr: [node], replicas: [node] };
      assert.deepEqual(rest, { name: topic, isInternal: false, partitions: [partition] });
      assert.deepEqual([missing.name, missing.error.code, missing.partitions], [none, 3, []]);
      assert.equal("authorizedOperations" in (await ask("describeTopics", [topic], {}) as Any).value[0], false);
    }),
});

Deno.test({
  name:
    "listOffsets() and deleteRecords() take earliest, latest, newest and a timestamp, and have an error for each partition",
  ignore,
  fn: () =>
    administer(async (ask, lib) => {
      const topic = await filled(ask, lib, 6);
      const at = async (timestamp: number, partition = 0) =>
        (await ask("listOffsets", [{ topic, partition, offset: { timestamp } }], {}) as Any).value[0].offset;
      assert.deepEqual([await at(-2), await at(-1), await at(-3), await at(1_000_001)], [0, 4, 3, 1]);
      assert.deepEqual([await at(-2, 1), await at(-1, 1), await at(-3, 1), await at(1_000_002, 1)], [0, 2, 1, 1]);
      const records = [{ topic, partition: 0, offset: 1 }, { topic, partition: 1, offset: 99 }];
      const { value } = await ask("deleteRecords", records, {}) as Any;
      const sorted = value.toSorted((a: Any, b: Any) => a.partition - b.partition);
      assert.deepEqual(sorted[0], { topic, partition: 0, lowWatermark: 1 });
      assert.equal(sorted[1].error.code, 1);
      assert.deepEqual([await at(-2), await at(-2, 1)], [1, 0]);
      const isolation = await ask("listOffsets", [{ topic, partition: 0, offset: { timestamp: -1 } }], {
        isolationLevel: 7,
      });
      assert.equal(isolation.error!.code, -186);
    }),
});

for (const protocol of ["classic", "consumer"]) {
  Deno.test({
    name: `groups of the ${protocol} protocol are listed, described with members and offsets, and deleted when empty`,
    ignore,
    fn: () =>
      administer(async (ask, lib) => {
        const topic = await filled(ask, lib, 4);
        const group = fresh("group");
        const consumer = new lib.KafkaConsumer({
          ...servers,
          "group.id": group,
          "client.id": "member",
          "group.protocol": protocol as "classic",
          "enable.auto.commit": false,
        }, { "auto.offset.reset": "earliest" });
        await new Promise((resolve) => consumer.connect({}, resolve));
        consumer.subscribe([topic]);
        let read = 0;
        await until(async () => {
          read += await new Promise<number>((resolve) => consumer.consume(10, (_, some) => resolve(some?.length ?? 0)));
          return read === 4;
        }, "4 messages");
        consumer.commitSync([{ topic, partition: 0, offset: 2 }]);
        const { ConsumerGroupStates: states, ConsumerGroupTypes: types } = lib.KafkaJS;
        const type = protocol === "classic" ? types.CLASSIC : types.CONSUMER;
        const options = { matchConsumerGroupStates: [states.STABLE], matchConsumerGroupTypes: [type] };
        const listed = (await ask("listGroups", options) as Any).value;
        assert.deepEqual(listed.errors, []);
        assert.deepEqual(listed.groups.find(({ groupId }: Any) => groupId === group), {
          groupId: group,
          isSimpleConsumerGroup: false,
          protocolType: "consumer",
          state: states.STABLE,
          type,
        });
        const { groups: [described] } =
          (await ask("describeGroups", [group], { includeAuthorizedOperations: true }) as Any).value;
        assert.deepEqual([described.state, described.type, described.error], [states.STABLE, type, undefined]);
        assert.ok(described.authorizedOperations.includes(lib.KafkaJS.AclOperationTypes.READ));
        assert.equal(described.partitionAssignor, described.protocol);
        assert.deepEqual(Object.keys(described.coordinator).slice(0, 3), ["id", "host", "port"]);
        const [member] = described.members;
        assert.deepEqual([member.clientId, member.memberAssignment, member.memberMetadata], ["member", null, null]);
        assert.equal("groupInstanceId" in member, false);
        assert.deepEqual(member.assignment.topicPartitions.map((each: Any) => [each.topic, each.partition]), [
          [topic, 0],
          [topic, 1],
        ]);
        const [offsets] = (await ask("listConsumerGroupOffsets", [{ groupId: group }], {}) as Any).value;
        assert.deepEqual(offsets.partitions.map((each: Any) => [each.partition, each.offset]), [[0, 2]]);
        const asked = [{ groupId: group, partitions: [{ topic, partition: 1 }] }];
        const [one] = (await ask("listConsumerGroupOffsets", asked, { requireStableOffsets: true }) as Any).value;
        assert.deepEqual(one, {
          groupId: group,
          partitions: [{ topic, partition: 1, offset: -1001, metadata: null }],
        });
        const [busy] = (await ask("deleteGroups", [group], {}) as Any).value;
        assert.deepEqual([busy.groupId, busy.errorCode, busy.error.code], [group, 68, 68]);
        await new Promise((resolve) => consumer.disconnect(resolve));
        let report: Any;
        await until(async () => {
          [report] = (await ask("deleteGroups", [group], {}) as Any).value;
          return report.errorCode === 0;
        }, "the group is empty");
        assert.deepEqual(report, { groupId: group, errorCode: 0 });
      }),
  });
}
