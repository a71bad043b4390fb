import assert from "node:assert/strict";
import { type Conf, type KafkaError, Slipstream, Topic } from "@slipstream/slipstream";
import { everything, LOCAL_ONLY, REAL_ONLY, TestBroker } from "../support/brokers.ts";

const PRODUCE = 0, TOO_LARGE = 10, INVALID_RECORD = 87;
const QUIET = { handleSignals: false } as const;
const COUNT = 200;

/** The last value of each key. */
async function lastOf(broker: TestBroker, name: string): Promise<Map<string | null, string | null>> {
  return new Map((await everything(broker, name)).map(({ key, value }) => [key, value]));
}

Deno.test("records that fit alone but not together in a request are all delivered, in order", REAL_ONLY, async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("together", 2, { "max.message.bytes": "100000" });
  for (const own of [{}, { "enable.idempotence": false, "max.in.flight": 1 }] as Conf[]) {
    await using topic: Topic = new Topic(name, broker.conf(own));
    const sent = Array.from({ length: 60 }, (_, n) => topic.send(`${n % 3}`, `${n}`.padEnd(60_000)));
    assert.equal((await Promise.all(sent)).length, 60);
  }
  const values = await everything(broker, name);
  for (const key of ["0", "1", "2"]) {
    const numbers = values.filter((one) => one.key === key).map(({ value }) => Number(value));
    assert.deepEqual([...new Set(numbers)].sort((a, b) => a - b), Array.from({ length: 20 }, (_, n) => 3 * n + +key));
    assert.equal(numbers.at(-1), 57 + Number(key));
  }
});

Deno.test("a compacted topic refuses records without a key, and no others of their requests", REAL_ONLY, async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("keyless", 3, { "cleanup.policy": "compact" });
  await using topic = new Topic(name, broker.conf());
  const isBad = (n: number) => n % 97 === 3;
  const records = Array.from({ length: COUNT }, (_, n) => [isBad(n) ? null : `${n % 7}`, `${n}`] as const);
  const failed = await topic.sendBatch(records).then(() => undefined, (error) => error as KafkaError);
  assert.deepEqual(failed!.records, records.filter((_, n) => isBad(n)));
  assert.match(failed!.message, /the message without key \(1 bytes, partition \d\) .*needs a key in each message/);
  const last = await lastOf(broker, name);
  for (let key = 0; key < 7; key++) {
    const newest = records.findLast(([one]) => one === `${key}`)![1];
    assert.equal(last.get(`${key}`), newest);
  }
  // The client goes on and delivers later records.
  await topic.send("later", "1");
  assert.equal((await lastOf(broker, name)).get("later"), "1");
});

Deno.test(
  "a handler's outputs beside one that is refused are delivered, and only that message fails",
  REAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const [from, to] = [
      await broker.createTopic("outputs", 2),
      await broker.createTopic("table", 2, { "cleanup.policy": "compact" }),
    ];
    {
      await using source = new Topic(from, broker.conf());
      await source.sendBatch(Array.from({ length: COUNT }, (_, n) => [`${n}`, `${n}`] as const));
    }
    await using reading = broker.toEnd(from, { "group.id": `g-${from}` });
    await using table = new Topic(to, broker.conf());
    const failed: unknown[] = [];
    const app = new Slipstream();
    app.handle(
      reading,
      { sink: table, onError: (error) => void failed.push((error.value as { key: string }).key) },
      (message) =>
        [
          message.key === "77" || message.key === "150" ? null : message.key,
          message.value,
        ] as const,
    );
    await app.stream(QUIET);
    assert.deepEqual(failed.sort(), ["150", "77"]);
    assert.equal((await lastOf(broker, to)).size, COUNT - 2);
  },
);

Deno.test(
  "a record that is sent again keeps its headers and timestamp, and stays a tombstone",
  LOCAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const name = await broker.createTopic("same");
    for (const code of [TOO_LARGE, INVALID_RECORD]) {
      // Each round has a client of its own: one that is sending records again does not wait for others to fill a request.
      await using topic = new Topic(name, broker.conf({ "linger.ms": 1000 }));
      broker.local!.pushErrors(PRODUCE, [code]);
      await topic.sendBatch([
        {
          key: "a",
          value: "1",
          timestamp: 1_000_000,
          headers: [["h", "1"], ["h", new Uint8Array([0, 255])], ["none", null]],
        },
        { key: "b", value: null },
        { key: null, value: "" },
      ]);
    }
    await using reading = broker.toEnd(name, {}, { offset: "beginning" });
    const read = await Array.fromAsync(reading);
    assert.equal(read.length, 6);
    for (const [a, b, c] of [read.slice(0, 3), read.slice(3)]) {
      assert.deepEqual([a!.key, a!.value, a!.timestamp], ["a", "1", 1_000_000]);
      assert.deepEqual(a!.headers.map(([name, bytes]) => [name, bytes && [...bytes]]), [["h", [49]], ["h", [0, 255]], [
        "none",
        null,
      ]]);
      assert.deepEqual([b!.key, b!.value, c!.key, c!.value], ["b", null, null, ""]);
      assert.ok(Math.abs(b!.timestamp! - Date.now()) < 600_000);
    }
  },
);

Deno.test("the last value of each key is the one sent last, whichever requests are refused", LOCAL_ONLY, async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("last", 2);
  await using topic = new Topic(name, broker.conf({ "batch.num.messages": 20 }));
  await topic.send("first", "1");
  for (let round = 0; round < 5; round++) {
    broker.local!.pushErrors(PRODUCE, [TOO_LARGE, 0, INVALID_RECORD, TOO_LARGE, 0, TOO_LARGE]);
    const sent = Array.from({ length: COUNT }, (_, n) => topic.send(`${n % 11}`, `${round * COUNT + n}`));
    const outcomes = await Promise.allSettled(sent);
    broker.local!.clearErrors(PRODUCE);
    const last = await lastOf(broker, name);
    for (let key = 0; key < 11; key++) {
      // A record that is refused in a request of its own is not delivered.
      const newest = outcomes.findLastIndex(({ status }, n) => n % 11 === key && status === "fulfilled");
      assert.equal(last.get(`${key}`), `${round * COUNT + newest}`);
    }
  }
});

Deno.test(
  "a record that was written before a refused one of its key is written again after it",
  LOCAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const name = await broker.createTopic("early");
    // Requests have two records, and several are in flight when the first is refused.
    await using topic = new Topic(name, broker.conf({ "batch.num.messages": 2, "linger.ms": 100 }));
    await topic.send("first", "1");
    broker.local!.setRtt(100);
    broker.local!.pushErrors(PRODUCE, [TOO_LARGE]);
    await topic.sendBatch([["a", "1"], ["b", "1"], ["a", "2"], ["b", "2"], ["a", "3"], ["c", "3"]]);
    const last = await lastOf(broker, name);
    assert.deepEqual([last.get("a"), last.get("b"), last.get("c")], ["3", "2", "3"]);
  },
);
