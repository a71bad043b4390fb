import { fakes } from "../../support/fake_producer.ts";
import assert from "node:assert/strict";
import { type Codec, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

/** A codec whose first values take longest: each waits until all that are asked for are being encoded. */
function backwards(values: number): Codec<string> {
  const encoder = new TextEncoder(), decoder = new TextDecoder();
  const waiting: (() => void)[] = [];
  return {
    name: "backwards",
    encode(value) {
      if (value === "bad") return Promise.reject(new TypeError("no form for it"));
      const encoded = Promise.withResolvers<Uint8Array>();
      waiting.push(() => encoded.resolve(encoder.encode(value)));
      if (waiting.length === values) {
        // One by one, each with time for what waits for it.
        (async () => {
          for (const release of waiting.reverse()) {
            release();
            await new Promise((resolve) => setTimeout(resolve));
          }
        })();
      }
      return encoded.promise;
    },
    decode: (bytes) => decoder.decode(bytes),
  };
}

async function read(topic: Topic): Promise<(string | null)[]> {
  const values: (string | null)[] = [];
  for await (const { value } of topic) values.push(value);
  return values;
}

Deno.test("send() writes in the order of the calls when an async codec finishes in another", async () => {
  await using broker = await LocalBroker.start();
  await using topic = new Topic("send-order", { "bootstrap.servers": broker.bootstrapServers }, {
    value: backwards(4),
    offset: "beginning",
    until: "end",
  });
  await Promise.all([
    topic.send("k", "a"),
    topic.sendBatch([["k", "b"]]),
    topic.send("k", "c"),
    topic.send("k", "d"),
  ]);
  assert.deepEqual(await read(topic), ["a", "b", "c", "d"]);
});

Deno.test("a call of send() whose codec fails does not hold up the next call", async () => {
  await using broker = await LocalBroker.start();
  await using topic = new Topic("send-fails", { "bootstrap.servers": broker.bootstrapServers }, {
    value: backwards(2),
    offset: "beginning",
    until: "end",
  });
  const outcomes = await Promise.allSettled(["a", "bad", "b"].map((value) => topic.send("k", value)));
  assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.match(String((outcomes[1] as PromiseRejectedResult).reason), /can't encode the value as backwards/);
  assert.deepEqual(await read(topic), ["a", "b"]);
});

Deno.test("a record fails after message.timeout.ms without a broker, and not before", async () => {
  using all = fakes({ "message.timeout.ms": 400 });
  all.prepare = (producer) => producer.connecting = new Promise(() => {});
  const told: unknown[] = [];
  const sink = all.writer.open({ keepsProducer: true });
  const started = performance.now();
  const since = (promise: Promise<unknown>) =>
    promise.then(() => assert.fail("it is delivered"), (error) => {
      told.push(error.code);
      assert.match(
        error.message,
        /^(2 of 2: )?Topic "t": no broker at fake-.* has answered within message\.timeout\.ms, 400 ms/,
      );
      return performance.now() - started;
    });
  const first = [since(all.writer.send(["a", "1"])), since(all.writer.sendBatch([["b", "1"], ["c", "2"]]))];
  await new Promise((resolve) => setTimeout(resolve, 150));
  const accepted = sink.accept(["d", "3"], { undelivered: () => Promise.resolve() }) as Promise<void>;
  const later = [since(accepted), since(all.writer.send(["e", "4"]))];
  for (const ms of await Promise.all(first)) assert.ok(ms >= 395);
  for (const ms of await Promise.all(later)) assert.ok(ms >= 545);
  assert.deepEqual(told, [-192, -192, -192, -192]);
  await sink.close();
  await all.writer.close();
});

Deno.test("a record is delivered when a broker answers within message.timeout.ms, however long its delivery takes then", async () => {
  using all = fakes({ "message.timeout.ms": 200 });
  const connected = Promise.withResolvers<undefined>();
  all.prepare = (producer) => producer.connecting = connected.promise;
  const sent = [all.writer.send(["a", "1"]), all.writer.send(["b", "2"])];
  await new Promise((resolve) => setTimeout(resolve, 50));
  connected.resolve(undefined);
  await new Promise((resolve) => setTimeout(resolve, 300));
  all.producer.report(2);
  await Promise.all(sent);
  await all.writer.close();
});
