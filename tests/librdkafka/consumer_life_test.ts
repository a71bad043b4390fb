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
