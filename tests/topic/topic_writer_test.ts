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

Deno.test("send() gives its turn to the next call when its codec fails", async () => {
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
