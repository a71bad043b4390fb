// deno-lint-ignore-file require-await -- callbacks of KafkaJS must return promises
import assert from "node:assert/strict";
import { KafkaJS } from "@slipstream/slipstream/kafka-javascript";
import { REAL_ONLY, TestBroker, until } from "../support/brokers.ts";

type Protocol = "classic" | "consumer";

const PROTOCOLS: readonly Protocol[] = ["classic", "consumer"];

/** A KafkaJS client, and the test's broker. */
class Kafka implements AsyncDisposable {
  readonly broker: TestBroker;
  readonly client: KafkaJS.Kafka;
  readonly #ends: (() => Promise<void>)[] = [];

  private constructor(broker: TestBroker) {
    this.broker = broker;
    this.client = new KafkaJS.Kafka({
      kafkaJS: { brokers: [broker.bootstrapServers], logLevel: KafkaJS.logLevel.NOTHING },
    });
  }

  static async start(): Promise<Kafka> {
    return new Kafka(await TestBroker.start());
  }

  async producer(more: Record<string, unknown> = {}): Promise<KafkaJS.Producer> {
    const producer = this.client.producer({ "linger.ms": 0, ...more });
    await producer.connect();
    this.#ends.push(() => producer.disconnect());
    return producer;
  }

  async consumer(protocol: Protocol, group: string, more: Record<string, unknown> = {}): Promise<KafkaJS.Consumer> {
    const consumer = this.client.consumer({
      "group.id": group,
      "group.protocol": protocol,
      "auto.offset.reset": "earliest",
      "fetch.wait.max.ms": 10,
      // In the new protocol the broker decides these.
      ...protocol === "classic" ? { "session.timeout.ms": 6000, "heartbeat.interval.ms": 200 } : {},
      ...more,
    });
    await consumer.connect();
    this.#ends.push(() => consumer.disconnect());
    return consumer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) await end();
    await this.broker[Symbol.asyncDispose]();
  }
}

const values = (messages: readonly { value: unknown }[]) => messages.map(({ value }) => String(value));
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `${from + index}`);

