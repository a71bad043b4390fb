import assert from "node:assert/strict";
import { bytes, HandlerError, json, Slipstream, Topic } from "@slipstream/slipstream";
import { everything, TestBroker } from "../support/brokers.ts";

const QUIET = { handleSignals: false } as const;
const PRODUCE = 0, TOO_LARGE = 10;
const utf8 = (text: string) => new TextEncoder().encode(text);

/** A message's headers by name, as text. */
const words = (headers: readonly (readonly [string, Uint8Array | null])[]) =>
  Object.fromEntries(headers.map(([name, value]) => [name, value && new TextDecoder().decode(value)]));

Deno.test("a dead letter has the bytes and headers of the message, and headers about the error", async () => {
  await using broker = await TestBroker.start();
  const [from, dead] = [await broker.createTopic("letters"), await broker.createTopic("dead")];
  await using raw = new Topic(from, broker.conf(), { key: bytes, value: bytes });
  const broken = new Uint8Array([0xff, 0xfe, 0]);
  await raw.send(utf8("a"), utf8("1"));
  await raw.send(new Uint8Array([0, 0xff]), broken, {
    headers: [["h", "x"], ["h", null]],
    timestamp: 1_700_000_000_000,
  });
  await raw.send(utf8("b"), utf8("no"));
  await raw.send(utf8("c"), utf8("3"));
  await using source = broker.toEnd(from, { "group.id": `g-${from}` });
  await using letters = new Topic(dead, broker.conf());
  const seen: unknown[] = [], others: unknown[] = [];
  const app = new Slipstream();
  app.handle(source, { name: "count", onError: letters }, ({ value }) => {
    if (value === "no") throw new Error("no number");
    seen.push(value);
  });
  app.handle(source, { onError: "skip" }, ({ value }) => void others.push(value));
  await app.stream(QUIET);
  assert.deepEqual([seen, others], [["1", "3"], ["1", "no", "3"]]);
  await using read = broker.toEnd<Uint8Array, Uint8Array>(dead, {}, { key: bytes, value: bytes });
  const [first, second, ...rest] = await Array.fromAsync(read);
  assert.deepEqual(rest, []);
  assert.deepEqual([[...first!.key!], [...first!.value!]], [[0, 0xff], [...broken]]);
  assert.deepEqual(first!.headers.slice(0, 2).map(([name, value]) => [name, value && [...value]]), [["h", [120]], [
    "h",
    null,
  ]]);
  const { "slipstream.error": error, h: _, ...where } = words(first!.headers);
  assert.match(error!, /Can't decode the key of letters.*\[0\]@1 as text/);
  assert.deepEqual(where, {
    "slipstream.handler": "count",
    "slipstream.topic": from,
    "slipstream.partition": "0",
    "slipstream.offset": "1",
    "slipstream.timestamp": "1700000000000",
  });
  assert.deepEqual([String(second!.value), words(second!.headers)["slipstream.error"]], ["no", "Error: no number"]);
  // All offsets are stored, so a second reader of the group gets nothing.
  await using again = broker.toEnd(from, { "group.id": `g-${from}` });
  assert.deepEqual(await Array.fromAsync(again), []);
});

Deno.test("the offset of a message is not stored when its dead letter can't be delivered", async () => {
  await using broker = await TestBroker.start();
  const limit = { "max.message.bytes": "1000" };
  const [from, dead] = [await broker.createTopic("undelivered"), await broker.createTopic("full", 1, limit)];
  await using source = new Topic(from, broker.conf());
  // Random bytes can't be compressed.
  const large = Array.from({ length: 100 }, () => crypto.randomUUID()).join();
  await source.sendBatch([["k", "fine"], ["k", large]]);
  const group = { "group.id": `g-${from}` };
  {
    await using reading = broker.toEnd(from, group);
    await using letters = new Topic(dead, broker.conf());
    // The local broker has no limit, so it is made to refuse the dead letter, and its copies with fewer headers.
    broker.local?.pushErrors(PRODUCE, [TOO_LARGE, TOO_LARGE, TOO_LARGE]);
    const app = new Slipstream();
    app.handle(reading, { name: "count", onError: letters }, ({ value }) => {
      if (value !== "fine") throw new Error("on purpose");
    });
    await assert.rejects(app.stream(QUIET), (error: unknown) => {
      assert.ok(error instanceof HandlerError);
      assert.deepEqual([error.handler, error.topic, error.partition, error.offset], ["count", from, 0, 1]);
      return true;
    });
  }
  await using again = broker.toEnd(from, group);
  assert.ok((await Array.fromAsync(again)).some(({ offset }) => offset === 1));
});

Deno.test("a message that can't be decoded fails the run after the messages before it, with an error that carries its bytes", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("undecodable");
  await using source = new Topic(name, broker.conf());
  await source.sendBatch([["k", '{"n":1}'], ["k", "{"], ["k", '{"n":3}']]);
  await using reading = broker.toEnd(name, { "group.id": `g-${name}` }, { value: json<{ n: number }>() });
  const seen: unknown[] = [];
  const app = new Slipstream();
  app.handle(reading, { name: "parse" }, ({ value }) => void seen.push(value?.n));
  await assert.rejects(app.stream(QUIET), (error: unknown) => {
    assert.ok(error instanceof HandlerError);
    assert.match(error.message, /handler "parse" failed on undecodable-.*\[0\]@1: Can't decode the value/);
    assert.equal(String((error.value as { value: unknown }).value), "{");
    return true;
  });
  assert.deepEqual(seen, [1]);
});

Deno.test("retry repeats a codec that fails for a while", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("flaky");
  await using source = new Topic(name, broker.conf());
  await source.sendBatch([["k", "1"], ["k", "2"]]);
  let left = 2;
  const flaky = {
    name: "flaky",
    encode: (text: string) => utf8(text),
    decode: async (bytes: Uint8Array) => {
      await Promise.resolve();
      if (left-- > 0) throw new Error("registry is down");
      return new TextDecoder().decode(bytes);
    },
  };
  await using reading = broker.toEnd(name, {}, { value: flaky });
  const seen: unknown[] = [];
  const app = new Slipstream();
  app.handle(reading, { retry: { minTimeout: 1 } }, ({ value }) => void seen.push(value));
  await app.stream(QUIET);
  assert.deepEqual(seen, ["1", "2"]);
});

Deno.test("a value that a Topic refuses makes an error that names the handler, and can be skipped", async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("refused");
  await using sink = new Topic(name, broker.conf());
  const app = new Slipstream();
  app.handle([1, 2], { name: "sum", sink }, ((n: number) => n) as never);
  await assert.rejects(app.stream(QUIET), (error: unknown) => {
    assert.ok(error instanceof HandlerError && error.cause instanceof TypeError);
    assert.match(error.message, /handler "sum" failed: A topic takes \[key, value\]/);
    return true;
  });
  const skipping = new Slipstream();
  skipping.handle([1, 2, 3], { sink, onError: "skip" }, ((n: number) => n === 2 ? ["k", "two"] : n) as never);
  await skipping.stream(QUIET);
  assert.deepEqual((await everything(broker, name)).map(({ value }) => value), ["two"]);
});
