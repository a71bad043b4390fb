import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { NULL_HEADER } from "../../src/ffi/null_header.ts";
import { until } from "../support/brokers.ts";
import { ask, connectProducer, decode, readBack, startBrokerWithTopic } from "../support/producers.ts";

Deno.test("a delivery report has the payload only with dr_msg_cb, and an opaque only if produce() got one", async () => {
  await using broker = await startBrokerWithTopic();
  for (const withPayload of [false, true]) {
    await using made = await connectProducer(broker.bootstrapServers, withPayload ? { dr_msg_cb: true } : {});
    const { producer, reports } = made;
    producer.produce("t", 0, Buffer.from("value"), "key", 5000);
    producer.produce("t", 0, null, null, null, null as never);
    await ask(producer, "flush", 5000);
    const [full, bare] = reports;
    const { offset, ...rest } = full!;
    assert.ok(offset >= 0);
    assert.deepEqual(rest, {
      error: null,
      topic: "t",
      partition: 0,
      key: Buffer.from("key"),
      size: 5,
      // The local broker answers that it appended the record at 1234.
      timestamp: 1234,
      ...(withPayload ? { value: Buffer.from("value") } : {}),
    });
    assert.deepEqual([bare!.key, bare!.size, bare!.opaque, "value" in bare!], [null, 0, null, withPayload]);
    assert.deepEqual(bare!.value, withPayload ? null : undefined);
  }
});

Deno.test("produce() converts a key of any type to text, and takes the bytes of any view", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers, { dr_msg_cb: true });
  const { producer, native, reports } = made;
  const wide = new Uint16Array([65, 66]);
  const keys = ["", Buffer.alloc(0), "é\0x", 5, false, [1, 2], { a: 1 }, 10n, wide, new DataView(wide.buffer, 2), null];
  for (const key of keys) assert.equal(native.produce!("t", 0, wide, key), 0);
  assert.equal(native.produce!("t", 0, new DataView(wide.buffer, 2, 1), undefined), 0);
  assert.throws(() => native.produce!("t", 0, null, Symbol("no text")), TypeError);
  await ask(producer, "flush", 5000);
  assert.deepEqual(reports.map(({ key }) => decode(key)), [
    "",
    "",
    "é\0x",
    "5",
    "false",
    "1,2",
    "[object Object]",
    "10",
    "A\0B\0",
    "B\0",
    null,
    null,
  ]);
  assert.deepEqual(reports.map(({ value }) => decode(value)), [...keys.map(() => "A\0B\0"), "B"]);
});

Deno.test("produce() leaves the choice of the partition to librdkafka if it is negative or absent, as the native addon does", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers);
  const { producer, native, reports } = made;
  const value = Buffer.from("v");
  for (const partition of [null, undefined, -1, -5, "0", 0.9, NaN, {}]) {
    assert.equal(native.produce!("t", partition, value), 0);
  }
  await ask(producer, "flush", 5000);
  assert.deepEqual(new Set(reports.map(({ partition, error }) => `${partition} ${error}`)), new Set(["0 null"]));
  assert.equal(reports.length, 8);
  // librdkafka knows the number of partitions by now.
  assert.throws(() => producer.produce("t", 99, value), { code: -190 });
});

Deno.test("produce() takes a timestamp in whole milliseconds; an absent one means now", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers);
  const { producer, native } = made;
  const before = Date.now();
  for (const timestamp of [1234.7, null, undefined, 0, NaN, 0.5]) {
    assert.equal(native.produce!("t", 0, null, null, timestamp), 0);
  }
  for (const timestamp of ["1", 5n, false, new Date()]) {
    assert.throws(() => native.produce!("t", 0, null, null, timestamp), /^Error: Timestamp must be a number$/);
  }
  await ask(producer, "flush", 5000);
  const read = await readBack(broker.bootstrapServers, "t", 6);
  const [first, ...others] = read.map(({ timestamp }) => timestamp!);
  assert.equal(first, 1234);
  assert.equal(others.length, 5);
  for (const now of others) assert.ok(now >= before && now <= Date.now(), `${now}`);
});

Deno.test("produce() refuses bad arguments before it queues the record, and drops its opaque", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers, { "message.max.bytes": 1000 });
  const { producer, native, reports } = made;
  for (const header of [{ a: 5 }, { a: undefined }, { a: null }, { a: true }, {}, null, 5]) {
    assert.throws(
      () => native.produce!("t", 0, null, null, null, header, [{ good: "1" }, header]),
      /^Error: Header value must be a string or buffer$/,
    );
  }
  assert.throws(() => native.produce!("t", 0), /^Error: Need to specify a topic, partition, and message$/);
  for (const value of ["text", undefined, 5, new ArrayBuffer(1)]) {
    assert.throws(() => native.produce!("t", 0, value), /^Error: Message must be a buffer or null$/);
  }
  for (const topic of ["", undefined, 5, {}]) {
    assert.throws(() => producer.produce(topic as never, 0, null), /^TypeError: "topic" must be a string$/);
  }
  assert.throws(() => producer.produce("t", 0, Buffer.alloc(2000)), { code: 10 });
  assert.throws(() => producer.produce("t\0", 0, null), /can't contain a NUL/);
  await ask(producer, "flush", 5000);
  assert.deepEqual(reports, []);
});

