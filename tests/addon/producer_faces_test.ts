import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { until } from "../support/brokers.ts";
import { ask, decode, readBack, startBrokerWithTopic } from "../support/producers.ts";

Deno.test("a HighLevelProducer's callback gets the offset, with synchronous, promised and callback serializers", async () => {
  await using broker = await startBrokerWithTopic();
  const { HighLevelProducer } = await loadKafkaJavascript();
  const producer = new HighLevelProducer({ "bootstrap.servers": broker.bootstrapServers }, {});
  await ask(producer, "connect", {});
  type Answer = (error: unknown, result?: unknown) => void;
  const ways: [value: (v: unknown, answer?: Answer) => unknown, key: (k: unknown, answer?: Answer) => unknown][] = [
    [(v) => Buffer.from(`sync ${v}`), (k) => `sync ${k}`],
    [(v) => Promise.resolve(Buffer.from(`promised ${v}`)), (k) => Promise.resolve(Buffer.from(`promised ${k}`))],
    [
      (v, answer) => void setImmediate(() => answer!(null, Buffer.from(`called ${v}`))),
      (k, answer) => answer!(null, `called ${k}`),
    ],
  ];
  try {
    const offsets: number[] = [];
    for (const [value, key] of ways) {
      producer.setValueSerializer(value.length > 1 ? value as never : ((v: unknown) => value(v)) as never);
      producer.setKeySerializer(key.length > 1 ? key as never : ((k: unknown) => key(k)) as never);
      offsets.push(await ask(producer, "produce", "t", 0, "v", "k", null));
    }
    assert.deepEqual(offsets, [0, 1, 2]);
    const topical = producer as unknown as Record<string, (s: (topic: string, value: unknown) => unknown) => void>;
    topical.setTopicValueSerializer!((topic, v) => Buffer.from(`${topic} ${v}`));
    topical.setTopicKeySerializer!((topic, k) => `${topic} ${k}`);
    assert.equal(await ask(producer, "produce", "t", 0, "v", "k", null, [{ h: "1" }]), 3);
    producer.setValueSerializer(((v: unknown) => v) as never);
    producer.setKeySerializer(((k: unknown) => k) as never);
    assert.equal(await ask(producer, "produce", "t", 0, null, null, null), 4);
  } finally {
    await ask(producer, "disconnect", 5000);
  }
  const read = await readBack(broker.bootstrapServers, "t", 5);
  assert.deepEqual(read.map(({ key, value }) => [decode(key), decode(value)]), [
    ["sync k", "sync v"],
    ["promised k", "promised v"],
    ["called k", "called v"],
    ["t k", "t v"],
    [read[4]!.key, null],
  ]);
  assert.equal(decode(read[3]!.headers![0]!.h), "1");
});

Deno.test("a HighLevelProducer's callback gets the error that a serializer throws, rejects with or passes to its callback", async () => {
  await using broker = await startBrokerWithTopic();
  const { HighLevelProducer } = await loadKafkaJavascript();
  const producer = new HighLevelProducer({ "bootstrap.servers": broker.bootstrapServers }, {});
  await ask(producer, "connect", {});
  const failing: ((v: unknown, answer: (error: unknown) => void) => unknown)[] = [
    ((_v: unknown) => Promise.reject(new Error("no"))) as never,
    (_v, answer) => answer(new Error("no")),
    ((_v: unknown) => {
      throw new Error("no");
    }) as never,
  ];
  try {
    for (const which of ["setValueSerializer", "setKeySerializer"] as const) {
      for (const serializer of failing) {
        producer.setValueSerializer(((v: unknown) => v) as never);
        producer.setKeySerializer(((v: unknown) => v) as never);
        producer[which](serializer as never);
        await assert.rejects(ask(producer, "produce", "t", 0, Buffer.from("v"), "k", null), /no$/);
      }
    }
    producer.setKeySerializer(((v: unknown) => v) as never);
    producer.setValueSerializer(((v: unknown) => v) as never);
    await assert.rejects(ask(producer, "produce", "t", 0, "text", "k", null), /Message must be a buffer or null/);
    assert.equal(await ask(producer, "produce", "t", 0, Buffer.from("v"), "k", null), 0, "nothing of these was sent");
  } finally {
    await ask(producer, "disconnect", 5000);
  }
});

Deno.test("createWriteStream() connects by itself, writes buffers, and disconnects at its end", async () => {
  await using broker = await startBrokerWithTopic();
  const { Producer } = await loadKafkaJavascript();
  assert.throws(
    () => Producer.createWriteStream({ "bootstrap.servers": "x" }, {}, {} as never),
    /must provide a topic/,
  );
  const stream = Producer.createWriteStream({ "bootstrap.servers": broker.bootstrapServers }, {}, { topic: "t" });
  for (const value of ["one", "two"]) stream.write(Buffer.from(value));
  stream.end(Buffer.from("three"));
  await until(() => stream.writableFinished && !stream.producer.isConnected(), "written and disconnected");
  const read = await readBack(broker.bootstrapServers, "t", 3);
  assert.deepEqual(read.map(({ value }) => decode(value)), ["one", "two", "three"]);
});

Deno.test("createWriteStream() in object mode writes messages, waits while the queue is full, and emits errors", async () => {
  await using broker = await startBrokerWithTopic();
  const { Producer } = await loadKafkaJavascript();
  const conf = { "bootstrap.servers": broker.bootstrapServers, "queue.buffering.max.messages": 3, "linger.ms": 0 };
  const stream = Producer.createWriteStream(conf, {}, { objectMode: true, pollInterval: 5, highWaterMark: 2 } as never);
  let full = 0;
  for (let n = 0; n < 10; n++) {
    const message = { topic: "t", partition: 0, value: Buffer.from(`${n}`), key: `k${n}`, headers: [{ h: `${n}` }] };
    if (!stream.write(message)) {
      full++;
      await new Promise((resolve) => stream.once("drain", resolve));
    }
  }
  assert.ok(full > 0, "backpressure");
  const failed = new Promise<Error>((resolve) => stream.once("error", resolve));
  stream.write({ topic: "t", partition: 0, value: "text" });
  assert.match((await failed).message, /Message must be a buffer or null/);
  await until(() => !stream.producer.isConnected(), "closed by the error");
  const read = await readBack(broker.bootstrapServers, "t", 10);
  assert.deepEqual(
    read.map(({ key, value, headers }) => [decode(key), decode(value), decode(headers![0]!.h)].join()),
    Array.from({ length: 10 }, (_, n) => `k${n},${n},${n}`),
  );
});
