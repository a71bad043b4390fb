import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { startCorruptingProxy } from "../support/corrupting_proxy.ts";
import { type Any, call } from "../support/with_consumer.ts";

const BAD_MESSAGE = -199;
const kafka = await loadKafkaJavascript();

type Message = { partition: number; offset: number };
type Failure = { code: number; message: string };
type Answer = Message | Failure;

/**
 * Ten messages in each of two partitions, each message in a record batch of its own. The fifth of partition 0 fails its
 * checksum whenever it is fetched, and the messages of partition 1 follow it.
 */
async function withDamaged(test: (consumer: Any, next: (max: number) => Promise<Answer[]>) => Promise<void>) {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 2 });
  using proxy = startCorruptingProxy(broker.bootstrapServers, "partition 0 message 4");
  const servers = { "bootstrap.servers": broker.bootstrapServers };
  const producer: Any = new kafka.Producer({ ...servers, "batch.num.messages": 1 }, {});
  await call((done) => producer.connect({}, done));
  for (let n = 0; n < 10; n++) {
    for (const partition of [0, 1]) {
      producer.produce("t", partition, Buffer.from(`partition ${partition} message ${n}`));
    }
  }
  await call((done) => producer.flush(5000, done));
  await call((done) => producer.disconnect(done));
  const consumer: Any = new kafka.KafkaConsumer({
    "bootstrap.servers": proxy.bootstrapServers,
    "group.id": "g",
    "check.crcs": true,
    "fetch.wait.max.ms": 5,
  }, {});
  await call((done) => consumer.connect({}, done));
  consumer.assign([0, 1].map((partition) => ({ topic: "t", partition, offset: 0 })));
  try {
    await test(
      consumer,
      (max) =>
        new Promise((resolve) =>
          consumer._client.consume(200, max, true, (error: Failure | null, messages: Message[] = []) => {
            assert.ok(messages.length <= max);
            resolve(error === null ? messages : [error]);
          })
        ),
    );
  } finally {
    await call((done) => consumer.disconnect(done));
  }
}

const offsets = (answers: Answer[], partition: number) =>
  answers.flatMap((one) => "offset" in one && one.partition === partition ? [one.offset] : []);
const failures = (answers: Answer[]) => answers.filter((one): one is Failure => "code" in one);
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 1000));

for (const max of [1000, 3, 1]) {
  Deno.test(`an error between messages is an answer of its own, and no message is lost, at most ${max} a call`, async () => {
    await withDamaged(async (_, next) => {
      // So that as many messages as possible are taken at once.
      await aWhile();
      const all: Answer[] = [];
      const began = performance.now();
      while ((failures(all).length === 0 || offsets(all, 1).length < 10) && performance.now() - began < 20_000) {
        all.push(...await next(max));
      }
      assert.deepEqual([offsets(all, 0), offsets(all, 1)], [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
      for (const { code, message } of failures(all)) {
        assert.equal(code, BAD_MESSAGE);
        assert.match(message, /^t\[0\]: MessageSet at offset 4 .*failed CRC/);
      }
      const errorIndex = all.findIndex((one) => "code" in one);
      assert.deepEqual(offsets(all.slice(0, errorIndex), 0), [0, 1, 2, 3]);
      assert.ok(errorIndex >= 0 && offsets(all.slice(errorIndex), 1).length > 0, "nothing was behind the error");
    });
  });
}

Deno.test("messages behind an error are dropped when their partition is unassigned, or after a seek()", async () => {
  for (const isGone of [true, false]) {
    await withDamaged(async (consumer, next) => {
      await aWhile();
      for (let answers: Answer[] = []; failures(answers).length === 0;) answers = await next(1000);
      if (isGone) consumer.incrementalUnassign([{ topic: "t", partition: 1 }]);
      else await call((done) => consumer.seek({ topic: "t", partition: 1, offset: 8 }, 5000, done));
      const all: Answer[] = [];
      for (const began = performance.now(); performance.now() - began < 1500;) all.push(...await next(1000));
      assert.deepEqual(offsets(all, 1), isGone ? [] : [8, 9]);
    });
  }
});
