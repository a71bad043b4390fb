import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import avro from "avsc";
import { create } from "npm:@bufbuild/protobuf@^2.11.0";
import { type Codec, Slipstream, Topic } from "@slipstream/slipstream";
import { SchemaRegistry } from "@slipstream/slipstream/schema-registry";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { FirstCalls } from "../../src/schema_registry/first_calls.ts";
import { emojiMessage } from "./emoji_message.ts";
import { newTopic, registryTest } from "./real_registry.ts";
import { startRegistryProxy } from "./registry_proxy.ts";

interface Order {
  readonly id: bigint;
}

/** Longs as bigints, which avsc wants as a type in its registry. */
const long = () =>
  avro.types.LongType.__with({
    fromBuffer: (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true),
    toBuffer: (n: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(n);
      return bytes;
    },
    fromJSON: BigInt,
    toJSON: Number,
    isValid: (n: unknown) => typeof n === "bigint",
    compare: (a: bigint, b: bigint) => a < b ? -1 : a > b ? 1 : 0,
  } as never);

const longs = () => ({ registry: { long: long() } }) as never;

function order(...more: string[]) {
  const fields = ["id", ...more].map((name) => ({ name, type: "long", ...(name !== "id" && { default: 0 }) }));
  return { type: "record", name: "Order", fields };
}

/** Ten different ones; more than an ordinary number holds. */
const ORDERS: Order[] = Array.from({ length: 10 }, (_, n) => ({ id: 9_007_199_254_740_993n + BigInt(n) }));
const plain = <T>(values: readonly T[]) => values.map((value) => ({ ...value }));

/** Encodes and decodes several values side by side, each time with codecs that have done nothing yet. */
async function sideBySide<T>(make: (topic: string) => Codec<T>, values: readonly T[]): Promise<T[]> {
  const [one, two] = [newTopic(), newTopic()];
  const writers = [make(one), make(two)];
  const bytes = await Promise.all(values.map((value, n) => writers[n % 2]!.encode(value)));
  const readers = [make(one), make(two)];
  return await Promise.all(bytes.map((some, n) => readers[n % 2]!.decode(some)));
}

registryTest(
  "first values side by side are all encoded and decoded, with types of one's own in avro()",
  async (registryUrl) => {
    await using server = startRegistryProxy(registryUrl);
    const make = (topic: string) => {
      const registry = new SchemaRegistry(server.url);
      return registry.avro<Order>(topic, {
        schema: order(),
        register: true,
        serializer: longs(),
        deserializer: longs(),
      });
    };
    assert.deepEqual(plain(await sideBySide(make, ORDERS)), ORDERS);
    // And with one object of options for all.
    const registry = new SchemaRegistry(server.url);
    const options = { schema: order(), register: true, serializer: longs(), deserializer: longs() };
    assert.deepEqual(plain(await sideBySide((topic) => registry.avro<Order>(topic, options), ORDERS)), ORDERS);
  },
);

registryTest(
  "first values side by side are all encoded and decoded, checked against their schema in json()",
  async (registryUrl) => {
    await using server = startRegistryProxy(registryUrl);
    const schema = { type: "object", properties: { id: { type: "integer" } }, required: ["id"] };
    const options = { schema, register: true, serializer: { validate: true }, deserializer: { validate: true } };
    const values = Array.from({ length: 10 }, (_, id) => ({ id }));
    const make = (topic: string) => new SchemaRegistry(server.url).json<{ id: number }>(topic, options);
    assert.deepEqual(await sideBySide(make, values), values);
  },
);

registryTest("first values side by side are all encoded and decoded in protobuf()", async (registryUrl) => {
  await using server = startRegistryProxy(registryUrl);
  const message = emojiMessage();
  const values = Array.from({ length: 10 }, (_, seen) => create(message, { msg: "fish", seen }));
  const make = (topic: string) => new SchemaRegistry(server.url).protobuf(topic, message, { register: true });
  assert.deepEqual(
    (await sideBySide(make, values)).map((value) => (value as unknown as { seen: number }).seen),
    Array.from({ length: 10 }, (_, seen) => seen),
  );
});