Deno.test("headers are read in order, also with equal names, empty values and null", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers);
  const headers = [
    { a: "1" },
    { a: Buffer.from("2") },
    { empty: "" },
    { none: NULL_HEADER },
    {
      "5": "five",
      second: "no",
    },
    { view: new DataView(new ArrayBuffer(0)) },
    {
      numbers: new Uint16Array([0x4142]),
    },
  ];
  made.native.produce!("t", 0, Buffer.from("with"), null, null, undefined, headers);
  made.native.produce!("t", 0, Buffer.from("null"), null, null, undefined, null);
  made.native.produce!("t", 0, Buffer.from("none"), null, null, undefined, []);
  await ask(made.producer, "flush", 5000);
  const [first, ...others] = await readBack(broker.bootstrapServers, "t", 3);
  assert.deepEqual(
    first!.headers!.map((header) => Object.entries(header).map(([name, value]) => [name, decode(value)])[0]),
    [
      ["a", "1"],
      ["a", "2"],
      ["empty", ""],
      ["none", ""],
      ["5", "five"],
      ["view", ""],
      ["numbers", "BA"],
    ],
  );
  // The program can tell Kafka's null from an empty value, and produce it again.
  assert.ok(first!.headers![3]!.none === NULL_HEADER && first!.headers![2]!.empty !== NULL_HEADER);
  assert.deepEqual(others.map(({ headers }) => headers), [undefined, undefined]);
});

Deno.test("records with headers keep every byte, however many and large the headers", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers);
  const bytes = (length: number, seed: number) => Buffer.alloc(length).map((_, at) => at * seed & 255);
  const messages = [0, 1, 100, 4096, 4097, 70_000].flatMap((length, index) =>
    [0, 1, 15, 40].map((count) => ({
      value: bytes(length, 3 + index),
      key: bytes(length === 70_000 ? 5000 : length, 5 + index),
      headers: Array.from({ length: count }, (_, at) => ({
        [`näme-${at}`]: at % 2 === 0 ? bytes(Math.min(length, 5000), at + 1) : `wörd ${"🏆".repeat(at)} ${length}`,
      })),
      timestamp: 1_700_000_000_000 + index,
    }))
  );
  for (const { value, key, headers, timestamp } of messages) {
    assert.equal(made.native.produce!("t", 0, value, key, timestamp, undefined, headers), 0);
  }
  await ask(made.producer, "flush", 5000);
  const read = await readBack(broker.bootstrapServers, "t", messages.length);
  const hex = (value: unknown) => Buffer.from(value as Uint8Array | string).toString("hex");
  for (const [at, { value, key, headers, timestamp }] of messages.entries()) {
    const { headers: back = [], ...one } = read[at]!;
    assert.equal(hex(one.value!), hex(value));
    assert.equal(hex(one.key!), hex(key));
    assert.equal(one.timestamp, timestamp);
    const named = (first: readonly object[]) =>
      first.map((header) => Object.entries(header).map(([name, it]) => [name, hex(it)]));
    assert.deepEqual(named(back), named(headers));
  }
});

Deno.test("a delivery report has the same opaque value that produce() got, of any type", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers);
  const values = [{}, [], 0, "", false, null, Symbol("s"), 5n, () => 1, NaN, Buffer.from("b")];
  for (const value of values) made.producer.produce("t", 0, null, null, null, value as never);
  await ask(made.producer, "flush", 5000);
  assert.ok(values.every((value, at) => Object.is(made.reports[at]!.opaque, value)));
});

Deno.test("an opaque value is dropped once its record is reported, refused or purged", async () => {
  await using broker = await startBrokerWithTopic();
  const held: WeakRef<object>[] = [];
  const fresh = () => {
    const value = { some: "thing" };
    held.push(new WeakRef(value));
    return value;
  };
  {
    await using made = await connectProducer(broker.bootstrapServers, { "message.max.bytes": 1000 });
    const { producer, native } = made;
    producer.produce("t", 0, null, null, null, fresh());
    native.produce!("t", 0, Buffer.alloc(2000), null, null, fresh());
    assert.throws(() => native.produce!("t", 0, null, null, null, fresh(), [{ bad: 5 }]));
    assert.throws(() => native.produce!("t\0", 0, null, null, null, fresh()));
    await ask(producer, "flush", 5000);
    made.reports.length = 0;
    await collected(held);
    broker.setDown();
    producer.produce("t", 0, null, null, null, fresh());
    await ask(native, "disconnect");
    made.reports.length = 0;
    await collected(held);
    broker.setUp();
    await ask(native, "connect");
  }
});

async function collected(held: readonly WeakRef<object>[]): Promise<void> {
  const { default: v8 } = await import("node:v8");
  v8.setFlagsFromString("--expose-gc");
  const { default: vm } = await import("node:vm");
  const gc = vm.runInNewContext("gc") as () => void;
  await until(() => (gc(), held.every((ref) => ref.deref() === undefined)), "all let go");
}
