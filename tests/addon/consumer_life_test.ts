import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { addon } from "../../src/addon/addon.ts";
import { type Any, call, until, withConsumer } from "../support/with_consumer.ts";

Deno.test("disconnect() ends a consume() that waits, and both call back", async () => {
  await withConsumer({}, 0, async (consumer, topic, native) => {
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    const waiting = call<Any[]>((done) => native.consume(1_000_000, 5, false, done));
    await call((done) => consumer.disconnect(done));
    assert.deepEqual(await waiting, []);
  });
});

Deno.test("disconnect() may be called from a callback of consume(), and again when it is over", async () => {
  await withConsumer({}, 5, async (consumer, topic) => {
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    const seen: unknown[] = [];
    let gone = false;
    consumer.consume((_error: unknown, message: unknown) => {
      seen.push(message);
      if (seen.length === 1) consumer.disconnect(() => gone = true);
    });
    await until(() => gone);
    assert.equal(seen.length, 5, "what librdkafka counts as consumed is handed out");
    await call((done) => consumer.disconnect(done));
  });
});

Deno.test("queue_non_empty_cb is called when messages arrive", async () => {
  let calls = 0;
  await withConsumer({ queue_non_empty_cb: () => calls++ }, 5, async (consumer, topic) => {
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    await until(() => calls > 0);
  });
});

Deno.test("while it leaves its group, a consumer sends the group nothing but the answer to a rebalance", async () => {
  const answers: unknown[] = [];
  let group: Any;
  const rebalance_cb = (error: Any, partitions: Any[]) => {
    if (error.code === -175) return group.assign(partitions);
    const protocol = () => group.rebalanceProtocol();
    answers.push(error.code, protocol(), group.unassign(), protocol(), group.unassign(), group.assignmentLost());
    assert.throws(() => group.assignments(), { code: -172 });
  };
  await withConsumer({ rebalance_cb }, 1, async (consumer, topic, native) => {
    group = consumer;
    consumer.subscribe([topic]);
    await until(() => (consumer.consume(1, () => {}), consumer.assignments().length === 1));
    group.unassign = () => native.unassign();
  });
  assert.deepEqual(answers, [-174, "NONE", true, "NONE", true, false]);
});

for (const strategy of ["range", "cooperative-sticky"]) {
  Deno.test(`an assignment during a disconnect() reaches rebalance_cb, and assign() throws (${strategy})`, async () => {
    const ways = {
      assign: "Error: Local: Erroneous state",
      incrementalAssign: "-172 KafkaConsumer is disconnected",
      unassign: true,
      incrementalUnassign: true,
      toString: "no answer",
    };
    for (const [way, expected] of Object.entries(ways)) {
      const answers: unknown[] = [];
      let native: Any;
      const rebalance_cb = (error: Any, partitions: Any[]) => {
        answers.push(error.code, native.rebalanceProtocol(), partitions.length);
        if (error.code !== -175) return native.unassign();
        try {
          answers.push(way === "toString" ? "no answer" : native[way](partitions));
        } catch (error) {
          answers.push(error instanceof Error ? `${error}` : `${(error as Any).code} ${(error as Any).message}`);
        }
      };
      const conf = { rebalance_cb, "partition.assignment.strategy": strategy, debug: "cgrp" };
      await withConsumer(conf, 0, async (consumer, topic, client) => {
        native = client;
        const assigned = new Promise<void>((resolve) =>
          consumer.on(
            "event.log",
            ({ message }: Any) => /delegating .*assign of 1 partition/.test(message) && resolve(),
          )
        );
        consumer.subscribe([topic]);
        await assigned;
        // librdkafka logs the rebalance before the event arrives; disconnect() delivers it first.
        consumer.assignments();
        assert.deepEqual(answers, [], "no answer, as the program does not consume");
      });
      // librdkafka revokes the partitions that it had offered.
      const revoked = strategy === "range" ? [] : [-174, "NONE", 1];
      assert.deepEqual(answers, [-175, "NONE", 1, expected, ...revoked], way);
    }
  });
}

Deno.test("a rebalance waits for consume(), also without a getMetadata() before", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  const codes: number[] = [];
  let woken = 0;
  const client: Any = new addon.KafkaConsumer({ "bootstrap.servers": broker.bootstrapServers, "group.id": "g" }, {});
  client.configureCallbacks(true, {
    global: {
      rebalance_cb: (code: number, partitions: Any[]) => {
        codes.push(code);
        if (code === -175) client.assign(partitions);
        else client.unassign();
      },
    },
    event: { queue_non_empty_cb: () => woken++ },
  });
  await call((done) => client.connect(done));
  client.subscribe(["t"]);
  await until(() => woken > 0);
  assert.deepEqual(codes, []);
  await until(() => (client.consume(1, 1, true, () => {}), client.assignments().length === 1));
  assert.deepEqual(codes, [-175]);
  await call((done) => client.disconnect(done));
  assert.deepEqual(codes, [-175, -174]);
});
