import assert from "node:assert/strict";
import { type Conf, KafkaError, Slipstream, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { until } from "../support/brokers.ts";
import { startCorruptingProxy } from "../support/corrupting_proxy.ts";

const FETCH = 1, OFFSET_FETCH = 9, HEARTBEAT = 12;
/** The local broker admits a member after another has left once this session has nearly expired. */
const SESSION = { "session.timeout.ms": 6000 } as const;
const OFFSET_OUT_OF_RANGE = 1, TOPIC_AUTHORIZATION = 29, FENCED = 82;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Settles as a promise does; rejects when it takes longer than `ms`. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => timer = setTimeout(() => reject(new Error(`took over ${ms} ms`)), ms));
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Writes messages to a topic. @param counts how many for each partition */
async function fill(conf: Conf, topic: string, counts: readonly number[], bytes = 100): Promise<void> {
  await using writer = new Topic<string, string>(topic, conf);
  for (const [partition, count] of counts.entries()) {
    const records = Array.from({ length: count }, (_, n) => ({ key: null, value: `${n}`.padEnd(bytes), partition }));
    await writer.sendBatch(records as never);
  }
}

/** Ways to read two topics slowly, until one of them fails. */
const WAYS: Readonly<Record<string, (topics: readonly Topic<unknown, unknown>[], read: () => void) => Promise<void>>> =
  {
    "handle()": async (topics, read) => {
      const app = new Slipstream();
      let count = 0;
      for (const topic of topics) {
        app.handle(topic, async () => {
          read();
          if (++count % 50 === 0) await sleep(1);
        });
      }
      await app.stream({ handleSignals: false });
    },
    "for await": async (topics, read) => {
      await Promise.all(topics.map(async (topic) => {
        let count = 0;
        for await (const _ of topic) {
          read();
          if (++count % 50 === 0) await sleep(1);
        }
      }));
    },
    "readable": async (topics, read) => {
      await Promise.all(topics.map(async (topic) => {
        let count = 0;
        for await (const _ of topic.readable) {
          read();
          if (++count % 50 === 0) await sleep(1);
        }
      }));
    },
  };

/** The error code that answers a fetch request, and the error that a reader throws then. */
const REFUSALS = [
  { answer: OFFSET_OUT_OF_RANGE, code: -140, text: /requested offset not available/ },
  { answer: TOPIC_AUTHORIZATION, code: 29, text: /Topic authorization failed/ },
] as const;

