import assert from "node:assert/strict";
import type { Readable } from "node:stream";
import { createReadStream, Producer } from "@slipstream/slipstream/kafka-javascript";
import { LocalBroker } from "@slipstream/slipstream/testing";

interface Read {
  readonly value: Uint8Array | null;
  readonly offset: number;
}

/** A broker with 100 messages in a topic, and a stream that reads them. */
async function filled(): Promise<AsyncDisposable & { open(options: Record<string, unknown>): Readable }> {
  const broker = await LocalBroker.start();
  await broker.createTopic("numbers", { partitions: 1 });
  const servers = { "bootstrap.servers": broker.bootstrapServers };
  const producer = new Producer(servers, {});
  await new Promise<void>((resolve, reject) => producer.connect({}, (error) => error ? reject(error) : resolve()));
  for (let n = 0; n < 100; n++) producer.produce("numbers", 0, Buffer.from(`${n}\n`));
  await new Promise((resolve) => producer.flush(5000, resolve));
  await new Promise((resolve) => producer.disconnect(resolve));
  return {
    open: (options) =>
      createReadStream(
        { ...servers, "group.id": "readers", "enable.auto.commit": false },
        { "auto.offset.reset": "earliest" },
        { topics: ["numbers"], waitInterval: 0, ...options } as never,
      ),
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}

/** Reads a number of messages, then closes the stream and its consumer. */
async function take<T>(stream: Readable, count: number): Promise<T[]> {
  const taken: T[] = [];
  await new Promise<void>((resolve, reject) => {
    stream.on("error", reject);
    stream.on("data", (one: T) => {
      taken.push(one);
      if (taken.length === count) resolve();
    });
  });
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.destroy();
  await closed;
  return taken.slice(0, count);
}

const NUMBERS = Array.from({ length: 100 }, (_, n) => n);

Deno.test("createReadStream() yields each message in order, and closes its consumer when it is destroyed", async () => {
  await using topic = await filled();
  const messages = await take<Read>(topic.open({}), 100);
  assert.deepEqual(messages.map(({ offset }) => offset), NUMBERS);
  assert.deepEqual(messages.map(({ value }) => Number(String(value))), NUMBERS);
});

Deno.test("createReadStream() yields batches of at most fetchSize messages", async () => {
  await using topic = await filled();
  const batches: Read[][] = [];
  const stream = topic.open({ streamAsBatch: true, fetchSize: 30 });
  await new Promise<void>((resolve, reject) => {
    stream.on("error", reject);
    stream.on("data", (batch: Read[]) => {
      batches.push(batch);
      if (batches.flat().length === 100) resolve();
    });
  });
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.destroy();
  await closed;
  assert.deepEqual(batches.flat().map(({ offset }) => offset), NUMBERS);
  assert.ok(batches.every(({ length }) => length <= 30));
});

Deno.test("createReadStream() without object mode yields the bytes of the values", async () => {
  await using topic = await filled();
  const chunks = await take<Uint8Array>(topic.open({ objectMode: false }), 100);
  assert.equal(chunks.map(String).join(""), NUMBERS.map((n) => `${n}\n`).join(""));
});
