import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

interface Native {
  connect(callback: (error: unknown, data?: { name: string }) => void): void;
  disconnect(callback: () => void): void;
  name(): string;
  setPollInBackground(set: boolean): void;
  flush(timeoutMs: number, callback: () => void): void;
  produce(topic: string, partition: number, value: Buffer): number;
  queryWatermarkOffsets(...args: unknown[]): null;
  offsetsForTimes(...args: unknown[]): null;
}

async function make(kind: "Producer" | "KafkaConsumer", servers: string, conf: object = {}): Promise<Native> {
  const kafka = await loadKafkaJavascript();
  const group = kind === "Producer" ? {} : { "group.id": "g" };
  const client = new kafka[kind]({ "bootstrap.servers": servers, "log_level": 0, ...group, ...conf } as never, {});
  return (client as unknown as { _client: Native })._client;
}
const connect = (client: Native) =>
  new Promise<{ name: string }>((resolve, reject) =>
    client.connect((error, data) => error ? reject(error) : resolve(data!))
  );
const disconnect = (client: Native) => new Promise<void>((resolve) => client.disconnect(resolve));
const answer = (ask: (callback: (error: unknown, result?: unknown) => void) => void) =>
  new Promise<{ error: unknown; result: unknown }>((resolve) => ask((error, result) => resolve({ error, result })));

for (const kind of ["Producer", "KafkaConsumer"] as const) {
  Deno.test(`name() of a ${kind} is librdkafka's name while it is connected, the one that connect() answers`, async () => {
    const client = await make(kind, "127.0.0.1:1", { "client.id": "me" });
    assert.equal(client.name(), "");
    const { name } = await connect(client);
    assert.match(name, /^me#(producer|consumer)-\d+$/);
    assert.equal(client.name(), name);
    await disconnect(client);
    assert.equal(client.name(), "");
  });

  Deno.test(`queryWatermarkOffsets() and offsetsForTimes() of a ${kind} ask the broker`, async () => {
    await using broker = await LocalBroker.start();
    broker.createTopic("t", { partitions: 2 });
    const producer = await make("Producer", broker.bootstrapServers);
    await connect(producer);
    for (let n = 0; n < 3; n++) assert.equal(producer.produce("t", 1, Buffer.from("v")), 0);
    await new Promise<void>((resolve) => producer.flush(10_000, resolve));
    const client = kind === "Producer" ? producer : await make(kind, broker.bootstrapServers);
    if (client !== producer) await connect(client);
    const marks = (partition: number) =>
      answer((callback) => client.queryWatermarkOffsets("t", partition, 10_000, callback));
    assert.deepEqual((await marks(1)).result, { lowOffset: 0, highOffset: 3 });
    assert.deepEqual((await marks(0)).result, { lowOffset: 0, highOffset: 0 });
    const { result } = await answer((callback) =>
      client.offsetsForTimes([{ topic: "t", partition: 1, offset: 0 }], 10_000, callback)
    );
    assert.equal((result as { topic: string; partition: number }[]).length, 1);
    assert.equal((result as { topic: string; partition: number }[])[0]!.partition, 1);
    for (const one of new Set([client, producer])) await disconnect(one);
  });

  Deno.test(`queryWatermarkOffsets() and offsetsForTimes() of a ${kind} check their arguments, and answer −172 when unconnected`, async () => {
    const client = await make(kind, "127.0.0.1:1");
    const callback = () => {};
    assert.throws(() => client.queryWatermarkOffsets(1, 0, 10, callback), /1st parameter must be a topic string/);
    assert.throws(() => client.queryWatermarkOffsets("t", "0", 10, callback), /2nd parameter must be a partition/);
    assert.throws(() => client.queryWatermarkOffsets("t", 0, "x", callback), /3rd parameter must be a number/);
    assert.throws(() => client.queryWatermarkOffsets("t", 0, 10), /4th parameter must be a callback/);
    assert.throws(() => client.offsetsForTimes({}, 10, callback), /array of topic partitions/);
    assert.throws(() => client.offsetsForTimes([]), /array of topic partitions/);
    const result = await answer((callback) => client.queryWatermarkOffsets("t", 0, 10, callback));
    assert.equal((result.error as { code: number }).code, -172);
    const times = await answer((callback) => client.offsetsForTimes([], 10, callback));
    assert.equal((times.error as { code: number }).code, -172);
    await connect(client);
    // The answer comes after the time-out: a broker might appear until then.
    const began = performance.now();
    const nobody = await answer((callback) => client.queryWatermarkOffsets("t", 0, 400, callback));
    assert.equal((nobody.error as { code: number }).code, -187);
    assert.ok(performance.now() - began >= 390);
    await disconnect(client);
  });
}