for (const [way, read] of Object.entries(WAYS)) {
  for (const { answer, code, text } of REFUSALS) {
    Deno.test(`${way} rejects with an error that names the partition whose fetch is refused (${code}), while others have messages`, async () => {
      await using broker = await LocalBroker.start({ brokers: 2 });
      const conf: Conf = {
        "bootstrap.servers": broker.bootstrapServers,
        "fetch.wait.max.ms": 5,
        "auto.offset.reset": "error",
        "queued.min.messages": 500,
        "fetch.message.max.bytes": 20_000,
      };
      for (const name of ["one", "two"]) {
        broker.createTopic(name, { partitions: 2 });
        await fill(conf, name, [6000, 9000]);
      }
      await using one = new Topic("one", { ...conf, "group.id": "g" }, { offset: "beginning" });
      await using two = new Topic("two", conf, { offset: "beginning" });
      let count = 0;
      const reading = read([one, two] as never, () => {
        // One refusal may not be enough: it may answer a fetch whose messages are dropped.
        if (++count > 500 && count % 250 === 0) broker.pushErrors(FETCH, [answer]);
      });
      const failure = await within(30_000, reading).then(() => undefined, (error) => error as KafkaError);
      assert.ok(failure instanceof KafkaError, `${failure}`);
      assert.equal(failure.code, code, failure.message);
      assert.match(failure.message, /^Topic "(one|two)": can't read on: \1\[[01]\]: /);
      assert.match(failure.message, text);
    });
  }
}

Deno.test("a member that is fenced ends the run with the reason, although messages keep coming", async () => {
  for (const protocol of ["range", "cooperative-sticky"]) {
    await using broker = await LocalBroker.start();
    const conf: Conf = {
      "bootstrap.servers": broker.bootstrapServers,
      "fetch.wait.max.ms": 5,
      "auto.offset.reset": "earliest",
      "partition.assignment.strategy": protocol,
      "group.instance.id": "member",
      "heartbeat.interval.ms": 200,
      ...SESSION,
    };
    const app = new Slipstream(), topics: Topic<string, string>[] = [];
    let count = 0;
    for (const name of ["one", "two"]) {
      broker.createTopic(name, { partitions: 2 });
      await fill(conf, name, [6000, 9000]);
      const topic = new Topic<string, string>(name, { ...conf, "group.id": name });
      topics.push(topic);
      app.handle(topic, async () => {
        if (++count === 500) broker.pushErrors(HEARTBEAT, [FENCED]);
        if (count % 50 === 0) await sleep(5);
      });
    }
    const running = within(30_000, app.stream({ handleSignals: false }));
    const failure = await running.then(() => undefined, (error) => error);
    assert.match(
      `${failure?.message}`,
      /^Topic "(one|two)": can't read on: Fatal consumer error: .*fenced/,
    );
    assert.equal(failure.fatal, true);
    for (const topic of topics) await topic.close();
  }
});

Deno.test("a message with a wrong checksum ends the run with an error that names its offset, and no later offset is committed", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("in", { partitions: 2 });
  const direct: Conf = { "bootstrap.servers": broker.bootstrapServers, "batch.num.messages": 1 };
  {
    await using writer = new Topic<string, string>("in", direct);
    for (let n = 0; n < 20; n++) {
      for (const partition of [0, 1]) await writer.send(null, `partition ${partition} message ${n}.`, { partition });
    }
  }
  using proxy = startCorruptingProxy(broker.bootstrapServers, "partition 1 message 7.");
  const app = new Slipstream(), seen: [number, number][] = [];
  const conf: Conf = {
    "bootstrap.servers": proxy.bootstrapServers,
    "fetch.wait.max.ms": 5,
    "check.crcs": true,
    ...SESSION,
  };
  await using topic = new Topic<string, string>("in", { ...conf, "group.id": "g", "auto.offset.reset": "earliest" });
  app.handle(topic, ({ partition, offset }) => void seen.push([partition, offset]));
  const running = app.stream({ handleSignals: false });
  const failure = await within(30_000, running).then(() => undefined, (error) => error);
  assert.match(`${failure?.message}`, /^Topic "in": can't read on: in\[1\]: MessageSet at offset 7 .* failed CRC32C/);
  assert.deepEqual(seen.flatMap(([partition, offset]) => partition === 1 ? [offset] : []), [0, 1, 2, 3, 4, 5, 6]);
  // Another run fails on the same message, and skips none.
  const second = new Slipstream(), seenThen: number[] = [];
  await topic.close();
  await using again = new Topic<string, string>("in", { ...conf, "group.id": "g", "auto.offset.reset": "earliest" });
  second.handle(again, ({ partition, offset }) => void (partition === 1 && seenThen.push(offset)));
  await assert.rejects(
    within(30_000, second.stream({ handleSignals: false })),
    /in\[1\]: MessageSet at offset 7/,
  );
  assert.deepEqual(seenThen, []);
});

const LOADING = 14, NOT_AVAILABLE = 15, NOT_COORDINATOR = 16, UNKNOWN_TOPIC = 3, UNSTABLE = 88, CLOSED = -195;
for (
  const errors of [[LOADING], [NOT_AVAILABLE], [NOT_COORDINATOR], [3, 3, 3], [UNSTABLE, UNSTABLE], [CLOSED], [
    16,
    15,
    CLOSED,
    UNKNOWN_TOPIC,
  ]]
) {
  Deno.test(`a group reads on from its committed offsets although the request for them fails with ${errors.join(", ")}`, async () => {
    await using broker = await LocalBroker.start();
    const conf: Conf = {
      "bootstrap.servers": broker.bootstrapServers,
      "fetch.wait.max.ms": 5,
      "group.id": "g",
      "auto.offset.reset": "earliest",
      "session.timeout.ms": 6000,
    };
    const counts = { one: [30, 7], two: [11, 0, 25] };
    for (const [name, partitions] of Object.entries(counts)) {
      broker.createTopic(name, { partitions: partitions.length });
      await fill(conf, name, partitions, 5);
    }
    broker.pushErrors(OFFSET_FETCH, errors);
    const seen = new Map<string, number>();
    const stop = new AbortController(), app = new Slipstream();
    await using one = new Topic<string, string>("one", { ...conf, "group.id": "g1" });
    await using two = new Topic<string, string>("two", { ...conf, "group.id": "g2" });
    for (const topic of [one, two]) {
      app.handle(topic, ({ topic, partition, offset }) => {
        const name = `${topic}[${partition}]@${offset}`;
        seen.set(name, (seen.get(name) ?? 0) + 1);
      });
    }
    const running = app.stream({ handleSignals: false, signal: stop.signal });
    await Promise.race([running, within(30_000, until(() => seen.size === 73, "all messages"))]);
    stop.abort();
    await running;
    assert.deepEqual([...new Set(seen.values())], [1]);
  });
}

Deno.test("members that join and leave go on at the positions of the others, although requests for committed offsets fail at each rebalance", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("in", { partitions: 4 });
  const conf: Conf = {
    "bootstrap.servers": broker.bootstrapServers,
    "fetch.wait.max.ms": 5,
    "group.id": "g",
    "auto.offset.reset": "earliest",
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 200,
    "auto.commit.interval.ms": 100,
  };
  const seen = new Set<string>();
  const member = (strategy: string) => {
    const stop = new AbortController(), app = new Slipstream();
    const topic = new Topic<string, string>("in", { ...conf, "partition.assignment.strategy": strategy });
    app.handle(topic, ({ partition, offset }) => void seen.add(`${partition}@${offset}`));
    const running = app.stream({ handleSignals: false, signal: stop.signal });
    return async () => {
      stop.abort();
      await running;
      await topic.close();
    };
  };
  for (const strategy of ["range", "cooperative-sticky"]) {
    seen.clear();
    const first = member(strategy);
    await fill(conf, "in", [5, 5, 5, 5], 5);
    await until(() => seen.size >= 20, "20 messages");
    broker.pushErrors(OFFSET_FETCH, [NOT_AVAILABLE, NOT_COORDINATOR, UNKNOWN_TOPIC]);
    const second = member(strategy);
    await sleep(1500);
    await fill(conf, "in", [10, 1, 10, 1], 5);
    await until(() => seen.size >= 42, "42 messages");
    broker.pushErrors(OFFSET_FETCH, [NOT_COORDINATOR, NOT_AVAILABLE]);
    await first();
    await fill(conf, "in", [1, 3, 1, 3], 5);
    await until(() => seen.size >= 50, "50 messages");
    await second();
  }
});
