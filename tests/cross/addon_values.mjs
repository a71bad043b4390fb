/**
 * Records how an addon converts odd values, as arguments and as results. Runs on Node and on Deno. Calls that crash the native
 * addon are left out.
 */

import { Buffer } from "node:buffer";
import { called, connected, done, returned, show } from "./addon_show.mjs";

const VALUE = Buffer.from("v");
const long = "x".repeat(300);
const view = new DataView(new Uint8Array([65, 66]).buffer);

/** What can be observed without a connection. */
function unconnected(addon, say) {
  for (const name of Object.keys(addon)) if (name !== "path") say(`exports ${name}`, typeof addon[name]);
  for (const code of [undefined, "x", NaN, 3.7, null, "-185", -185, {}]) {
    say(`err2str(${show(code)})`, returned(() => addon.err2str(code)));
  }
  for (const kind of ["Producer", "KafkaConsumer", "AdminClient", "Topic"]) {
    say(`${kind} without new`, returned(() => addon[kind]({}, {})));
  }
  const names = [1.5, null, undefined, {}, -0, true, 1n, [], () => {}].map((id) => ({ "client.id": id }));
  const others = [[], { 0: "x" }, { nope: 1 }, { dr_cb: true }, { "enable.idempotence": "yes" }];
  for (
    const conf of [...names, ...others, ...[1e10, "x", -1].map((ms) => ({ "linger.ms": ms })), "x", null, () => {}]
  ) {
    say(`configuration ${show(conf)}`, returned(() => typeof new addon.Producer(conf, {})));
  }
  for (const conf of [{ nope: 1 }, { partitioner: "x" }, "x", 1, undefined, null, () => {}]) {
    say(`topic configuration ${show(conf)}`, returned(() => typeof new addon.KafkaConsumer({}, conf)));
  }
  for (const args of [["t", "x"], ["t", 1], ["", {}], ["t", { nope: 1 }], [1], [], ["t", () => {}]]) {
    say(`Topic ${show(args)}`, returned(() => new addon.Topic(...args).name()));
  }
}

async function common(consumer, t, say) {
  const call = () => {};
  const given = [
    [],
    call,
    ...["global", "event"].flatMap((group) =>
      [{ nope: call }, { nope: 1 }, "x", call, null, []].map((own) => ({ [group]: own }))
    ),
    { other: { nope: call } },
    { global: { offset_commit_cb: call, nope: call } },
  ];
  for (const own of given) {
    say(`configureCallbacks ${show(own)}`, returned(() => consumer.configureCallbacks(true, own)));
  }
  const options = [
    { topic: t, allTopics: false },
    { topic: t },
    { topic: 5, allTopics: false },
    { topic: null, allTopics: null, timeout: null },
    { allTopics: "x", timeout: "x" },
    { timeout: 5000.5 },
    ...["s", 5, null, undefined, () => {}],
  ];
  for (const own of options) {
    const keys = (callback) => (error, found) => callback(error, found && Object.keys(found), found?.topics.length > 0);
    say(`getMetadata ${show(own)}`, await called((callback) => consumer.getMetadata(own, keys(callback))));
  }
  const consumes = [[0, 0, true], [1, 0, false], [1, NaN, true], ["1", 1.9, true], [undefined, 0, true], [
    NaN,
    1,
    true,
  ]];
  for (const args of consumes) {
    say(`consume ${show(args)}`, await called((callback) => consumer.consume(...args, callback)));
  }
}

async function transactions(addon, say) {
  const producer = new addon.Producer({}, {});
  for (const name of ["initTransactions", "commitTransaction", "abortTransaction"]) {
    const [error] = await new Promise((resolve) => producer[name](100, (...given) => resolve(given)));
    // The native addon's marks are uninitialized memory.
    say(`unconnected ${name}`, show([error instanceof Error, error.message, error.code, Object.keys(error)]));
  }
  say("unconnected beginTransaction", await called((callback) => producer.beginTransaction(callback)));
  say("unconnected flush", await called((callback) => producer.flush(100, callback)));
  say("unconnected disconnect", await called((callback) => producer.disconnect(callback)));
  const nobody = new addon.Producer({ "bootstrap.servers": "127.0.0.1:1", "log_level": 0 }, {});
  await done((callback) => nobody.connect(callback));
  nobody.produce("t", 0, VALUE);
  for (const ms of [30, 0, NaN]) say(`flush in vain ${ms}`, await called((callback) => nobody.flush(ms, callback)));
  await done((callback) => nobody.disconnect(callback));
}

const HEADERS = [
  { a: "1" },
  { b: Buffer.from("2") },
  { a: "" },
  { c: Buffer.alloc(0) },
  { "": "x" },
  { d: view },
  { e: new Uint16Array([0x4142]) },
  { f: "1", g: "2" },
];

