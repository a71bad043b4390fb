import assert from "node:assert/strict";
import type { Delivery } from "../../../src/protocol/protocol.ts";
import type { KafkaError } from "../../../src/kafka/kafka_error.ts";
import { fakes, stateOf, turns } from "../../support/fake_producer.ts";

const TOO_LARGE = 10, INVALID_RECORD = 87, PURGED = -152, FATAL = -150;
const ROOM = { "queue.buffering.max.messages": 1000 };

/** The client is connected: what is sent next goes to it at once. */
async function connected() {
  const all = fakes(ROOM);
  const first = all.writer.send(["first", "first"]);
  await turns();
  all.producer.answer(1);
  await first;
  all.producer.values.length = 0;
  return all;
}

Deno.test("of a refused request, only the records that are refused alone fail", async () => {
  using all = await connected();
  const { producer } = all;
  const sent = Promise.allSettled(["a", "b", "c", "d", "e"].map((value) => all.writer.send([value, value])));
  producer.answer(4, TOO_LARGE);
  await turns();
  // Not before everything else is answered.
  assert.deepEqual(producer.values.splice(0), ["a", "b", "c", "d", "e"]);
  producer.answer(1);
  await turns();
  assert.deepEqual(producer.values, ["a", "b"]);
  // What is sent meanwhile comes after all of it.
  const later = all.writer.send(["f", "f"]);
  // a and b, then a, then b; c and d; f
  for (const [count, code] of [[2, TOO_LARGE], [1, 0], [1, TOO_LARGE], [2, 0], [1, 0]] as const) {
    producer.answer(count, code);
    await turns();
  }
  assert.deepEqual(producer.values, ["a", "b", "a", "b", "c", "d", "f"]);
  await later;
  const outcomes = await sent;
  assert.deepEqual(outcomes.map(({ status }) => status === "fulfilled"), [true, false, true, true, true]);
  assert.equal(
    (outcomes[1] as PromiseRejectedResult).reason.message,
    'Topic "t": the message with key "b" (2 bytes, partition 0) was not delivered: error 10 ' +
      "(raise max.message.bytes of the topic, or send less in a message)",
  );
  await all.writer.close();
});

Deno.test("the error of a refused record has its key, its size and a remedy", async () => {
  using all = await connected();
  const good = all.writer.send(["a", "1"]), bad = stateOf(all.writer.send({ key: null, value: "22" }), 20);
  all.producer.answer(2, INVALID_RECORD);
  await turns();
  all.producer.answer(1);
  await turns();
  all.producer.answer(1, INVALID_RECORD);
  assert.equal(await stateOf(good), "resolved");
  assert.equal(
    await bad,
    'rejected: Topic "t": the message without key (2 bytes, partition 0) was not delivered: error 87 ' +
      "(a compacted topic needs a key in each message)",
  );
  await all.writer.close();
});

Deno.test("a record that was written before a refused one of its key is written once more, after it", async () => {
  using all = await connected();
  const { producer } = all;
  const sent = [["a", "1"], ["b", "1"], ["a", "2"], ["c", "2"]].map(([key, value]) => all.writer.send([key!, value!]));
  producer.answer(2, INVALID_RECORD);
  producer.answer(2);
  assert.equal(await stateOf(sent[2]!), "pending");
  assert.equal(await stateOf(sent[3]!), "resolved");
  for (let n = 0; n < 3; n++) {
    await turns();
    producer.answer(1);
  }
  assert.deepEqual(await Promise.all(sent.map(stateOf)), ["resolved", "resolved", "resolved", "resolved"]);
  assert.deepEqual(producer.values.slice(4), ["1", "1", "2"]);
  await all.writer.close();
});

Deno.test("records of sendBatch() and of sinks that were refused with others are sent again, too", async () => {
  using all = await connected();
  const { producer } = all, sink = all.writer.open({ keepsProducer: true });
  const told: [string, unknown][] = [];
  const delivery: Delivery = { undelivered: (error, message) => void told.push([(error as Error).message, message]) };
  await sink.accept(["s", "0"], delivery, "first");
  producer.answer(1);
  const batch = all.writer.sendBatch([["a", "1"], ["b", "2"], ["c", "3"]]);
  sink.accept(["d", "4"], delivery, "second");
  sink.accept(["e", "5"], delivery, "third");
  producer.answer(5, TOO_LARGE);
  // a, b | c, d, e: the first half is delivered; of the second one c alone, then d and e together, then one by one.
  for (const [count, code] of [[2, 0], [3, TOO_LARGE], [1, 0], [2, TOO_LARGE], [1, TOO_LARGE], [1, 0]] as const) {
    await turns();
    producer.answer(count, code);
  }
  assert.equal((await batch).length, 3);
  assert.equal(await stateOf(sink.settle(delivery)), "resolved");
  assert.deepEqual(told.map(([, message]) => message), ["second"]);
  assert.match(told[0]![0], /the message with key "d" \(2 bytes, partition 0\) was not delivered/);
  await sink.close();
  await all.writer.close();
});

Deno.test("records that wait to be sent again fail with the code of their refusal when the client fails", async () => {
  using all = await connected();
  const { producer } = all;
  const sent = Promise.allSettled(["a", "b", "c"].map((value) => all.writer.send([value, value])));
  producer.answer(2, TOO_LARGE);
  producer.events.onError(FATAL, "fenced by another producer");
  producer.report(1, PURGED);
  const errors = (await sent).map((outcome) => (outcome as PromiseRejectedResult).reason as KafkaError);
  assert.deepEqual(errors.map(({ code, fatal }) => [code, fatal]), [[TOO_LARGE, true], [TOO_LARGE, true], [
    FATAL,
    true,
  ]]);
  assert.match(errors[2]!.message, /was not delivered: .*fenced by another producer/);
  await all.writer.close();
});

Deno.test("Topic.close() waits for records that are sent again", async () => {
  using all = await connected();
  const { producer } = all;
  const sent = ["a", "b"].map((value) => all.writer.send([value, value]));
  producer.answer(2, TOO_LARGE);
  const closing = all.writer.close();
  assert.equal(await stateOf(closing), "pending");
  producer.answer(1);
  await turns();
  producer.answer(1);
  await Promise.all([...sent, closing]);
});
