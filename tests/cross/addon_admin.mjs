/**
 * Records what an addon's admin client returns on a real Kafka. Runs on Node and on Deno. Calls that crash the native addon
 * are left out.
 */

import { Buffer } from "node:buffer";
import { called, connected, done, returned, show } from "./addon_show.mjs";

/** Patterns of texts that differ from run to run. */
function cleaned(text, prefix) {
  return text.replaceAll(prefix, "PREFIX")
    .replace(/(mostSignificantBits|leastSignificantBits|base64|memberId|clientHost): ("[^"]*"|-?\d+n)/g, "$1: …")
    .replace(/port: \d+/g, "port: …").replace(/timestamp: \d{6,}/g, "timestamp: …");
}

/** Calls a method once with each of the arguments. */
async function each(admin, say, method, calls) {
  for (const args of calls) {
    say(`${method} ${show(args)}`, await called((callback) => admin[method](...args, callback)));
  }
}

async function topics(admin, t, say) {
  const one = { num_partitions: 1, replication_factor: 1 };
  const named = (n, own) => ({ topic: `${t}-${n}`, ...one, ...own });
  await each(
    admin,
    say,
    "createTopic",
    [
      { topic: t, num_partitions: 2, replication_factor: 1 },
      { topic: t, ...one },
      ...[NaN, "3", -5, 2 ** 31, Infinity].map((count) => named("a", { num_partitions: count })),
      ...[5, Infinity, "1"].map((factor) => named("b", { replication_factor: factor })),
      named("c", { num_partitions: -1, replication_factor: -1 }),
      named("d", { num_partitions: 1.9, replication_factor: 1.9, config: { "retention.ms": "1000" } }),
      ...[{ nope: "1" }, { "retention.ms": 1000 }, ["x"]].map((config) => named("e", { config })),
      named("f", { config: [] }),
      ...["", "a b", "x".repeat(300), null].map((topic) => ({ ...one, topic })),
      one,
      () => {},
    ].map((topic) => [topic, 5000]),
  );
  await each(admin, say, "createTopic", [NaN, -1, 0.5, 2 ** 32 + 5000, 2500].map((ms) => [{ topic: t, ...one }, ms]));
  await each(admin, say, "deleteTopic", [`${t}-f`, "nope", "", "x".repeat(300)].map((name) => [name, 5000]));
  const totals = [3, 3, 1, 0, -1, NaN, 1e9, Infinity, 4.9].map((total) => [t, total, 5000]);
  await each(admin, say, "createPartitions", [...totals, ["nope", 3, 5000], ["", 3, 5000]]);
  say("createPartitions undefined", returned(() => admin.createPartitions(t, 3, 5000, undefined)));
}

async function groups(admin, t, say) {
  const group = { groupId: `${t}-g` };
  const of = (...partitions) => [[{ ...group, partitions }]];
  const place = { topic: t, partition: 0 };
  const lists = [
    [[group]],
    of(),
    of(place, { topic: t, partition: 9 }),
    of({ topic: t, partition: "0" }),
    of({ topic: t }),
    of(5),
    of(place, place),
    of({ topic: 5, partition: NaN }),
    ...["nope", "", undefined].map((groupId) => [[{ groupId }]]),
    [[5]],
    [[{ ...group, partitions: "x" }]],
    [[group, { groupId: "nope" }]],
  ];
  for (const own of [{}, { requireStableOffsets: true, timeout: 4000.5 }]) {
    await each(admin, say, "listConsumerGroupOffsets", lists.map(([list]) => [list, own]));
  }
  const timeouts = ["x", -5, 3_600_001, -1, null].map((timeout) => ({ timeout }));
  await each(
    admin,
    say,
    "listConsumerGroupOffsets",
    [...timeouts, { requireStableOffsets: 1 }].map((o) => [[group], o]),
  );
  const names = [[`${t}-g`], ["nope"], [5], [null, undefined], [`${t}-g`, `${t}-g`]];
  for (
    const own of [{}, ...[true, "x"].map((flag) => ({ includeAuthorizedOperations: flag })), { timeout: 3_600_001 }]
  ) {
    await each(admin, say, "describeGroups", names.map((list) => [list, own]));
  }
  const states = [[], [3], ["3"], [99], "x", [-1], [3, 3], undefined].map((it) => ({ matchConsumerGroupStates: it }));
  const types = [[], [1], [2], [0], [1, 1], [7], ["x"]].map((it) => ({ matchConsumerGroupTypes: it }));
  for (const own of [{}, ...states, ...types]) {
    const mine = (callback) => (error, result) => {
      if (error) return callback(error);
      callback(error, { ...result, groups: result.groups.filter(({ groupId }) => groupId === `${t}-g`) });
    };
    say(`listGroups ${show(own)}`, await called((callback) => admin.listGroups(own, mine(callback))));
  }
}

async function offsets(admin, t, say) {
  const names = [[t], ["nope"], [""], ["a b"], [t, t], [t, "nope"]];
  for (const own of [{}, { includeAuthorizedOperations: true }, ...[NaN, 3_600_001].map((timeout) => ({ timeout }))]) {
    await each(admin, say, "describeTopics", names.map((list) => [list, own]));
  }
  const place = { topic: t, partition: 0 };
  const at = (timestamp) => ({ ...place, offset: { timestamp } });
  const specs = [
    ...[-1, -2, -3, 1004, 9e15, NaN, "x", -9, 1.9, Infinity].map((time) => [at(time)]),
    [place],
    [{ ...place, offset: 5 }],
    [{ ...at(-1), partition: 99 }],
    [{ ...at(-1), topic: "nope" }],
    [at(-1), at(-2)],
    [{}],
    [{ topic: t, offset: { timestamp: -1 } }],
  ];
  for (const own of [{}, { isolationLevel: 1 }]) {
    await each(admin, say, "listOffsets", specs.map((list) => [list, own]));
  }
  const levels = [7, "1", NaN, -1].map((isolationLevel) => ({ isolationLevel }));
  const timeouts = [3_600_001, "x"].map((timeout) => ({ timeout }));
  await each(admin, say, "listOffsets", [...levels, ...timeouts].map((own) => [[at(-1)], own]));
  const records = [
    ...[3, 3.9, undefined, 1, "5", 99, -5, -1].map((offset) => [{ ...place, offset }]),
    [{ topic: t, partition: 99, offset: 1 }],
    [{ topic: "nope", partition: 0, offset: 1 }],
    [{ ...place, offset: 4 }, { ...place, offset: 5 }],
    [{ topic: t, offset: 1 }],
    [5],
  ];
  await each(admin, say, "deleteRecords", records.map((list) => [list, {}]));
  const waits = [-5, NaN, "x", 3_600_001].map((operation_timeout) => ({ operation_timeout }));
  const others = [3_600_001, -1].map((timeout) => ({ timeout }));
  const nothing = [{ topic: t, partition: 1, offset: 0 }];
  await each(admin, say, "deleteRecords", [...waits, ...others].map((own) => [nothing, own]));
}

/**
 * Returns all results of an addon's admin client, by call.
 *
 * @param {object} addon the addon's exports
 * @param {string} servers the `bootstrap.servers` of a real Kafka
 * @param {string} prefix an unused prefix for the names of topics and groups
 * @returns {Promise<Record<string, string>>}
 */
export async function adminOf(addon, servers, prefix) {
  const answers = {};
  const say = (name, answer) => void (answers[cleaned(name, prefix)] = cleaned(answer, prefix));
  const conf = { "bootstrap.servers": servers, "log_level": 0 };
  const admin = new addon.AdminClient(conf);
  say("connect", returned(() => [admin.connect(), admin.connect()]));
  await topics(admin, prefix, say);

  const producer = await connected(addon, "Producer", conf);
  for (let n = 0; n < 10; n++) producer.produce(prefix, 0, Buffer.from("v"), "k", 1000 + n);
  await done((callback) => producer.flush(10_000, callback));
  const consumer = await connected(addon, "KafkaConsumer", { ...conf, "group.id": `${prefix}-g` });
  consumer.subscribe([prefix]);
  for (let over = false; !over;) {
    await new Promise((resolve) =>
      consumer.consume(200, 100, true, (_, messages) => resolve(over = messages?.length > 0))
    );
  }
  const metadata = [[0, 4, "abc"], [1, 1], [2, 2, ""]].map(([partition, offset, metadata]) => ({
    topic: prefix,
    partition,
    offset,
    metadata,
  }));
  say("commitSync", returned(() => consumer.commitSync(metadata)));
  await groups(admin, prefix, say);
  await offsets(admin, prefix, say);
  await each(admin, say, "deleteGroups", [[[`${prefix}-g`], { used: true }]]);
  await done((callback) => consumer.disconnect(callback));
  const names = [[`${prefix}-g`], [`${prefix}-g`, "nope"], [""], [5], ["x", "x"], [null]];
  await each(admin, say, "deleteGroups", [...names.map((list) => [list, {}]), [["y"], { timeout: 3_600_001 }]]);

  const dependent = new addon.AdminClient({}, null, producer);
  say("dependent", returned(() => [dependent.connect(), dependent.disconnect(), dependent.name() === admin.name()]));
  await each(dependent, say, "describeTopics", [[["nope"], {}]]);
  await done((callback) => producer.disconnect(callback));
  say("disconnect", returned(() => [admin.disconnect(), admin.disconnect(), admin.name()]));
  await each(admin, say, "describeTopics", [[["nope"], { disconnected: true }]]);
  say("reconnect", returned(() => admin.connect()));
  await each(admin, say, "deleteTopic", [[prefix, 5000]]);
  admin.disconnect();
  return answers;
}
