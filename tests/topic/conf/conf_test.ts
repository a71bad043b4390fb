import assert from "node:assert/strict";
import { conf, Slipstream, Topic } from "@slipstream/slipstream";
import { PROPERTIES } from "../../../src/topic/conf/properties.ts";
import { propertyName, REPLACEMENTS, SNAKE_CASE } from "../../../src/topic/conf/property_names.ts";
import { parseOffsets } from "../../../src/topic/read/offsets.ts";

const SERVERS = { "bootstrap.servers": "localhost:1" };

Deno.test("Topic() reports all problems of its properties at once, and suggests the nearest names", () => {
  assert.throws(
    () =>
      new Topic("t", {
        "bootstrap.server": "x",
        "linger.ms": "soon",
        "max.poll.interval.ms": 5,
        "sasl.password": (() => "hunter2") as never,
        "compression.codec": "rar",
      } as never),
    (error: TypeError) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, /^Topic "t": 5 problems/);
      assert.match(error.message, /no property "bootstrap.server": did you mean "bootstrap.servers"\?/);
      assert.match(error.message, /linger.ms must be a number: "soon"|linger.ms must be a whole number: "soon"/);
      assert.match(error.message, /sasl.password must be a string.*: \*{8}/);
      assert.match(error.message, /compression.codec must be one of none, gzip, snappy, lz4, zstd.*: "rar"/);
      assert.match(
        error.message,
        /max.poll.interval.ms \(5\) must not be below session.timeout.ms/,
        "what contradicts, too",
      );
      return true;
    },
  );
});

