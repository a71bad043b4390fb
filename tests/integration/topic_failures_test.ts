import assert from "node:assert/strict";
import { bytes, KafkaError, Topic } from "@slipstream/slipstream";
import { everything, LOCAL_ONLY, TestBroker, until } from "../support/brokers.ts";

/** The notices that are printed while a function runs. */
async function noticesDuring(work: (notices: string[]) => Promise<void>): Promise<string[]> {
  const notices: string[] = [];
  const { warn } = console;
  console.warn = (line: string) => void notices.push(line);
  try {
    await work(notices);
  } finally {
    console.warn = warn;
  }
  return notices;
}

Deno.test("without a broker, a Topic retries and makes one notice, and close() takes no time", async () => {
  const notices = await noticesDuring(async (notices) => {
    const topic = new Topic("nowhere", { "bootstrap.servers": "127.0.0.1:1", "sasl.password": "hunter2" });
    const sending = assert.rejects(topic.send("k", "v"), /: closed before a broker at 127.0.0.1:1 had answered$/);
    const reading = Array.fromAsync(topic);
    await until(() => notices.length >= 1, "a notice");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const began = performance.now();
    await topic.close();
    const took = performance.now() - began;
    await sending;
    assert.deepEqual(await reading, []);
    // It takes about 0.2 s; the limit allows for a busy machine.
    assert.ok(took < 2000, `closing took ${took} ms`);
  });
  assert.equal(notices.length, 1, notices.join("\n"));
  assert.match(notices[0]!, /Topic "nowhere": no broker answers at 127.0.0.1:1 yet.*; still trying/);
});

Deno.test("records wait for a broker that comes back, and all arrive in order", LOCAL_ONLY, async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("outage");
  await using topic = new Topic(name, broker.conf({ "reconnect.backoff.max.ms": 200 }));
  await topic.send(null, "0");
  broker.local!.setDown();
  const sending = topic.sendBatch(Array.from({ length: 100 }, (_, n) => [null, `${n + 1}`] as const));
  await new Promise((resolve) => setTimeout(resolve, 500));
  broker.local!.setUp();
  await sending;
  const read = await everything(broker, name);
  assert.deepEqual(read.map(({ value }) => value), Array.from({ length: 101 }, (_, n) => `${n}`));
});

Deno.test("produce requests that fail are retried: no record is lost or written twice", LOCAL_ONLY, async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("errors");
  await using topic = new Topic(name, broker.conf({ "retry.backoff.ms": 10 }));
  await topic.send(null, "first");
  const NOT_LEADER = 6, REQUEST_TIMED_OUT = 7, PRODUCE = 0;
  broker.local!.pushErrors(PRODUCE, [NOT_LEADER, REQUEST_TIMED_OUT]);
  await topic.send(null, "second");
  await topic.send(null, "third");
  assert.deepEqual((await everything(broker, name)).map(({ value }) => value), ["first", "second", "third"]);
});

Deno.test("send() refuses a record above message.max.bytes with a remedy, and the error carries the record", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("large");
  await using topic = new Topic(name, broker.conf({ "message.max.bytes": 2000 }), { value: bytes });
  const large = new Uint8Array(5000);
  await assert.rejects(topic.sendBatch([["k", new Uint8Array(1)], ["k", large]]), (error: KafkaError) => {
    assert.ok(error instanceof KafkaError);
    assert.equal(error.code, 10);
    assert.match(error.message, /1 of 2.*raise message.max.bytes/);
    assert.equal(error.message.split("raise message.max.bytes").length, 2, "the remedy is given once");
    assert.deepEqual(error.records, [["k", large]]);
    return true;
  });
});

Deno.test("sendBatch() that the codec can't encode writes nothing", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("encode");
  await using topic = new Topic(name, broker.conf());
  await assert.rejects(
    topic.sendBatch([["k", "v"], ["k", 5 as never]]),
    /can't encode the value as text.*got a number/,
  );
  await assert.rejects(topic.send("k", "v", { partition: -1 }), /partition must be a whole number/);
  await assert.rejects(topic.send("k", "v", { timestamp: 1.5 }), /timestamp must be/);
  await assert.rejects(topic.sendBatch(["kv" as never]), /A topic takes \[key, value\] or/);
  assert.deepEqual(await everything(broker, name), []);
});