registryTest("avro() writes and reads two versions of a record with types of one's own", async (registryUrl) => {
  await using server = startRegistryProxy(registryUrl);
  const registry = new SchemaRegistry(server.url), topic = newTopic();
  const writer = (...more: string[]) =>
    registry.avro<Order>(topic, {
      schema: order(...more),
      register: true,
      serializer: longs(),
    });
  const [one, two] = [writer(), writer("count")];
  const bytes = [await one.encode({ id: 1n }), await two.encode({ id: 2n, count: 3n } as never)];
  const reader = registry.avro<Order>(topic, { deserializer: longs() });
  assert.deepEqual(plain(await Promise.all(bytes.map((some) => reader.decode(some)))), [{ id: 1n }, {
    id: 2n,
    count: 3n,
  }]);
});

registryTest("a codec whose first value fails takes the next one, of the same schema as well", async (registryUrl) => {
  await using server = startRegistryProxy(registryUrl);
  const registry = new SchemaRegistry(server.url);
  const options = { schema: order(), register: true, serializer: longs(), deserializer: longs() };
  const codec = registry.avro<Order>(newTopic(), options);
  const encoded = await Promise.allSettled([{ id: "none" as never }, { id: 1n }, { id: "none" as never }, { id: 2n }]
    .map((value) => codec.encode(value)));
  assert.deepEqual(encoded.map(({ status }) => status), ["rejected", "fulfilled", "rejected", "fulfilled"]);
  const [first, second] = encoded.flatMap((one) => one.status === "fulfilled" ? [one.value] : []) as [
    Uint8Array,
    Uint8Array,
  ];
  const cut = first.subarray(0, 5);
  const decoded = await Promise.allSettled([cut, first, cut, second].map((bytes) => codec.decode(bytes)));
  assert.deepEqual(decoded.map((one) => one.status === "fulfilled" && { ...one.value }), [false, { id: 1n }, false, {
    id: 2n,
  }]);
});

registryTest("two codecs of two registries made with the same options each ask their own", async (registryUrl) => {
  await using one = startRegistryProxy(registryUrl);
  await using two = startRegistryProxy(registryUrl);
  const topic = newTopic(), deserializer = {};
  const serializer = {};
  for (const server of [one, two]) {
    const codec = new SchemaRegistry(server.url)
      .avro<Order>(topic, { schema: order(), register: true, serializer, deserializer });
    await codec.decode(await codec.encode({ id: 1 } as never));
  }
  assert.deepEqual([deserializer, serializer], [{}, {}]);
  assert.deepEqual(two.requests, one.requests);
});

registryTest("a Topic that skips what can't be decoded loses none of the first messages", async (registryUrl) => {
  await using server = startRegistryProxy(registryUrl);
  await using broker = await LocalBroker.start({ partitions: 2 });
  const name = newTopic();
  const codec = () =>
    new SchemaRegistry(server.url).avro<Order>(name, {
      schema: order(),
      register: true,
      serializer: longs(),
      deserializer: longs(),
    });
  const topic = () =>
    new Topic(name, { "bootstrap.servers": broker.bootstrapServers }, {
      value: codec(),
      offset: "beginning",
      until: "end",
    });
  await using writer = topic();
  await writer.sendBatch(ORDERS.map((value, n) => [`${n}`, value]));
  await using reader = topic();
  const ids: bigint[] = [];
  const app = new Slipstream();
  app.handle(reader, { onError: "skip" }, ({ value }) => void ids.push(value!.id));
  await app.stream();
  assert.deepEqual(ids.sort(), ORDERS.map(({ id }) => id));
});

Deno.test("FirstCalls runs one first call of an id at a time, until one succeeds, and all after that at once", async () => {
  const calls = new FirstCalls<string>();
  let [running, most] = [0, 0];
  const work = (fails: boolean) => async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    if (fails) throw new Error("failed");
    return "done";
  };
  const call = (id: string, fails = false) => calls.run(id, work(fails));
  const first = await Promise.allSettled([call("a", true), call("a", true), call("a"), call("a")]);
  assert.deepEqual(first.map(({ status }) => status), ["rejected", "rejected", "fulfilled", "fulfilled"]);
  assert.equal(most, 1);
  // Another id waits for none of these, and what was begun once no longer waits.
  await Promise.all([call("a"), call("a"), call("b"), call("b"), call("c")]);
  assert.equal(most, 4);
});