for (const protocol of PROTOCOLS) {
  Deno.test(`eachMessage gets keys, values, headers and offsets in the form of KafkaJS (${protocol})`, async () => {
    await using kafka = await Kafka.start();
    const topic = await kafka.broker.createTopic("each-message");
    const producer = await kafka.producer(), consumer = await kafka.consumer(protocol, topic);
    const seen: KafkaJS.EachMessagePayload[] = [];
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: async (payload) => void seen.push(payload) });
    const bytes = Buffer.from([1, 0, 1]);
    const [report] = await producer.send({
      topic,
      messages: [
        { key: "k", value: "v", headers: { one: "1", many: ["a", bytes], raw: bytes }, timestamp: "1700000000000" },
        { key: null, value: null },
      ],
    });
    assert.deepEqual([report!.topicName, report!.partition, report!.errorCode, report!.baseOffset], [topic, 0, 0, "0"]);
    await until(() => seen.length === 2, "two messages");
    const [first, second] = seen.map(({ message }) => message);
    assert.deepEqual([seen[0]!.topic, seen[0]!.partition], [topic, 0]);
    assert.deepEqual([first!.key, first!.value, first!.offset], [Buffer.from("k"), Buffer.from("v"), "0"]);
    assert.equal(first!.timestamp, "1700000000000");
    assert.deepEqual(first!.headers, {
      one: Buffer.from("1"),
      many: [Buffer.from("a"), bytes],
      raw: bytes,
    });
    assert.deepEqual([second!.key, second!.value, second!.offset], [null, null, "1"]);
  });

  for (const autoResolve of [true, false]) {
    const resolves = autoResolve ? "resolves by itself" : "is told";
    Deno.test(`eachBatch is called again for failed messages, and never for resolved ones: ${resolves} (${protocol})`, async () => {
      await using kafka = await Kafka.start();
      const topic = await kafka.broker.createTopic("each-batch");
      const producer = await kafka.producer(), consumer = await kafka.consumer(protocol, topic);
      await producer.send({
        topic,
        messages: values(numbers(20).map((value) => ({ value }))).map((value) => ({ value })),
      });
      const seen: string[] = [];
      let failed = false;
      await consumer.subscribe({ topic });
      await consumer.run({
        eachBatchAutoResolve: autoResolve,
        eachBatch: async ({ batch, resolveOffset }) => {
          if (!failed) {
            failed = true;
            seen.push(String(batch.messages[0]!.value));
            resolveOffset(batch.messages[0]!.offset);
            throw new Error("a bad day");
          }
          seen.push(...values(batch.messages));
          if (!autoResolve) resolveOffset(batch.messages.at(-1)!.offset);
        },
      });
      await until(() => seen.length >= 20, "all messages");
      assert.deepEqual(seen, numbers(20));
    });
  }

  Deno.test(`partitionsConsumedConcurrently handles partitions concurrently, and each in order (${protocol})`, async () => {
    await using kafka = await Kafka.start();
    const topic = await kafka.broker.createTopic("side-by-side", 3);
    const producer = await kafka.producer(), consumer = await kafka.consumer(protocol, topic);
    /** One tenth, three tenths and six: different numbers, so that a mix-up of partitions shows. */
    const partitionOf = (index: number) => index % 10 === 0 ? 0 : index % 10 < 4 ? 1 : 2;
    await producer.send({
      topic,
      messages: numbers(300).map((value, index) => ({ value, partition: partitionOf(index) })),
    });
    const seen: string[][] = [[], [], []];
    let running = 0, most = 0;
    const busy = new Set<number>();
    await consumer.subscribe({ topic });
    await consumer.run({
      partitionsConsumedConcurrently: 3,
      eachMessage: async ({ partition, message }) => {
        assert.ok(!busy.has(partition), "one at a time in a partition");
        busy.add(partition);
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        seen[partition]!.push(String(message.value));
        running--;
        busy.delete(partition);
      },
    });
    await until(() => seen.flat().length === 300, "all messages");
    for (const partition of [0, 1, 2]) {
      assert.deepEqual(seen[partition], numbers(300).filter((_, index) => partitionOf(index) === partition));
    }
    assert.ok(most > 1 && most <= 3, `${most} at a time`);
  });

  Deno.test(`pause() stops a partition until it is resumed, and seek() reads from an earlier offset again (${protocol})`, async () => {
    await using kafka = await Kafka.start();
    const topic = await kafka.broker.createTopic("pause-seek");
    const producer = await kafka.producer(), consumer = await kafka.consumer(protocol, topic);
    const seen: string[] = [];
    let resume = () => {};
    await consumer.subscribe({ topic });
    await consumer.run({
      eachMessage: async ({ message, pause }) => {
        seen.push(String(message.value));
        if (seen.length === 3) resume = pause();
      },
    });
    await producer.send({ topic, messages: numbers(6).map((value) => ({ value })) });
    await until(() => consumer.paused().length === 1, "the pause");
    assert.deepEqual(consumer.paused(), [{ topic, partitions: [0] }]);
    assert.deepEqual(seen, numbers(3));
    resume();
    await until(() => seen.length === 6, "the rest");
    consumer.seek({ topic, partition: 0, offset: "4" });
    await until(() => seen.length === 8, "what was sought");
    assert.deepEqual(seen, [...numbers(6), "4", "5"]);
    assert.deepEqual(consumer.paused(), []);
  });

  Deno.test(`the next member of the group starts at the offsets of commitOffsets() (${protocol})`, async () => {
    await using kafka = await Kafka.start();
    const topic = await kafka.broker.createTopic("commit");
    const producer = await kafka.producer();
    await producer.send({ topic, messages: numbers(10).map((value) => ({ value })) });
    const seen: string[] = [];
    const read = async () => {
      const consumer = await kafka.consumer(protocol, topic, { "enable.auto.commit": false });
      await consumer.subscribe({ topic });
      await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) });
      return consumer;
    };
    const first = await read();
    await until(() => seen.length === 10, "all messages");
    await first.commitOffsets([{ topic, partition: 0, offset: "7" }]);
    const [committed] = await first.committed([{ topic, partition: 0 }]);
    assert.equal(committed!.offset, "7");
    await first.disconnect();
    seen.length = 0;
    await read();
    await until(() => seen.length === 3, "what was not committed");
    assert.deepEqual(seen, ["7", "8", "9"]);
  });

  for (const how of ["eachMessage", "eachBatch", "eachBatch and resolveOffset"] as const) {
    Deno.test(`a handled message is committed in its own partition: ${how} (${protocol})`, async () => {
      await using kafka = await Kafka.start();
      const topic = await kafka.broker.createTopic("own-partition", 3);
      const producer = await kafka.producer(), consumer = await kafka.consumer(protocol, topic);
      const counts = [40, 4, 11];
      await producer.send({
        topic,
        messages: counts.flatMap((count, partition) => numbers(count).map((value) => ({ value, partition }))),
      });
      let handled = 0;
      const tells = how === "eachBatch and resolveOffset";
      await consumer.subscribe({ topic });
      await consumer.run(
        how === "eachMessage" ? { eachMessage: async () => void handled++ } : {
          eachBatchAutoResolve: !tells,
          eachBatch: async ({ batch, resolveOffset }) => {
            for (const { offset } of batch.messages) {
              if (tells) resolveOffset(offset);
              handled++;
            }
          },
        },
      );
      await until(() => handled === 55, "all messages");
      // The offsets of the last messages are stored when their handler returns.
      const asked = counts.map((_, partition) => ({ topic, partition }));
      await until(
        async () => {
          await consumer.commitOffsets();
          return (await consumer.committed(asked)).every(({ offset }, partition) => offset === `${counts[partition]}`);
        },
        "each partition's count",
        5000,
      );
    });
  }

  Deno.test(`members of a group share partitions, and rebalance_cb is called with both kinds of rebalance (${protocol})`, async () => {
    await using kafka = await Kafka.start();
    const topic = await kafka.broker.createTopic("share", 4);
    const codes: number[][] = [[], []];
    const member = async (index: number) => {
      const consumer = await kafka.consumer(protocol, topic, {
        rebalance_cb: (error: { code: number }) => void codes[index]!.push(error.code),
      });
      await consumer.subscribe({ topic });
      await consumer.run({ eachMessage: async () => {} });
      return consumer;
    };
    const first = await member(0);
    await until(() => first.assignment().length === 4, "all partitions");
    const second = await member(1);
    await until(() => first.assignment().length === 2 && second.assignment().length === 2, "two each", 60_000);
    await second.disconnect();
    await until(() => first.assignment().length === 4, "all partitions again", 60_000);
    const { ERR__ASSIGN_PARTITIONS: assign, ERR__REVOKE_PARTITIONS: revoke } = KafkaJS.ErrorCodes;
    assert.equal(codes[0]![0], assign);
    assert.ok(codes[0]!.includes(revoke), "the first gave partitions away");
    assert.deepEqual([codes[1]!.includes(assign), codes[1]!.at(-1)], [true, revoke]);
  });
}

