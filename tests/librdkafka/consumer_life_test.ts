import assert from "node:assert/strict";
import { type Any, call, until, withConsumer } from "./native_consumer.ts";

Deno.test("disconnect() answers a consume() that waits, and both call back", async () => {
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

Deno.test("queue_non_empty_cb is called when messages come", async () => {
  let calls = 0;
  await withConsumer({ queue_non_empty_cb: () => calls++ }, 5, async (consumer, topic) => {
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    await until(() => calls > 0);
  });
});

Deno.test("while it leaves its group, a consumer asks nothing of it but what it waits for", async () => {
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
  assert.deepEqual(answers, [-174, "EAGER", true, "EAGER", true, false]);
});
