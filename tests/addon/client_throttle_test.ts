import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { until } from "../support/brokers.ts";
import { startThrottlingProxy } from "../support/throttling_proxy.ts";

interface Throttle {
  message: string;
  throttleTime: number;
  brokerName: string;
  brokerId: number;
}
interface Throttled {
  on(event: "event.throttle" | "event.event", listener: (data: Throttle) => void): void;
  connect(options: object, callback: (error: unknown) => void): void;
  getMetadata(options: object, callback: (error: unknown) => void): void;
  disconnect(callback: () => void): void;
  consume?(count: number, callback: () => void): void;
  poll?(): void;
}

for (const kind of ["Producer", "KafkaConsumer"] as const) {
  Deno.test(
    `event.throttle of a ${kind} comes when a broker throttles it, and when throttling ends`,
    async () => {
      await using broker = await LocalBroker.start({ brokers: 1 });
      using proxy = startThrottlingProxy(broker.bootstrapServers, 1234);
      const kafka = await loadKafkaJavascript();
      const conf = { "bootstrap.servers": proxy.bootstrapServers, "group.id": "g", "log_level": 0 };
      if (kind === "Producer") delete (conf as Partial<typeof conf>)["group.id"];
      // Twice: the C callback of the first client is closed before the second client connects.
      for (let time = 0; time < 2; time++) {
        const client = new kafka[kind](conf as never, {}) as unknown as Throttled;
        const received: Throttle[] = [], events: Throttle[] = [];
        client.on("event.throttle", (data) => received.push(data));
        client.on("event.event", (data) => events.push(data));
        await new Promise((resolve) => client.connect({ timeout: 10_000 }, resolve));
        await until(async () => {
          await new Promise((resolve) => client.getMetadata({ timeout: 10_000 }, resolve));
          client.poll?.();
          if (client.consume) await new Promise<void>((resolve) => client.consume!(1, resolve));
          return received.length >= 2;
        }, "throttling, and its end");
        await new Promise<void>((resolve) => client.disconnect(resolve));
        assert.deepEqual(received.map(({ throttleTime }) => throttleTime), [1234, 0]);
        for (const { message, brokerName, brokerId } of received) {
          assert.equal(message, "Success");
          assert.match(brokerName, /^127\.0\.0\.1:\d+/);
          assert.equal(typeof brokerId, "number");
        }
        assert.deepEqual(events, received);
      }
    },
  );
}

Deno.test("event.throttle of a producer waits for poll() or flush()", async () => {
  await using broker = await LocalBroker.start({ brokers: 1 });
  using proxy = startThrottlingProxy(broker.bootstrapServers, 1234);
  const { Producer } = await loadKafkaJavascript();
  const producer = new Producer({ "bootstrap.servers": proxy.bootstrapServers, "log_level": 0 }, {});
  const received: number[] = [];
  const throttled = producer as unknown as Throttled;
  throttled.on("event.throttle", ({ throttleTime }) => received.push(throttleTime));
  await new Promise((resolve) => throttled.connect({ timeout: 10_000 }, resolve));
  const before = received.length;
  await new Promise((resolve) => throttled.getMetadata({ timeout: 10_000 }, resolve));
  assert.equal(received.length, before);
  producer.produce("t", null, null);
  await new Promise<void>((resolve, reject) =>
    producer.flush(10_000, (error: unknown) => error ? reject(error as Error) : resolve())
  );
  assert.deepEqual(received, [1234, 0]);
  await new Promise<void>((resolve) => throttled.disconnect(resolve));
});
