import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { type Any, call, until } from "../support/with_consumer.ts";
import { withSlowFunctions } from "../support/with_slow_functions.ts";
import { REAL_SERVERS, TestBroker } from "../support/brokers.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

const ignore = REAL_SERVERS === undefined;
const { KafkaConsumer, Producer } = ignore ? {} as Any : await loadKafkaJavascript();
const servers = { "bootstrap.servers": REAL_SERVERS ?? "" };
/** The configurations of both group protocols, the classic one with both kinds of assignors. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "the range assignor": { "partition.assignment.strategy": "range", "session.timeout.ms": 6000 },
  "the cooperative assignor": { "partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 6000 },
  "the consumer protocol": { "group.protocol": "consumer" },
};

/** A member of a group, which consumes until it is stopped; with its events and messages. */
class Member implements AsyncDisposable {
  readonly client: Any;
  readonly messages: Any[] = [];
  readonly rebalances: [number, number][] = [];
  readonly ends: Any[] = [];
  #reading: Promise<void> | undefined;
  #stop = false;

  constructor(group: string, conf: Record<string, unknown> = {}) {
    this.client = new KafkaConsumer({
      ...servers,
      "group.id": group,
      rebalance_cb: true,
      "topic.metadata.refresh.interval.ms": 500,
      ...conf,
    }, { "auto.offset.reset": "earliest" });
    this.client.setDefaultConsumeTimeout(50);
    this.client.on("rebalance", (error: Any, partitions: Any[]) => {
      this.rebalances.push([error.code, partitions.length]);
    });
    this.client.on("partition.eof", (end: Any) => void this.ends.push({ ...end, seen: this.messages.length }));
    this.client.on("data", (message: Any) => void this.messages.push(message));
  }

  get values(): string[] {
    return this.messages.map(({ value }) => String(value));
  }

  get assigned(): number {
    return this.client.assignments().length;
  }

  async start(...topics: (string | RegExp)[]): Promise<this> {
    await call((done) => this.client.connect({}, done));
    this.client.subscribe(topics);
    this.#reading = this.#read();
    return this;
  }

  async #read(): Promise<void> {
    while (!this.#stop) await call((done) => this.client.consume(100, done)).catch(() => {});
  }

  /** Stops consuming. */
  async stop(): Promise<void> {
    this.#stop = true;
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await call((done) => this.client.disconnect(done));
  }
}

/** Creates a topic for one test. */
async function topicOf(test: string, partitions = 1): Promise<string> {
  await using broker = await TestBroker.start();
  return await broker.createTopic(test, partitions);
}

type Message = [value: unknown, key?: unknown, timestamp?: number, headers?: unknown[]];

/** The partition of the nth message. The counts of partitions differ, so that a mix-up is noticed. */
const partitionOf = (n: number, partitions: number) => Math.floor(Math.sqrt(n % partitions ** 2));

async function produce(topic: string, messages: Message[], partitions = 1): Promise<void> {
  const producer = new Producer({ ...servers }, {});
  await call((done) => producer.connect({}, done));
  for (const [n, [value, key, timestamp, headers]] of messages.entries()) {
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    producer.produce(topic, partitionOf(n, partitions), bytes, key, timestamp, undefined, headers);
  }
  await call((done) => producer.flush(10_000, done));
  await call((done) => producer.disconnect(done));
}

/** An hour ago. Messages that are older than the retention may be deleted at any moment. */
const TIME = Date.now() - 3_600_000;
const numbered = (count: number): Message[] => Array.from({ length: count }, (_, n) => [`${n}`]);