// The local broker returns messages of aborted transactions.
Deno.test(
  "a transaction's messages are read when it is committed, and never when it is aborted",
  REAL_ONLY,
  async () => {
    await using kafka = await Kafka.start();
    const topic = await kafka.broker.createTopic("transaction");
    const producer = await kafka.producer({ "transactional.id": topic });
    for (const [value, end] of [["no", "abort"], ["yes", "commit"]] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await transaction[end]();
    }
    const seen: string[] = [];
    const consumer = await kafka.consumer("classic", topic);
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) });
    await until(() => seen.length > 0, "a message");
    assert.deepEqual(seen, ["yes"]);
  },
);

Deno.test("a custom logger gets the lines of librdkafka and of KafkaJS", async () => {
  await using broker = await TestBroker.start();
  const lines: string[] = [];
  const log = (message: string) => void lines.push(message);
  const logger: KafkaJS.Logger = {
    info: log,
    warn: log,
    error: log,
    debug: log,
    namespace: () => logger,
    setLogLevel: () => {},
  };
  const kafka = new KafkaJS.Kafka({
    kafkaJS: { brokers: [broker.bootstrapServers], logger, logLevel: KafkaJS.logLevel.DEBUG },
  });
  const producer = kafka.producer({ debug: "broker" });
  await producer.connect();
  await until(() => lines.some((line) => /broker/i.test(line)), "a line of librdkafka's");
  await producer.disconnect();
});

Deno.test("KafkaJS throws its own errors for wrong configurations, calls at the wrong time and unknown topics", async () => {
  await using kafka = await Kafka.start();
  const wrong = kafka.client.producer({ foo: "bar" } as never);
  await assert.rejects(wrong.connect(), /No such configuration property: "foo"/);
  const idle = kafka.client.consumer({ "group.id": "idle" });
  await assert.rejects(idle.subscribe({ topic: "x" }), (error: KafkaJS.KafkaJSError) => KafkaJS.isKafkaJSError(error));
  const producer = kafka.client.producer();
  await assert.rejects(producer.send({ topic: "x", messages: [] }), (error: KafkaJS.KafkaJSError) => {
    assert.equal(error.code, KafkaJS.ErrorCodes.ERR__STATE);
    return true;
  });
  const nobody = new KafkaJS.Kafka({
    kafkaJS: { brokers: ["127.0.0.1:1"], logLevel: KafkaJS.logLevel.NOTHING },
  }).admin();
  await nobody.connect();
  await assert.rejects(nobody.listTopics({ timeout: 300 }), (error: KafkaJS.KafkaJSError) => {
    assert.ok(KafkaJS.isKafkaJSError(error));
    return true;
  });
  await nobody.disconnect();
});
