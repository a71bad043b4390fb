import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

/** Runs a program in a process of its own, which must end by itself. */
async function program(code: string, timeoutMs = 20_000): Promise<{ code: number; out: string }> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const root = new URL("../../", import.meta.url);
  await Deno.writeTextFile(file, code.replaceAll("ROOT/", root.href));
  const signal = AbortSignal.timeout(timeoutMs);
  const { code: status, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", new URL("deno.json", root).pathname, file],
    signal,
  }).output();
  assert.ok(!signal.aborted, "the program did not end by itself");
  await Deno.remove(file);
  return { code: status, out: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("a process ends by itself when its clients are disconnected", async () => {
  const { code, out } = await program(`
    import { loadKafkaJavascript } from "ROOT/src/addon/load_kafka_javascript.ts";
    import { LocalBroker } from "ROOT/src/testing/mod.ts";
    const broker = await LocalBroker.start();
    const { KafkaConsumer, Producer } = await loadKafkaJavascript();
    for (const Client of [KafkaConsumer, Producer]) {
      const client = new Client({ "bootstrap.servers": broker.bootstrapServers, "group.id": "g" }, {});
      await new Promise((resolve) => client.connect({ allTopics: false }, resolve));
      await new Promise((resolve) => client.disconnect(resolve));
      await new Promise((resolve) => client.connect({ allTopics: false }, resolve)); // and once more
      await new Promise((resolve) => client.disconnect(resolve));
    }
    await broker.close();
    const ended = performance.now();
    addEventListener("unload", () => console.log(performance.now() - ended < 1000 ? "at once" : "late"));
  `);
  assert.deepEqual([code, out], [0, "at once\n"]);
});

Deno.test("LocalBroker.start() is quick, and makes brokers and topics", async () => {
  const took: number[] = [];
  for (let n = 0; n < 5; n++) {
    const began = performance.now();
    await using _one = await LocalBroker.start({ brokers: 3 });
    took.push(performance.now() - began);
  }
  // A start takes about 1 ms. The fastest of five counts, as a busy machine may pause for longer.
  assert.ok(Math.min(...took) < 100, `${took} ms`);
  await using broker = await LocalBroker.start({ brokers: 3, partitions: 2 });
  assert.equal(broker.bootstrapServers.split(",").length, 3);
  broker.createTopic("made");
  assert.throws(() => broker.createTopic("made"), /The local broker refused: .*exists/);
  await assert.rejects(LocalBroker.start({ brokers: 0 }), TypeError);
  await broker.close();
  assert.throws(() => broker.createTopic("late"), /is closed/);
});

Deno.test("the npm client's classes connect, produce, consume and report over the addon", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("round", { partitions: 1 });
  const { KafkaConsumer, Producer } = await loadKafkaJavascript();
  const servers = { "bootstrap.servers": broker.bootstrapServers };
  const producer = new Producer({ ...servers, dr_msg_cb: true }, {});
  const reports: { key: Buffer | null; value: Buffer | null; opaque: unknown; offset: number }[] = [];
  producer.on("delivery-report", (_error, report) => void reports.push(report as never));
  await new Promise((resolve, reject) => producer.connect({}, (error, data) => error ? reject(error) : resolve(data)));
  producer.setPollInBackground(true);
  const opaque = { any: "thing" };
  producer.produce("round", 0, Buffer.from("v"), "k", null, opaque, [{ h: "1" }]);
  producer.produce("round", 0, Buffer.alloc(0), Buffer.alloc(0), 5000);
  producer.produce("round", 0, null, null);
  await new Promise((resolve) => producer.flush(5000, resolve));
  assert.deepEqual(reports.map(({ key, value, offset }) => [key?.toString(), value?.toString(), offset]), [
    ["k", "v", 0],
    ["", "", 1],
    [undefined, undefined, 2],
  ]);
  assert.equal(reports[0]!.opaque, opaque);

  const consumer = new KafkaConsumer({ ...servers, "group.id": "g", "statistics.interval.ms": 100 }, {
    "auto.offset.reset": "earliest",
  });
  let statistics = 0;
  consumer.on("event.stats", () => void statistics++);
  await new Promise((resolve, reject) => consumer.connect({}, (error, data) => error ? reject(error) : resolve(data)));
  consumer.subscribe(["round"]);
  const messages: { key?: unknown; value: unknown; offset: number }[] = [];
  while (messages.length < 3) {
    messages.push(
      ...await new Promise<never[]>((resolve, reject) =>
        consumer.consume(10, (error, some) => error ? reject(error) : resolve(some as never))
      ),
    );
  }
  assert.deepEqual(messages.map(({ value }) => value), [Buffer.from("v"), Buffer.alloc(0), null]);
  assert.deepEqual(consumer.assignments(), [{ topic: "round", partition: 0, offset: -1000 }]);
  assert.deepEqual(
    (consumer.position() as { offset?: number }[]).map(({ offset }) => offset),
    [3],
  );
  assert.ok(statistics > 0);
  for (const client of [consumer, producer]) {
    await new Promise((resolve) => (client as typeof consumer).disconnect(resolve));
  }
});

Deno.test("constructors throw librdkafka's configuration errors", async () => {
  const { KafkaConsumer } = await loadKafkaJavascript();
  assert.throws(() => new KafkaConsumer({ "no.such": 1 } as never, {}), /No such configuration property: "no.such"/);
});

Deno.test("getMetadata() fails after its time-out, and disconnect() does not wait for it", async () => {
  const { Producer } = await loadKafkaJavascript();
  const connecting = (timeout: number) => {
    const producer = new Producer({ "bootstrap.servers": "127.0.0.1:1", "log_level": 0 }, {});
    return {
      producer,
      failed: new Promise<{ code?: number } | null>((resolve) =>
        producer.connect({ timeout }, (error) => resolve(error as never))
      ),
    };
  };
  const { code } = (await connecting(300).failed)!;
  assert.ok(code === -195 || code === -185, `${code}`);
  const { producer, failed } = connecting(60_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const began = performance.now();
  (producer as unknown as { _client: { disconnect(callback: () => void): void } })._client.disconnect(() => {});
  await failed;
  assert.ok(performance.now() - began < 2000);
});