for (const [name, group] of Object.entries(GROUPS)) {
  const protocol = group["partition.assignment.strategy"] === "range" ? "EAGER" : "COOPERATIVE";

  Deno.test({
    name:
      `members that come and go on a slow machine commit only offsets of messages that they have consumed (${name})`,
    ignore,
    fn: async () => {
      const partitions = 4, topic = await topicOf("slow", partitions);
      await produce(topic, numbered(12_000), partitions);
      const random = new Random(SEED, "members"), handed = new Set<string>(), began = performance.now();
      const member = async () => {
        // It takes longer only if the group was slow to form.
        while (performance.now() - began < (handed.size < 100 ? 60_000 : 6000)) {
          const leaves = performance.now() + 500 + random.next() * 2500;
          const client = new KafkaConsumer({ ...servers, "group.id": topic, ...group }, {
            "auto.offset.reset": "earliest",
          });
          client.setDefaultConsumeTimeout(50);
          await call((done) => client.connect({}, done));
          client.subscribe([topic]);
          while (performance.now() < leaves) {
            const messages = await call<Any[]>((done) => client.consume(5, done)).catch(() => []);
            for (const { partition, offset } of messages) handed.add(`${partition} ${offset}`);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          await call((done) => client.disconnect(done));
        }
      };
      const assigns = ["rd_kafka_assign", "rd_kafka_incremental_assign"];
      await withSlowFunctions(assigns, () => random.next() * 200, async () => {
        await Promise.all([member(), member(), member()]);
      });
      const client = new KafkaConsumer({ ...servers, "group.id": topic }, {});
      await call((done) => client.connect({}, done));
      const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
      const committed = await call<Any[]>((done) => client.committed(places, 10_000, done));
      await call((done) => client.disconnect(done));
      const consumed = committed.flatMap(({ partition, offset = 0 }) =>
        Array.from({ length: offset }, (_, n) => `${partition} ${n}`)
      );
      assert.ok(consumed.length > 0);
      assert.deepEqual(consumed.filter((one) => !handed.has(one)).slice(0, 9), []);
    },
  });

  Deno.test({
    name: `two members share a topic, and one takes all when the other leaves, with ${name}`,
    ignore,
    fn: async () => {
      const topic = await topicOf("two-members", 4);
      await using first = await new Member(topic, group).start(topic);
      await until(() => first.assigned === 4);
      {
        await using second = await new Member(topic, group).start(topic);
        await until(() => first.assigned === 2 && second.assigned === 2);
        assert.equal(first.client.rebalanceProtocol(), protocol);
        await produce(topic, numbered(40), 4);
        await until(() => first.messages.length + second.messages.length === 40);
        const its = new Set(first.client.assignments().map(({ partition }: Any) => partition));
        assert.equal(first.messages.length, numbered(40).filter((_, n) => its.has(partitionOf(n, 4))).length);
        assert.deepEqual(
          [...first.values, ...second.values].sort(),
          Array.from({ length: 40 }, (_, n) => `${n}`).sort(),
        );
      }
      await until(() => first.assigned === 4);
      // An eager member is revoked and assigned all partitions, a cooperative one only those that change.
      const counts = first.rebalances.map(([code, count]) => code === -175 ? count : -count);
      assert.equal(counts.reduce((sum, count) => sum + count, 0), 4, `${counts}`);
      assert.equal(counts.includes(-4), protocol === "EAGER", `${counts}`);
    },
  });

  Deno.test({
    name:
      `subscribe() takes a pattern as a string and as a RegExp, and finds a topic that is created later, with ${name}`,
    ignore,
    fn: async () => {
      const prefix = `expression-${crypto.randomUUID().slice(0, 8)}`;
      const one = await topicOf(`${prefix}-one`);
      await using text = await new Member(`${prefix}-text`, group).start(`^${prefix}-.*`);
      await using expression = await new Member(`${prefix}-expression`, group).start(new RegExp(`^${prefix}-.*`));
      await until(() => text.assigned === 1 && expression.assigned === 1);
      const two = await topicOf(`${prefix}-two`);
      await until(() => text.assigned === 2 && expression.assigned === 2);
      await produce(one, [["1"]]);
      await produce(two, [["2"]]);
      await until(() => text.messages.length === 2 && expression.messages.length === 2);
      assert.deepEqual([text.values.sort(), expression.values.sort()], [["1", "2"], ["1", "2"]]);
    },
  });

  Deno.test({
    name: `a static member that comes back gets its partitions without a rebalance of the others, with ${name}`,
    ignore,
    fn: async () => {
      const topic = await topicOf("static", 2);
      const conf = { ...group, "session.timeout.ms": undefined };
      const member = (id: string) => {
        const own: Record<string, unknown> = { ...conf, "group.instance.id": id };
        delete own["session.timeout.ms"];
        return new Member(topic, own).start(topic);
      };
      await using stays = await member("stays");
      await until(() => stays.assigned === 2);
      let before: unknown;
      {
        await using leaves = await member("leaves");
        await until(() => stays.assigned === 1 && leaves.assigned === 1);
        before = leaves.client.assignments().map(({ partition }: Any) => partition);
        // KafkaJS leaves in this way: librdkafka revokes partitions before it knows that the consumer closes.
        await leaves.stop();
        leaves.client.unsubscribe();
      }
      const rebalances = stays.rebalances.length;
      await using again = await member("leaves");
      await until(() => again.assigned === 1);
      assert.deepEqual(again.client.assignments().map(({ partition }: Any) => partition), before);
      await produce(topic, numbered(10), 2);
      await until(() => stays.messages.length + again.messages.length === 10);
      assert.equal(stays.rebalances.length, rebalances, `${stays.rebalances}`);
    },
  });

  Deno.test({
    name: `a member that was assigned a part of its partitions, and unassigns all, leaves at once, with ${name}`,
    ignore,
    fn: async () => {
      const topic = await topicOf("part", 2);
      const assign = group["partition.assignment.strategy"] === "range" ? "assign" : "incrementalAssign";
      const events: [number, number][] = [];
      const rebalance_cb = function (this: Any, error: Any, partitions: Any[]) {
        events.push([error.code, partitions.length]);
        // It is answered later, as by an async callback.
        queueMicrotask(() => {
          if (error.code === -175) this[assign](partitions.slice(0, 1));
          else if (assign === "assign") this.unassign();
          else this.incrementalUnassign(partitions);
        });
      };
      {
        await using member = await new Member(topic, { ...group, rebalance_cb }).start(topic);
        await until(() => member.assigned === 1);
        await member.stop();
        member.client.unsubscribe();
        const began = performance.now();
        await call((done) => member.client.disconnect(done));
        assert.ok(performance.now() - began < 5000);
      }
      assert.deepEqual(events, [[-175, 2], [-174, 2]]);
    },
  });

  Deno.test({
    name: `auto commit calls offset_commit_cb, and the group goes on at the committed offset, with ${name}`,
    ignore,
    fn: async () => {
      const topic = await topicOf("auto-commit");
      await produce(topic, numbered(5));
      const events: Any[] = [];
      const offset_commit_cb = (error: unknown, partitions: Any[]) => void events.push([error, ...partitions]);
      {
        const conf = { ...group, offset_commit_cb, "auto.commit.interval.ms": 100 };
        await using member = await new Member(topic, conf).start(topic);
        await until(() => events.some(([, partition]) => partition?.offset === 5) && member.messages.length === 5);
        assert.deepEqual(events.filter(([error]) => error !== undefined), []);
      }
      await produce(topic, [["next"]]);
      await using next = await new Member(topic, group).start(topic);
      await until(() => next.messages.length > 0);
      assert.deepEqual(next.values, ["next"]);
    },
  });
}

Deno.test({
  name: "read_committed skips aborted messages, and read_uncommitted does not",
  ignore,
  fn: async () => {
    const topic = await topicOf("isolation");
    const producer = new Producer({ ...servers, "transactional.id": topic }, {});
    await call((done) => producer.connect({}, done));
    await call((done) => producer.initTransactions(30_000, done));
    for (const [value, end] of [["kept", "commit"], ["aborted", "abort"], ["kept too", "commit"]] as const) {
      await call((done) => producer.beginTransaction(done));
      producer.produce(topic, 0, Buffer.from(value));
      await call((done) => producer.flush(10_000, done));
      await call((done) => producer[`${end}Transaction`](30_000, done));
    }
    await call((done) => producer.disconnect(done));
    for (
      const [level, expected] of [
        ["read_committed", ["kept", "kept too"]],
        ["read_uncommitted", ["kept", "aborted", "kept too"]],
      ] as const
    ) {
      const conf = { "isolation.level": level, "enable.partition.eof": true };
      await using member = await new Member(`${topic}-${level}`, conf).start(topic);
      await until(() => member.ends.length > 0);
      assert.deepEqual(member.values, expected);
      // Control records of transactions have offsets too.
      assert.equal(member.ends[0].offset, 6);
    }
  },
});

Deno.test({
  name: "keys, values and headers are read as they were sent: null, empty, binary, repeated",
  ignore,
  fn: async () => {
    const topic = await topicOf("bytes");
    const bytes = Buffer.from([0, 255, 10]), empty = Buffer.alloc(0);
    await produce(topic, [
      [null, "tombstone", TIME],
      [empty, "", TIME + 1],
      [bytes, bytes, TIME + 2, [{ a: "1" }, { a: bytes }, { b: "" }]],
      [bytes, null, TIME + 3, []],
    ]);
    await using member = await new Member(topic).start(topic);
    await until(() => member.messages.length === 4);
    assert.deepEqual(member.messages.map(({ value, key, timestamp, headers }) => [value, key, timestamp, headers]), [
      [null, Buffer.from("tombstone"), TIME, undefined],
      [empty, empty, TIME + 1, undefined],
      [bytes, bytes, TIME + 2, [{ a: Buffer.from("1") }, { a: bytes }, { b: empty }]],
      [bytes, null, TIME + 3, undefined],
    ]);
    assert.deepEqual(member.messages.map(({ size, leaderEpoch }) => [size, leaderEpoch]), [
      [0, 0],
      [0, 0],
      [3, 0],
      [3, 0],
    ]);
  },
});

Deno.test({
  name:
    "offsetsForTimes() finds the first message at or after a timestamp, −1 after the last message, and the error of a partition",
  ignore,
  fn: async () => {
    const topic = await topicOf("times");
    await produce(topic, Array.from({ length: 10 }, (_, n) => [`${n}`, null, TIME + n * 10]));
    await using member = await new Member(topic).start(topic);
    await until(() => member.messages.length === 10);
    const find = (offset: number, partition = 0) =>
      call<Any[]>((done) => member.client.offsetsForTimes([{ topic, partition, offset }], 10_000, done));
    assert.equal((await find(TIME + 35))[0].offset, 4);
    assert.equal((await find(0))[0].offset, 0);
    assert.equal((await find(TIME + 3_600_000 * 2))[0].offset, -1);
    await assert.rejects(find(0, 7), { code: -190 });
  },
});

Deno.test({
  name: "partition.eof is emitted after the messages before the end, and again after more messages",
  ignore,
  fn: async () => {
    const topic = await topicOf("ends");
    await produce(topic, numbered(3));
    await using member = await new Member(topic, { "enable.partition.eof": true }).start(topic);
    await until(() => member.ends.length === 1);
    await produce(topic, numbered(2));
    await until(() => member.ends.at(-1).offset === 5);
    for (const { offset, seen } of member.ends) assert.equal(seen, offset);
    assert.deepEqual(member.ends[0], { topic, partition: 0, offset: 3, seen: 3 });
  },
});

Deno.test({
  name: "consume(n) applies its timeout to each message, or to the first only",
  ignore,
  fn: async () => {
    const topic = await topicOf("waits");
    await produce(topic, numbered(3));
    const consumer = new KafkaConsumer({ ...servers, "group.id": topic }, { "auto.offset.reset": "earliest" });
    await call((done) => consumer.connect({}, done));
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    consumer.setDefaultConsumeTimeout(1500);
    const consume = async () => {
      const began = performance.now();
      const messages = await call<Any[]>((done) => consumer.consume(5, done));
      return { count: messages.length, tookMs: performance.now() - began };
    };
    const each = await consume();
    assert.equal(each.count, 3);
    assert.ok(each.tookMs >= 1500, `${each.tookMs}`);
    consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
    consumer.setDefaultConsumeTimeout(60_000);
    consumer.assign([{ topic, partition: 0, offset: 1 }]);
    const first = await consume();
    assert.ok(first.count > 0 && first.tookMs < 30_000, `${first.count} ${first.tookMs}`);
    await call((done) => consumer.disconnect(done));
  },
});
