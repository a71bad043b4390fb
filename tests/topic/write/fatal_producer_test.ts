import assert from "node:assert/strict";
import { KafkaError, Topic } from "@slipstream/slipstream";
import { openSink } from "@slipstream/slipstream/protocol";
import { LocalBroker } from "@slipstream/slipstream/testing";

const INIT_PRODUCER_ID = 22, CLUSTER_AUTHORIZATION_FAILED = 31;

Deno.test("after a fatal error of the producer, every record fails with its cause", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("out", { partitions: 2 });
  broker.pushErrors(INIT_PRODUCER_ID, Array(10).fill(CLUSTER_AUTHORIZATION_FAILED));
  await using topic = new Topic("out", { "bootstrap.servers": broker.bootstrapServers });
  const sink = topic[openSink]();
  const told: unknown[] = [];
  const delivery = { undelivered: (error: unknown) => void told.push(error) };
  const outcomes = await Promise.allSettled([
    topic.send("a", "1"),
    topic.sendBatch([["b", "2"], ["c", "3"]]),
    (async () => {
      await sink.accept(["d", "4"], delivery);
      await sink.settle(delivery);
      if (told.length > 0) throw told[0] as Error;
    })(),
  ]);
  for (const outcome of outcomes) {
    assert.equal(outcome.status, "rejected");
    const { reason } = outcome as PromiseRejectedResult;
    assert.ok(reason instanceof KafkaError);
    assert.match(reason.message, /Cluster authorization failed/);
    assert.deepEqual([reason.fatal, reason.retriable], [true, false]);
  }
  await sink.close(new Error("it failed"));
});

Deno.test("the error of a purged record is not retriable, that of a broker's passing trouble is", () => {
  const isRetriable = (code: number) => new KafkaError("x", { code }).retriable;
  for (const code of [-152, -151, -150, -144, 10, 29, 31, 87, 47, 90]) {
    assert.equal(isRetriable(code), false, `${code}`);
  }
  for (const code of [2, 3, 7, 14, 19, 27, 41, 51, 56, 74, 88, 89, 100, -195, -192, -185, -184]) {
    assert.equal(isRetriable(code), true, `${code}`);
  }
});
