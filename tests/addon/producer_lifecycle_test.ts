import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { until } from "../support/brokers.ts";
import { UncaughtErrors } from "../support/uncaught_errors.ts";
import { ask, connectProducer, startBrokerWithTopic } from "../support/producers.ts";

const VALUE = Buffer.from("v");

Deno.test("delivery reports wait for poll(), setPollInBackground() or setPollInterval()", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers);
  const { producer, native, reports } = made;
  producer.produce("t", 0, VALUE);
  await until(() => (producer.poll(), reports.length === 1), "a report by poll()");
  assert.throws(() => native.setPollInBackground!(1), /^Error: Need to specify a boolean for setting or unsetting$/);
  assert.deepEqual(native.setPollInBackground!(true), { message: "Success", code: 0 });
  producer.produce("t", 0, VALUE);
  await until(() => reports.length === 2, "a report in the background");
  producer.setPollInBackground(false);
  producer.produce("t", 0, VALUE);
  producer.setPollInterval(5);
  await until(() => reports.length === 3, "a report by the interval");
  producer.setPollInterval(0);
});

Deno.test("poll() makes room at once; reports follow, a hundred at a time, with properties in the native addon's order", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers, { "queue.buffering.max.messages": 250 });
  const { producer, reports } = made;
  const opaque = {};
  for (let n = 0; n < 250; n++) producer.produce("t", 0, VALUE, "k", 1234, opaque);
  const more = () => producer.produce("t", 0, VALUE);
  assert.throws(more, { code: -184 });
  // No report arrives before poll() has returned, and not all arrive at once after it.
  for (let full = true; full; await new Promise((resolve) => setTimeout(resolve, 5))) {
    producer.poll();
    assert.equal(reports.length, 0);
    try {
      full = !more();
    } catch { /* No report is there yet. */ }
  }
  while (reports.length < 251) {
    const before = reports.length;
    producer.poll();
    assert.equal(reports.length, before);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(reports.length - before <= 100, `${reports.length - before} at a time`);
  }
  const { error: _, ...report } = reports[0]!;
  assert.deepEqual(Object.keys(report), ["topic", "partition", "offset", "key", "opaque", "timestamp", "size"]);
  assert.equal(report.opaque, opaque);
});

Deno.test("slow listeners of thousands of reports block no timer, and receive all in order", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers, { "linger.ms": 100 });
  const { producer, reports } = made;
  producer.setPollInBackground(true);
  let most = 0, received = 0;
  producer.on("delivery-report", () => {
    received++;
    for (const end = performance.now() + 0.1; performance.now() < end;);
  });
  for (let n = 0; n < 5000; n++) producer.produce("t", 0, VALUE, null, null, n as never);
  for (let before = 0; received < 5000; before = received) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, received - before);
  }
  // The listeners take half a second in all, in pieces of about 15 ms.
  assert.ok(most < 1000, `${most} reports between two timers`);
  assert.deepEqual(reports.map(({ opaque }) => opaque), Array.from({ length: 5000 }, (_, n) => n));
});

Deno.test("an error that a report's listener throws is reported as uncaught, and the other reports arrive", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers);
  const { producer, reports } = made;
  using surfaced = new UncaughtErrors();
  producer.on("delivery-report", () => {
    throw new Error("the listener's own");
  });
  for (let n = 0; n < 3; n++) producer.produce("t", 0, VALUE);
  await ask(producer, "flush", 5000);
  assert.equal(reports.length, 3);
  await until(() => surfaced.texts.length === 3, "three errors");
  assert.match(surfaced.texts[0]!, /the listener's own/);
});

Deno.test("flush() times out while no broker takes the messages, and ends when one does", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers, {
    "log_level": 0,
    "reconnect.backoff.max.ms": 100,
  });
  const { producer, native, reports } = made;
  for (const args of [[], [1], ["1", () => {}], [1, 2]]) {
    assert.throws(() => native.flush!(...args), /^Error: Need to specify a timeout and a callback$/);
  }
  broker.setDown();
  producer.produce("t", 0, VALUE);
  await assert.rejects(ask(producer, "flush", 150), { code: -185 });
  assert.equal(reports.length, 0);
  broker.setUp();
  await ask(producer, "flush", 30_000);
  assert.deepEqual(reports.map(({ error }) => error), [null]);
});