Deno.test("Topic() reports properties that contradict each other", () => {
  assert.throws(() => new Topic("t"), /bootstrap.servers is missing/);
  assert.throws(
    () => new Topic("t", { ...SERVERS, "enable.idempotence": true, acks: 1, "max.in.flight": 6 }),
    /2 problems[^]*acks \(1\) contradicts enable.idempotence[^]*max.in.flight \(6\) contradicts/,
  );
  assert.throws(
    () => new Topic("t", { ...SERVERS, "session.timeout.ms": 9000, "max.poll.interval.ms": 8000 }),
    /max.poll.interval.ms \(8000\) must not be below session.timeout.ms/,
  );
  assert.throws(
    () => new Topic("t", { ...SERVERS, "session.timeout.ms": 2000 }),
    /heartbeat.interval.ms \(3000\) must be below session.timeout.ms \(2000\)/,
  );
  assert.throws(() => new Topic("t", { ...SERVERS, "enable.auto.offset.store": true }), /can't be true/);
});

Deno.test("Topic() refuses names that Kafka refuses, and wrong options", () => {
  for (const name of ["", "a b", ".", "..", "ä", "x".repeat(250)]) {
    assert.throws(() => new Topic(name, SERVERS), /A topic's name must be 1 to 249/);
    assert.throws(() => new Topic(["fine", name], SERVERS), /A topic's name must be 1 to 249/);
  }
  assert.throws(() => new Topic([], SERVERS), /the list of names is empty/);
  assert.throws(() => new Topic(5 as never, SERVERS), /A topic's name must be/);
  for (const wrong of [/orders/, /^a/i, /^\d/, "^a(?=b)", /^a+?/, "^("]) {
    assert.throws(() => new Topic(wrong, SERVERS), /A pattern of topics /);
  }
  assert.deepEqual([new Topic(["a", "b", "a"], SERVERS).name, new Topic(/^a[0-9]+$/, SERVERS).name], [
    "a, b",
    "^a[0-9]+$",
  ]);
  assert.throws(() => new Topic("t", SERVERS, { until: "now" as never }), /until must be "end"/);
  assert.throws(() => new Topic("t", SERVERS, { commit: "maybe" as never }), /commit must be/);
  assert.throws(() => new Topic("t", SERVERS, { value: {} as never }), /a codec must have encode and decode/);
  assert.throws(() => new Topic("t", SERVERS, { offset: -3 }), /offset must be a whole number from -2 on/);
  assert.throws(() => new Topic("t", SERVERS, { connectTimeoutMs: 0 }), /connectTimeoutMs must be milliseconds from 1/);
});

Deno.test("Topic() reports all problems of name, properties and options in one error", () => {
  assert.throws(
    () =>
      new Topic("a b", { ...SERVERS, "linger.ms": "soon" }, { offset: -3, until: "now", value: {}, app: 5 } as never),
    (error: TypeError) => {
      assert.ok(error instanceof TypeError);
      const [first, ...problems] = error.message.split("\n");
      assert.equal(first, "new Topic(): 6 problems");
      for (
        const expected of [
          /A topic's name must be 1 to 249 .*: "a b"/,
          /value: a codec must have encode and decode: got an object/,
          /until must be "end": now/,
          /app must be a Slipstream: 5/,
          /offset must be a whole number from -2 on .*: -3/,
          /linger.ms must be a number: "soon"/,
        ]
      ) assert.ok(problems.some((problem) => expected.test(problem)), `${expected} in ${error.message}`);
      return true;
    },
  );
});

Deno.test("conf() merges defaults; topics take them as they are then, and their own come on top", () => {
  conf({ ...SERVERS, "client.id": "first" });
  const before = new Topic("t", { "group.id": "own" });
  conf({ "client.id": "second" });
  const after = new Topic("t", { "client.id": "third" });
  assert.deepEqual({ ...before.conf }, { ...SERVERS, "client.id": "first", "group.id": "own" });
  assert.equal(after.conf["client.id"], "third");
  assert.equal(conf()["client.id"], "second");
  assert.throws(() => conf({ "client.idd": "x" } as never), /did you mean "client.id"/);
});

Deno.test("handle() refuses dead letters that the handler would read: another Topic of the name, or one that matches", () => {
  const app = new Slipstream();
  const bind = (source: Topic, letters: Topic) => app.handle(source, { onError: letters }, () => {});
  const of = (name: string | string[] | RegExp, servers = "localhost:1") =>
    new Topic(name, { "bootstrap.servers": servers });
  for (const source of [of("orders"), of(["other", "orders"]), of(/^ord/)]) {
    assert.throws(() => bind(source, of("orders")), /onError can't be a source of the handler/);
    bind(source, of("dead"));
    bind(source, of("orders", "localhost:2"));
  }
});

Deno.test("conf() keeps the defaults of an app apart from those of others", () => {
  const [one, other] = [new Slipstream(), new Slipstream()];
  conf({ ...SERVERS, "client.id": "default app" });
  conf({ "bootstrap.servers": "localhost:2", "sasl.password": "hunter2" }, one);
  assert.deepEqual({ ...conf({ "group.id": "g" }, one) }, {
    "bootstrap.servers": "localhost:2",
    "sasl.password": "********",
    "group.id": "g",
  });
  assert.deepEqual({ ...new Topic("t", { "group.id": "own" }, { app: one }).conf }, {
    "bootstrap.servers": "localhost:2",
    "sasl.password": "********",
    "group.id": "own",
  });
  assert.throws(() => new Topic("t", {}, { app: other }), /bootstrap.servers is missing/);
  assert.equal(new Topic("t").conf["client.id"], "default app");
  assert.throws(() => conf({}, "app" as never), /conf\(\): app must be a Slipstream: app/);
  assert.throws(() => new Topic("t", {}, { app: 5 as never }), /app must be a Slipstream: 5/);
});

Deno.test("Topic masks secrets in every way of printing", () => {
  const secrets = {
    "sasl.password": "hunter2",
    "ssl.key.password": "hunter2",
    "ssl.key.pem": "hunter2",
    "ssl.keystore.password": "hunter2",
    "sasl.oauthbearer.client.secret": "hunter2",
    "sasl.oauthbearer.config": "hunter2",
  };
  const topic = new Topic("t", { ...SERVERS, ...secrets });
  const printed = [
    Deno.inspect(topic),
    Deno.inspect(topic, { showHidden: true, depth: 9 }),
    JSON.stringify(topic),
    JSON.stringify(topic.conf),
    String(topic),
    Deno.inspect(Object.entries(topic.conf)),
  ].join();
  assert.ok(!printed.includes("hunter2"), printed);
  assert.ok(printed.includes("********"));
});

Deno.test("parseOffsets() takes words, numbers and numbers by partition", () => {
  assert.equal(parseOffsets("beginning")(3), -2);
  assert.equal(parseOffsets("end")(3), -1);
  assert.equal(parseOffsets(7)(3), 7);
  const some = parseOffsets({ 0: 5, 2: "end" });
  assert.deepEqual([some(0), some(1), some(2)], [5, undefined, -1]);
  assert.throws(() => parseOffsets(-3), RangeError);
  assert.throws(() => parseOffsets(0.5), RangeError);
  assert.throws(() => parseOffsets("middle" as never), TypeError);
  assert.throws(() => parseOffsets({ x: 1 } as never), TypeError);
});

Deno.test("Topic() takes the Python clients' names, and refuses two spellings of one property", () => {
  const topic = new Topic("t", {
    bootstrap_servers: "localhost:1",
    group_id: "demo",
    security_protocol: "SASL_SSL",
    sasl_plain_username: "me",
    sasl_plain_password: "hunter2",
    client_id: "c",
  });
  assert.deepEqual({ ...topic.conf }, {
    ...SERVERS,
    "group.id": "demo",
    "security.protocol": "SASL_SSL",
    "sasl.username": "me",
    "sasl.password": "********",
    "client.id": "c",
  });
  assert.throws(
    () => new Topic("t", { ...SERVERS, "sasl.password": "hunter2", sasl_plain_password: "hunter3" }),
    (error: TypeError) =>
      /sasl.password and sasl_plain_password are one property/.test(error.message) && !/hunter/.test(error.message),
  );
  assert.throws(() => new Topic("t", { grup_id: "x" } as never), /no property "grup_id"/);
  assert.throws(
    () => new Topic("t", { ...SERVERS, value_serializer: JSON.stringify, ssl_context: {} } as never),
    /2 problems[^]*value_serializer has no counterpart here: give Topic a codec[^]*ssl_context has no counterpart/,
  );
  for (const name of Object.keys(REPLACEMENTS)) assert.equal(propertyName(name), name);
  for (const [spelling, name] of Object.entries(SNAKE_CASE)) assert.ok(PROPERTIES.has(name), `${spelling}: ${name}`);
});

Deno.test("the error of a configuration that librdkafka refuses has librdkafka's whole text", async () => {
  const topic = new Topic("t", { ...SERVERS, "group.id": "g", "plugin.library.paths": "/nowhere/at_all" });
  const reading = topic[Symbol.asyncIterator]().next();
  await assert.rejects(reading, /can't connect to .*: dlopen\(\) failed: .*\(plugin \/nowhere\/at_all\)/);
  await topic.close();
});

Deno.test("Topic() takes acks in words and numbers, and lists of servers", () => {
  for (const acks of ["all", "ALL", -1, "-1", 0, 1] as const) new Topic("t", { ...SERVERS, acks: acks as "all" });
  assert.throws(
    () => new Topic("t", { ...SERVERS, acks: "some" } as never),
    /acks must be a whole number or all: "some"/,
  );
  new Topic("t", { ...SERVERS, acks: "all", "enable.idempotence": true });
  assert.equal(new Topic("t", { "bootstrap.servers": ["a:1", "b:2"] }).conf["bootstrap.servers"], "a:1,b:2");
  assert.equal(new Topic("t", { bootstrap_servers: ["a:1", "b:2"] }).conf["bootstrap.servers"], "a:1,b:2");
  for (const fine of ["a", "a:1,b:2, c", "SASL_SSL://a:9092", "[::1]:9092", "::1"]) {
    new Topic("t", { "bootstrap.servers": fine });
  }
});

Deno.test("Topic() names the remedy for mistaken properties and options", () => {
  const refusals: [object, object, RegExp][] = [
    [{ "bootstrap.servers": "" }, {}, /bootstrap.servers is empty: give host and port, such as "localhost:9092"$/],
    [{ "bootstrap.servers": [] }, {}, /bootstrap.servers is empty/],
    [
      { "bootstrap.servers": "http://a:1" },
      {},
      /bootstrap.servers must not have URLs: give host and port.*"http:\/\/a:1"/,
    ],
    [{ "bootstrap.servers": "a:1,kafka://b" }, {}, /must not have URLs.*"kafka:\/\/b"/],
    [{ "bootstrap.servers": "a:1 b:2" }, {}, /needs a comma between addresses: "a:1 b:2"/],
    [{ "bootstrap.servers": "a:99999" }, {}, /has a port that is not from 1 to 65535/],
    [{ brokers: ["a:1"] }, {}, /brokers has no counterpart here: give "bootstrap.servers"/],
    [{ ...SERVERS, offset: "beginning" }, {}, /offset is not a property: give it in the third argument/],
    [SERVERS, { offset: "earliest" }, /for "earliest" give "beginning"/],
    [SERVERS, { offset: "latest" }, /for "latest" give "end"/],
    [SERVERS, { offsets: "end" }, /no option "offsets": did you mean "offset"\?/],
    [SERVERS, { "group.id": "g" }, /no option "group.id": it is a property, for the second argument/],
    [SERVERS, { group_id: "g" }, /no option "group_id": it is a property/],
    [SERVERS, { fromBeginning: true }, /no option "fromBeginning"/],
    [SERVERS, null as never, /options must be an object/],
    [{ ...SERVERS, "transactional.id": "x" }, {}, /transactional.id can't be set: .*use the Producer/],
    [{ ...SERVERS, "ssl_key": "x" }, {}, /ssl_key can't be set: give ssl.key.pem/],
    [{ ...SERVERS, "error_cb": "x" }, {}, /error_cb can't be set/],
    [
      { ...SERVERS, "linger.ms": 5000, "message.timeout.ms": 1000 },
      {},
      /linger.ms \(5000\) must not be above message.timeout.ms/,
    ],
    [
      { ...SERVERS, "partition.assignment.strategy": "coop" },
      {},
      /must be a list of range, roundrobin, cooperative-sticky: "coop"/,
    ],
    [
      { ...SERVERS, "partition.assignment.strategy": "range,cooperative-sticky" },
      {},
      /can't have cooperative-sticky beside others/,
    ],
    [{ ...SERVERS, "group.protocol": "consumer", "session.timeout.ms": 9000 }, {}, /group.consumer.session.timeout.ms/],
    [
      { ...SERVERS, "security.protocol": "SASL_SSL", "sasl.mechanism": "plain" },
      {},
      /2 problems[^]*sasl.username is missing[^]*sasl.password is missing/,
    ],
    [{ ...SERVERS, "debug": "consumer,everything" }, {}, /debug must be a list of generic/],
    [
      { ...SERVERS, "fetch.max.bytes": 1000 },
      {},
      /fetch.max.bytes \(1000\) must not be below message.max.bytes \(1000000\)/,
    ],
  ];
  for (const [conf, options, expected] of refusals) {
    assert.throws(() => new Topic("t", conf as never, options as never), expected, JSON.stringify([conf, options]));
  }
});

Deno.test("Topic() compares max.poll.interval.ms with session.timeout.ms only where the group protocol does", () => {
  new Topic("t", { ...SERVERS, "group.protocol": "consumer", "max.poll.interval.ms": 6000 });
  assert.throws(
    () => new Topic("t", { ...SERVERS, "max.poll.interval.ms": 6000 }),
    /must not be below session.timeout.ms \(45000\)/,
  );
});
