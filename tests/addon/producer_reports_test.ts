import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { until } from "../support/brokers.ts";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { ask, connectProducer } from "../support/producers.ts";

Deno.test("outcomes stay with their records when a callback polls another producer", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("mine", { partitions: 3 });
  broker.createTopic("theirs", { partitions: 1 });
  await using other = await connectProducer(broker.bootstrapServers);
  const { Producer } = await loadKafkaJavascript();
  const producer = new Producer({ "bootstrap.servers": broker.bootstrapServers, "linger.ms": 100 }, {});
  const received: unknown[][] = [];
  const delivery_cb = Object.assign(() => {}, {
    outcomesOnly: (code: number, opaque: unknown, partition: number, offset: number) => {
      received.push([code, opaque, partition, offset]);
      other.producer.poll();
    },
  });
  Object.assign((producer as unknown as { _cb_configs: { event: object } })._cb_configs.event, { delivery_cb });
  await ask(producer, "connect", {});
  const counts = [9, 2, 5];
  // The other producer's reports are waiting when the first outcome arrives.
  for (let n = 0; n < 40; n++) other.producer.produce("theirs", 0, Buffer.from(`${n}`), null, 0, `theirs ${n}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const [partition, count] of counts.entries()) {
    for (let n = 0; n < count; n++) producer.produce("mine", partition, Buffer.from("m"), null, 0, `${partition} ${n}`);
  }
  await ask(producer, "flush", 10_000);
  await until(() => received.length >= 16 && other.reports.length >= 40, "all reports");
  await ask(producer, "disconnect", 5000);
  assert.deepEqual(
    received.sort(([, a], [, b]) => `${a}` < `${b}` ? -1 : 1),
    counts.flatMap((count, partition) =>
      Array.from({ length: count }, (_, n) => [0, `${partition} ${n}`, partition, n])
    ),
  );
  assert.deepEqual(other.reports.map(({ opaque }) => opaque), Array.from({ length: 40 }, (_, n) => `theirs ${n}`));
});