Deno.test("produce() to a full queue throws code -184, keeps what is queued, and has room again after poll()", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers, {
    "queue.buffering.max.messages": 10,
    "linger.ms": 0,
  });
  const { producer, reports } = made;
  for (let n = 0; n < 10; n++) producer.produce("t", 0, VALUE);
  assert.throws(() => producer.produce("t", 0, VALUE), { code: -184 });
  assert.throws(() => producer.produce("t", 0, VALUE, null, 1), { code: -184 }, "the other way too");
  await until(() => {
    producer.poll();
    try {
      return producer.produce("t", 0, VALUE);
    } catch (error) {
      assert.equal((error as { code: number }).code, -184);
      return false;
    }
  }, "room");
  await ask(producer, "flush", 5000);
  assert.deepEqual(reports.map(({ offset }) => offset), Array.from({ length: 11 }, (_, n) => n));
});

Deno.test("disconnect() reports every queued record as purged", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers, { "log_level": 0 });
  const { producer, reports } = made;
  broker.setDown();
  for (let n = 0; n < 5; n++) producer.produce("t", 0, VALUE, null, null, n as never);
  await ask(producer, "disconnect", 100);
  // Records in flight and queued records are reported separately, in either order.
  assert.deepEqual(reports.map(({ opaque }) => opaque).sort(), [0, 1, 2, 3, 4]);
  for (const { error } of reports) assert.ok(error!.code === -152 || error!.code === -151, `${error!.code}`);
});

Deno.test("a producer that is not connected refuses each call as the native addon does", async () => {
  await using broker = await startBrokerWithTopic();
  await using made = await connectProducer(broker.bootstrapServers);
  const { producer, native } = made;
  // disconnect() twice, at the same time and one after the other.
  await Promise.all([ask(native, "disconnect"), ask(native, "disconnect")]);
  assert.equal(await ask(native, "disconnect"), true);
  assert.throws(() => native.disconnect!(), /^Error: Need to specify a callback$/);
  assert.equal(native.produce!("t", 0, VALUE), -172);
  assert.throws(() => native.poll!(), /^Error: Producer is disconnected$/);
  await assert.rejects(ask(native, "flush", 100), (error: Error & { code: number }) => {
    assert.deepEqual([error instanceof Error, error.message, error.code], [true, "Producer is disconnected", 0]);
    return true;
  });
  for (const method of ["initTransactions", "commitTransaction", "abortTransaction"]) {
    assert.throws(() => native[method]!(1), /^Error: Need to specify a timeout and a callback$/);
    await assert.rejects(ask(native, method, 100), { code: -172, message: "" });
  }
  await assert.rejects(ask(native, "beginTransaction"), { code: -172, message: "Local: Erroneous state" });
  await ask(producer, "disconnect", 100).catch((error) => assert.match(error.message, /not connected/));
});

Deno.test("a producer connects again after a disconnect, and its reports name the right topics", async () => {
  await using broker = await LocalBroker.start();
  await using made = await connectProducer(broker.bootstrapServers);
  const { producer, reports } = made;
  const topics = Array.from({ length: 60 }, (_, n) => `topic-${n}`);
  for (const name of topics) broker.createTopic(name, { partitions: 1 });
  for (let round = 0; round < 4; round++) {
    // librdkafka's topic handles reuse the addresses of earlier ones.
    for (const name of topics.slice(round * 15, round * 15 + 15)) {
      producer.produce(name, 0, VALUE, null, null, name as never);
    }
    await ask(producer, "flush", 5000);
    await ask(producer, "disconnect", 5000);
    assert.throws(() => producer.produce("t", 0, VALUE), /Producer not connected/);
    await ask(producer, "connect", {});
  }
  assert.deepEqual(reports.map(({ topic, opaque }) => topic === opaque), topics.map(() => true));
});