Deno.test("a fast writer waits when the queue is full, and every message arrives", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("full");
  await using topic = new Topic(
    name,
    broker.conf({ "queue.buffering.max.messages": 50, "reconnect.backoff.max.ms": 200 }),
  );
  const writer = topic.writable.getWriter();
  await writer.write([null, "0"]);
  let accepted = 1;
  broker.local?.setDown();
  const writing = (async () => {
    for (let n = 1; n < 2000; n++, accepted++) await writer.write([null, `${n}`]);
    await writer.close();
  })();
  if (broker.local !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(accepted >= 10 && accepted <= 60, `${accepted} accepted while nothing could be delivered`);
    broker.local.setUp();
  }
  await writing;
  const read = await everything(broker, name);
  assert.deepEqual(read.map(({ value }) => value), Array.from({ length: 2000 }, (_, n) => `${n}`));
});

Deno.test("a value that can't be decoded stops the reader with an error that names its offset, and does not count as handled", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("decode");
  await using source = new Topic(name, broker.conf(), { value: bytes });
  await source.sendBatch([[null, new TextEncoder().encode("fine")], [null, new Uint8Array([0xff])]]);
  await using topic = broker.toEnd(name, { "group.id": `decode-${name}` });
  await assert.rejects(Array.fromAsync(topic), /Can't decode the value of decode-.*\[0\]@1 as text/);
  assert.equal((await topic.lag()).total, 1);
});

Deno.test("a Topic has one reader, and refuses everything after close", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("closed");
  const topic = new Topic(name, broker.conf());
  const reading = topic[Symbol.asyncIterator]();
  const first = reading.next();
  await assert.rejects(topic[Symbol.asyncIterator]().next(), /is being read already/);
  await topic.send(null, "x");
  await first;
  await Promise.all([topic.close(), topic.close()]);
  await topic.close();
  await assert.rejects(topic.send(null, "x"), /is closed: make a new one/);
  await assert.rejects(topic.lag(), /is closed/);
  assert.throws(() => topic.readable, /is closed/);
  await assert.rejects(topic.commit(), /is closed/);
  await reading.return();
});

Deno.test("pause() stops messages, and resume() lets them come again", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("pause");
  await using topic = new Topic(name, broker.conf(), { offset: "beginning" });
  await topic.send(null, "0");
  const seen: (string | null)[] = [];
  const reading = (async () => {
    for await (const { value } of topic) seen.push(value);
  })();
  await until(() => seen.length === 1, "the first message");
  topic.pause();
  await topic.send(null, "1");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(seen, ["0"]);
  topic.resume();
  await until(() => seen.length === 2, "the second message");
  await topic.close();
  await reading;
});

Deno.test("commit() rejects without a group, and on a Topic that is not being read", async () => {
  await using broker = await TestBroker.start();
  await using alone = new Topic("alone", broker.conf());
  await assert.rejects(alone.commit(), /has no group to commit for: set group.id/);
  await using idle = new Topic("idle", broker.conf({ "group.id": "idle" }));
  await assert.rejects(idle.commit(), /is not being read/);
});

Deno.test("lag() retries while the group coordinator can't answer yet", LOCAL_ONLY, async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("loading");
  await using topic = new Topic(name, broker.conf({ "group.id": `g-${name}` }));
  await topic.sendBatch([[null, "0"], [null, "1"]]);
  const OFFSET_FETCH = 9, LOADING = 14, NOT_COORDINATOR = 16;
  broker.local!.pushErrors(OFFSET_FETCH, [NOT_COORDINATOR, LOADING, NOT_COORDINATOR, NOT_COORDINATOR]);
  assert.equal((await topic.lag()).total, 2);
});

Deno.test("pause() also holds back messages that were fetched already, and close() ends a paused loop", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("held");
  const topic = new Topic(name, broker.conf({ "group.id": `g-${name}` }), { offset: "beginning" });
  await topic.sendBatch(["0", "1", "2", "3", "4"].map((value) => [null, value] as const));
  const seen: (string | null)[] = [];
  const reading = (async () => {
    for await (const { value } of topic) {
      seen.push(value);
      if (value === "1" || value === "3") topic.pause();
    }
  })();
  await until(() => seen.length === 2, "two messages");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(seen, ["0", "1"]);
  topic.resume();
  await until(() => seen.length === 4, "two more");
  await topic.close();
  await reading;
  assert.deepEqual(seen, ["0", "1", "2", "3"]);
  await using asking = new Topic(name, broker.conf({ "group.id": `g-${name}` }));
  assert.equal((await asking.lag()).total, 1);
});
