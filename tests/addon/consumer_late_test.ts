/** Consumers on a busy machine, where librdkafka's threads go on while a call has not returned yet. */

import assert from "node:assert/strict";
import { type Any, call, until, withConsumer } from "../support/with_consumer.ts";
import { withSlowFunctions } from "../support/with_slow_functions.ts";

const ASSIGNS = ["assign", "incrementalAssign"] as const;

const withSlowAssigns = (test: () => Promise<void>) =>
  withSlowFunctions(["rd_kafka_assign", "rd_kafka_incremental_assign"], () => 300, test);

for (const assign of ASSIGNS) {
  Deno.test(`a message that the program has not received is not consumed, however late ${assign}() returns`, async () => {
    await withSlowAssigns(() =>
      withConsumer({ "enable.partition.eof": true }, 150, async (consumer, topic) => {
        const topicPartition = { topic, partition: 0 };
        consumer[assign]([{ ...topicPartition, offset: 0 }]);
        let length = 0;
        while (length === 0) ({ length } = await call<Any[]>((done) => consumer.consume(10, done)));
        assert.equal(consumer.position([topicPartition])[0].offset, length);
        await call((done) => consumer.disconnect(done));
        await call((done) => consumer.connect({}, done));
        const [committed] = await call<Any[]>((done) => consumer.committed([topicPartition], 5000, done));
        assert.equal(committed.offset, length);
      })
    );
  });

  Deno.test(`a pause holds, however late ${assign}() returns, and messages come in order, the end of the partition last`, async () => {
    await withSlowAssigns(() =>
      withConsumer({ "enable.partition.eof": true }, 150, async (consumer, topic) => {
        const topicPartition = { topic, partition: 0 }, seen: unknown[] = [];
        consumer.on("data", ({ offset }: Any) => void seen.push(offset));
        consumer.on("partition.eof", ({ offset }: Any) => void seen.push(`end ${offset}`));
        consumer[assign]([{ ...topicPartition, offset: 0 }]);
        consumer.pause([topicPartition]);
        consumer.consume();
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.deepEqual(seen, []);
        consumer.resume([topicPartition]);
        await until(() => seen.length === 151);
        assert.deepEqual(seen, [...Array(150).keys(), "end 150"]);
      })
    );
  });
}

Deno.test("a partition whose assign fails is not consumed, and can be assigned again", async () => {
  await withConsumer({}, 5, async (consumer, topic) => {
    const topicPartition = { topic, partition: 0 }, seen: number[] = [];
    consumer.incrementalAssign([{ ...topicPartition, offset: 0 }]);
    // librdkafka refuses to add a partition that is assigned already.
    assert.throws(() => consumer.incrementalAssign([{ ...topicPartition, offset: 0 }]));
    const take = async () => {
      const messages = await call<Any[]>((done) => consumer.consume(5, done));
      seen.push(...messages.map(({ offset }) => offset));
    };
    while (seen.length < 5) await take();
    consumer.incrementalUnassign([topicPartition]);
    consumer.incrementalAssign([{ ...topicPartition, offset: 0 }]);
    while (seen.length < 10) await take();
    assert.deepEqual(seen, [...Array(5).keys(), ...Array(5).keys()]);
  });
});

Deno.test("a consumer that commits and disconnects gets the result of the commit, however late the close returns", async () => {
  await withSlowFunctions(["rd_kafka_consumer_close_queue"], () => 300, async () => {
    const received: unknown[] = [];
    const offset_commit_cb = (error: unknown, [{ offset }]: Any) => void received.push([error, offset]);
    await withConsumer({ offset_commit_cb }, 1, async (consumer, topic) => {
      consumer.commitSync({ topic, partition: 0, offset: 1 });
      await call((done) => consumer.disconnect(done));
      assert.deepEqual(received, [[undefined, 1]]);
    });
  });
});
