import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { type Any, call, until, withConsumer } from "../support/with_consumer.ts";

for (const strategy of ["range", "cooperative-sticky"]) {
  const step = strategy === "range" ? ["assign", "unassign"] : ["incrementalAssign", "incrementalUnassign"];
  Deno.test(`rebalance_cb is called for each assignment and revocation with ${strategy}, also while disconnecting and after a reconnect`, async () => {
    await using broker = await LocalBroker.start();
    const topic = `t-${crypto.randomUUID()}`;
    broker.createTopic(topic, { partitions: 2 });
    const { KafkaConsumer, Producer } = await loadKafkaJavascript();
    const servers = { "bootstrap.servers": broker.bootstrapServers };
    const producer: Any = new Producer(servers, {});
    await call((done) => producer.connect({}, done));
    for (let n = 0; n < 10; n++) producer.produce(topic, n < 7 ? 0 : 1, Buffer.from(`${n}`));
    await call((done) => producer.flush(5000, done));
    await call((done) => producer.disconnect(done));
    const codes: number[] = [];
    const consumer: Any = new KafkaConsumer({
      ...servers,
      "group.id": topic,
      // The mock cluster admits a new member one second earlier than this after the last member has left.
      "session.timeout.ms": 6000,
      "partition.assignment.strategy": strategy,
      "enable.auto.offset.store": false,
      rebalance_cb: (error: Any, partitions: Any) => {
        codes.push(error.code);
        assert.equal(partitions.length, 2);
        consumer[step[error.code === -175 ? 0 : 1]!](partitions);
      },
    } as never, { "auto.offset.reset": "earliest" });
    for (let round = 1; round <= 2; round++) {
      await call((done) => consumer.connect({}, done));
      consumer.subscribe([topic]);
      const seen: string[] = [];
      while (seen.length < 10) {
        const some = await call<Any[]>((done) => consumer.consume(10, done));
        seen.push(...some.map(({ value }) => String(value)));
      }
      assert.deepEqual(seen.sort(), Array.from({ length: 10 }, (_, n) => `${n}`));
      assert.equal(consumer.rebalanceProtocol(), strategy === "range" ? "EAGER" : "COOPERATIVE");
      assert.equal(consumer.assignmentLost(), false);
      consumer.commitSync([0, 1].map((partition) => ({ topic, partition, offset: 0 })));
      consumer.offsetsStore([0, 1].map((partition) => ({ topic, partition, offset: 0 })));
      await call((done) => consumer.disconnect(done));
      assert.deepEqual(codes, Array.from({ length: round }, () => [-175, -174]).flat());
    }
  });
}

Deno.test("a consumer that exceeded max.poll.interval.ms gets that error first, and then the revocation", async () => {
  const received: unknown[] = [];
  const conf = { "max.poll.interval.ms": 1000, "session.timeout.ms": 1000, "heartbeat.interval.ms": 300 };
  await withConsumer({ ...conf, rebalance_cb: true }, 0, async (consumer, topic) => {
    consumer.on("rebalance", ({ code }: Any) => void received.push(code));
    consumer.setDefaultConsumeTimeout(50);
    consumer.subscribe([topic]);
    const consume = () => call((done) => consumer.consume(1, done)).catch(({ code }: Any) => void received.push(code));
    await until(() => (void consume(), received.length > 0));
    await consume();
    // The program does not consume until librdkafka has noticed: it checks once a second.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await consume();
    assert.deepEqual(received, [-175, -147]);
    await consume();
    await until(() => received.length > 2);
    assert.deepEqual(received.slice(0, 3), [-175, -147, -174]);
  });
});

Deno.test("librdkafka does not keep an unassigned partition as wanted", async () => {
  await withConsumer({ debug: "topic", log_level: 7 }, [5, 3], async (consumer, topic, native) => {
    const marks: string[] = [];
    native.configureCallbacks(true, {
      event: {
        event_cb: (kind: string, { fac, message }: { fac: string; message: string }) => {
          if (kind === "log" && (fac === "DESIRED" || fac === "DESP")) marks.push(message);
        },
      },
    });
    const both = [0, 1].map((partition) => ({ topic, partition, offset: 0 }));
    consumer.assign(both);
    let count = 0;
    await until(() => {
      native.consume(20, 10, true, (_: unknown, messages: unknown[] = []) => count += messages.length);
      return count === 8;
    });
    consumer.incrementalUnassign([both[1]]);
    consumer.unassign();
    await until(() => marks.some((mark) => mark.includes("[1]") && /[Rr]emov/.test(mark)));
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const partition of [0, 1]) {
      const last = marks.filter((mark) => mark.includes(`${topic} [${partition}]`)).at(-1);
      assert.match(`${last}`, /[Rr]emov/, marks.join("\n"));
    }
  });
});
