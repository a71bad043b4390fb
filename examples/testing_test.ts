// How a stream is tested. A script stands in for the topic and a fake clock for time: no broker, no waiting. The
// last test runs the same stream on a Kafka in the test's own process.
//
// Run:    deno test -A examples/testing_test.ts
// Prints: 5 passed
import assert from "node:assert/strict";
import { json, Topic } from "@slipstream/slipstream";
import { delay, fail, FakeClock, LocalBroker, runUntilIdle, scripted } from "@slipstream/slipstream/testing";
import { type Order, orders } from "./orders.ts";

Deno.test("orders() cooks what is ordered", async () => {
  const lines: string[] = [];
  const source = scripted([{ id: "fish", price: 7 }, { id: "soup", price: 4 }]);
  await runUntilIdle(orders(source, (line) => lines.push(line)));
  assert.deepEqual(lines, ["cook fish", "cook soup"]);
});

Deno.test("orders() counts the till every minute", async () => {
  using clock = FakeClock.install();
  const lines: string[] = [];
  const source = scripted([{ id: "fish", price: 7 }, delay(90_000), { id: "soup", price: 4 }]);
  const running = runUntilIdle(orders(source, (line) => lines.push(line)));
  await clock.advance(120_000);
  await running;
  assert.deepEqual(lines, ["cook fish", "taken: 7", "cook soup", "taken: 4"]);
});

Deno.test("orders() stops at a wrong order, and begins there again", async () => {
  const lines: string[] = [];
  const source = scripted([{ id: "fish", price: 7 }, { id: "soup", price: -1 }]);
  const app = orders(source, (line) => lines.push(line));
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(runUntilIdle(app), /handler "kitchen" failed on script\[1\]: order soup costs -1/);
  }
  assert.deepEqual(lines, ["cook fish"]);
});

Deno.test("orders() ends when its source fails", async () => {
  const source = scripted<Order>([fail(new Error("connection lost"))]);
  await assert.rejects(runUntilIdle(orders(source, () => {})), /connection lost/);
});

Deno.test("orders() reads a topic", async () => {
  await using broker = await LocalBroker.start();
  await using topic = new Topic("orders", { "bootstrap.servers": broker.bootstrapServers }, {
    value: json<Order>(),
    offset: "beginning",
  });
  await topic.send("table 1", { id: "fish", price: 7 });
  const lines: string[] = [];
  const source = topic.readable.pipeThrough(
    new TransformStream({ transform: ({ value }, to) => value === null ? undefined : to.enqueue(value) }),
  ) as ReadableStream<Order>;
  await runUntilIdle(orders(source, (line) => lines.push(line)), { until: () => lines.length > 0 });
  assert.deepEqual(lines, ["cook fish"]);
});