async function refusals(addon, say) {
  const conf = { "group.id": "g", "log_level": 0 };
  for (
    const own of [
      { "security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN" },
      { "security.protocol": "ssl", "ssl.ca.location": "/nowhere" },
      { "session.timeout.ms": 9000, "max.poll.interval.ms": 8000 },
      { "group.protocol": "consumer", "partition.assignment.strategy": "range" },
      { "enable.idempotence": true, acks: 0 },
      { "group.id": "" },
    ]
  ) {
    for (const kind of ["Producer", "KafkaConsumer"]) {
      const client = new addon[kind]({ ...conf, ...own }, {});
      const answer = await called((callback) => client.connect(callback));
      say(`${kind} ${show(own)}`, answer.replace(/rdkafka#\w+-\d+/, "NAME"));
      await done((callback) => client.disconnect(callback));
    }
  }
}

async function messages(addon, conf, t, say) {
  const reports = [];
  const delivery_cb = Object.assign((...given) => reports.push(given), { dr_msg_cb: true });
  const producer = await connected(addon, "Producer", conf, { event: { delivery_cb } });
  const rest = [VALUE, "k", 5];
  const calls = [
    ...[[VALUE, "k"], [null, null], [VALUE, 12], [VALUE, {}], [VALUE, false], [VALUE, ""], [view, view], [
      VALUE,
      "k",
      1234.9,
    ], [VALUE, "k", -5]].map((args) => [t, 0, ...args]),
    ...[null, undefined, { a: 1 }, "o", 0].map((opaque) => [t, 0, ...rest, opaque]),
    ...[HEADERS, [], undefined, ["ab"], [["x", "y"]]].map((headers) => [t, 0, ...rest, null, headers]),
    ...["0", 0.7, NaN, {}, 2 ** 32].map((partition) => [t, partition, VALUE]),
    [new addon.Topic(t, {}), 0, VALUE, "k"],
    [t, 0, new ArrayBuffer(2)],
    [t, 0, Buffer.alloc(2_000_000)],
    [t, 0, VALUE, "k", 1n],
    [t, 0, VALUE, "k", NaN],
    [long.repeat(2), 0, VALUE],
  ];
  for (const [at, args] of calls.entries()) {
    say(`produce ${at}`, returned(() => producer.produce(...args)));
  }
  // The native addon queues it before it refuses it: so it goes to another topic, which is not read.
  for (const header of [{}, 1, { a: null }, { a: 1 }, { a: undefined }]) {
    say(`produce header ${show(header)}`, returned(() => producer.produce("u", 0, ...rest, undefined, [header])));
  }
  say("flush", await called((callback) => producer.flush(10_000, callback)));
  // In the native addon they come after that.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const read = reports.filter(([, { topic }]) => topic !== "u");
  read.sort(([, a], [, b]) => a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.offset - b.offset);
  for (const [at, report] of read.entries()) say(`report ${at}`, show(report).replace(/timestamp: \d{5,}/, "now"));
  await done((callback) => producer.disconnect(callback));

  const consumer = await connected(addon, "KafkaConsumer", {
    ...conf,
    "group.id": t,
    "enable.partition.eof": true,
    // Meanwhile the broker answers no other request.
    "fetch.wait.max.ms": 10,
  });
  consumer.assign([{ topic: t, partition: 0, offset: 0 }]);
  for (let at = 0, over = false; !over;) {
    const [, some, ends] = await new Promise((resolve) =>
      consumer.consume(500, 1000, true, (...given) => resolve(given))
    );
    for (const message of some) say(`message ${at++}`, show(message).replace(/timestamp: \d{5,}/, "now"));
    for (const end of ends) say(`end ${at}`, show({ ...end, messageIndex: 0 }));
    over = ends.length > 0;
  }
  return consumer;
}

async function partitions(consumer, t, say) {
  const place = { topic: t, partition: 0 };
  const at = (offset) => ({ ...place, offset });
  for (const ms of [1000, null, -1, NaN]) {
    const seek = () => called((callback) => consumer.seek(at(1), ms, callback));
    let answer = await seek();
    // An odd time-out means 10 ms, which a busy machine may exceed by itself.
    for (let more = 20; more > 0 && answer.includes("code: -185"); more--) answer = await seek();
    say(`seek ${ms}`, answer);
  }
  const targets = [
    ...[99_999, -1, -5, -1001, -1000, undefined, "3", 1.5, NaN, Infinity].map(at),
    ...[1, -2, -1, "0", 0.5, NaN].map((partition) => ({ ...at(1), partition })),
    ...["nope", 5, "", null].map((topic) => ({ ...at(1), topic })),
  ];
  for (const target of targets) {
    say(`seek ${show(target)}`, await called((callback) => consumer.seek(target, 1000, callback)));
  }
  const lists = [
    [],
    [place],
    [null, 5, "x", place],
    [place, place],
    ...[0.7, NaN, 1, -2, 2 ** 32].map((partition) => [{ topic: t, partition }]),
    [{ topic: 5, partition: 0 }],
    ...["3", Infinity, -1, 2.9].map((offset) => [at(offset)]),
    [{ ...place, metadata: 5, leaderEpoch: "5" }],
    [{ ...at(NaN), leaderEpoch: NaN }],
    [{ ...at(3), metadata: "m", leaderEpoch: 0 }],
    [{ ...at(4), metadata: "" }],
    [{ ...at(4), metadata: "\u00e4\u20ac" }],
    [{ ...at(4), metadata: "\ufeffm" }],
  ];
  for (const list of lists) {
    const name = show(list);
    say(`position ${name}`, returned(() => consumer.position(list)));
    say(`committed ${name}`, await called((callback) => consumer.committed(list, 5000, callback)));
    say(`offsetsForTimes ${name}`, await called((callback) => consumer.offsetsForTimes(list, 5000, callback)));
    for (const method of ["pause", "resume", "offsetsStore", "commitSync"]) {
      say(`${method} ${name}`, returned(() => consumer[method](list)));
    }
    say(`committed after ${name}`, await called((callback) => consumer.committed([place], 5000, callback)));
    say(`commitCb ${name}`, await called((callback) => consumer.commitCb(list, callback)));
  }
  const wrong = [{ topic: t }, { ...place, partition: "0" }, { ...place, topic: "" }, { partition: 0 }, {}, {
    ...place,
    partition: -1,
  }];
  for (const one of wrong) {
    for (const method of ["commit", "commitSync"]) say(`${method} ${show(one)}`, returned(() => consumer[method](one)));
  }
  // Commits for a partition that does not exist are tried three times in 200 ms. A commit that is sent after a join is answered
  // only when the join is, and disconnect() waits for it.
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const [topic, partition] of [[t, 0], [t, 0.5], [t, NaN], [t, 9], ["nope", 0], [t, -1]]) {
    const name = show([topic, partition]);
    say(`getWatermarkOffsets ${name}`, returned(() => consumer.getWatermarkOffsets(topic, partition)));
    say(
      `queryWatermarkOffsets ${name}`,
      await called((callback) => consumer.queryWatermarkOffsets(topic, partition, 3000, callback)),
    );
  }
}

function assignments(consumer, t, say) {
  const given = [
    {},
    { partition: 0 },
    { topic: t },
    { topic: 5, partition: 0 },
    ...["0", NaN, -7, 2 ** 32, 0.9].map((partition) => ({ topic: t, partition })),
    ...["1", 1.9, -1, -1001, -5, NaN, Infinity].map((offset) => ({ topic: t, partition: 0, offset })),
    { topic: t, partition: 0, offset: 3, metadata: "m", leaderEpoch: 0 },
  ];
  for (const list of [[], ...given.map((one) => [one]), [{ topic: t, partition: 0 }, { topic: t, partition: 0 }]]) {
    const name = show(list);
    say(`assign ${name}`, returned(() => consumer.assign(list)));
    say(`assignments ${name}`, returned(() => consumer.assignments()));
    say(`unassign ${name}`, returned(() => consumer.unassign()));
    say(`incrementalAssign ${name}`, returned(() => consumer.incrementalAssign(list)));
    say(`assignments then ${name}`, returned(() => consumer.assignments()));
    say(`incrementalUnassign ${name}`, returned(() => consumer.incrementalUnassign(list)));
    consumer.unassign();
  }
  say("subscribe to what is no text", returned(() => consumer.subscribe([t, 5, null, /^x.*/])));
  say("subscription", returned(() => consumer.subscription()));
  for (const list of [[""], ["^("]]) say(`subscribe ${show(list)}`, returned(() => consumer.subscribe(list)));
  consumer.subscribe([t]);
  const stored = [[t, 0, 1, -1], [t, "0", "1", "0"], [t, 0, undefined, undefined], [t, -1, 1, 0], [t, 9, 1, 0]];
  for (const args of [...stored, [5, 0, 1, -1], [t, NaN, NaN, NaN]]) {
    say(`offsetsStoreSingle ${show(args)}`, returned(() => consumer.offsetsStoreSingle(...args)));
  }
  for (const args of [["t", NaN, "p"], ["t", 1e15, "p", [1, "x"]], ["t", -5, "p", []], ["t", 1e15, "p", ["odd"]]]) {
    say(`setOAuthBearerToken ${show(args)}`, returned(() => consumer.setOAuthBearerToken(...args)));
  }
}

/**
 * Returns all results of an addon for odd values, by scenario.
 *
 * @param {object} addon the addon's exports
 * @param {string} servers the `bootstrap.servers` of a broker with the topics `t` and `u`
 * @param {string} topic an unused topic with one partition
 * @returns {Promise<Record<string, string>>}
 */
export async function valuesOf(addon, servers, topic) {
  const answers = {};
  const say = (name, answer) => void (answers[name.replaceAll(topic, "TOPIC")] = answer.replaceAll(topic, "TOPIC"));
  unconnected(addon, say);
  await transactions(addon, say);
  await refusals(addon, say);
  const consumer = await messages(addon, { "bootstrap.servers": servers }, topic, say);
  await partitions(consumer, topic, say);
  assignments(consumer, topic, say);
  await done((callback) => consumer.disconnect(callback));
  // A client that has received no metadata yet.
  const conf = { "bootstrap.servers": servers, "group.id": `${topic}-g` };
  const fresh = await connected(addon, "KafkaConsumer", conf);
  await common(fresh, topic, say);
  await done((callback) => fresh.disconnect(callback));
  return answers;
}
