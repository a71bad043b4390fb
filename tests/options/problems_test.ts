import assert from "node:assert/strict";
import { Cache, conf, cron, Slipstream, sse, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { isOptionsObject } from "../../src/options/problems.ts";

class Fields {
  concurrency = 2;
}

Deno.test("isOptionsObject() takes plain objects and objects with fields, and nothing else", () => {
  for (const value of [{}, { a: 1 }, Object.create(null), new Fields()]) assert.ok(isOptionsObject(value));
  const signal = new AbortController().signal;
  for (const value of [new Request("http://localhost/"), signal, new Map([["a", 1]]), [], null, undefined, 5, "a"]) {
    assert.ok(!isOptionsObject(value), Deno.inspect(value));
  }
});

Deno.test("an AbortSignal or a Map in the place of options is refused wherever options are taken, and nothing is done", async () => {
  // deno-lint-ignore no-explicit-any -- what JavaScript may pass
  const app = new Slipstream() as any, cache = new Cache<number>(":memory:") as any;
  const wrong: unknown[] = [new AbortController().signal, new Map([["limit", 1]])];
  for (const options of wrong) {
    const got = new RegExp(`got an? ${options!.constructor.name}`);
    const refused = (call: () => unknown) => assert.throws(call, { name: "TypeError", message: got });
    refused(() => app.handle([1], options, () => {}));
    refused(() => app.handle([1], { retry: options }, () => {}));
    refused(() => new Topic("t", options as never));
    refused(() => new Topic("t", { "bootstrap.servers": "localhost:1" }, options as never));
    refused(() => conf(options as never));
    refused(() => new Cache(":memory:", options as never));
    refused(() => new Cache(":memory:", { log: options as never }));
    refused(() => cache.updates(options));
    refused(() => cache.changes(options));
    refused(() => cache.entries(options));
    refused(() => sse(cache, options as never));
    refused(() => cron("c", options as never));
    await assert.rejects(async () => await app.stream(options), { name: "TypeError", message: got });
    await assert.rejects(async () => await cache.set("a", 1, options), { name: "TypeError", message: got });
    await assert.rejects(async () => await cache.transaction(["a"], () => {}, options), { message: got });
    await assert.rejects(async () => await LocalBroker.start(options as never), { name: "TypeError", message: got });
  }
  assert.deepEqual(await Array.fromAsync(cache.keys()), []);
  await cache.close();
});
