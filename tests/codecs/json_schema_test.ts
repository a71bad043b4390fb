import assert from "node:assert/strict";
import { type } from "npm:arktype@^2.1.0";
import * as v from "npm:valibot@^1.1.0";
import { z } from "npm:zod@^4.1.0";
import {
  type Codec,
  HandlerError,
  json,
  SchemaError,
  Slipstream,
  type StandardSchema,
  Topic,
} from "@slipstream/slipstream";
import { MemoryKafka } from "@slipstream/slipstream/testing";

interface Order {
  readonly name: string;
  readonly items: { readonly price: number }[];
  readonly at: Date;
  readonly currency: string;
}

interface Bill {
  readonly total: number;
}

/** The same two schemas in each library: an order has a transform and a default, a bill has neither. */
const LIBRARIES: Record<string, { order: StandardSchema<Order>; bill: StandardSchema<Bill> }> = {
  zod: {
    order: z.object({
      name: z.string(),
      items: z.array(z.object({ price: z.number() })),
      at: z.iso.datetime().transform((text) => new Date(text)),
      currency: z.string().default("EUR"),
    }),
    bill: z.object({ total: z.number().min(0) }),
  },
  valibot: {
    order: v.object({
      name: v.string(),
      items: v.array(v.object({ price: v.number() })),
      at: v.pipe(v.string(), v.isoTimestamp(), v.transform((text) => new Date(text))),
      currency: v.optional(v.string(), "EUR"),
    }),
    bill: v.object({ total: v.pipe(v.number(), v.minValue(0)) }),
  },
  arktype: {
    order: type({
      name: "string",
      items: type({ price: "number" }).array(),
      at: "string.date.iso.parse",
      currency: "string = 'EUR'",
    }),
    bill: type({ total: "number >= 0" }),
  },
};

const AT = "2026-11-28T12:00:00.000Z";
const utf8 = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | null) => bytes && new TextDecoder().decode(bytes);
const order = (name: string, ...prices: unknown[]) =>
  JSON.stringify({ name, items: prices.map((price) => ({ price })), at: AT });

/** A cluster with a topic of orders, which has these values, and topics for bills and dead letters. */
function clusterOf(...orders: (string | null)[]) {
  const kafka = new MemoryKafka();
  for (const topic of ["orders", "bills", "letters"]) kafka.createTopic(topic);
  for (const value of orders) kafka.append({ topic: "orders", partition: 0 }, { key: "k", value });
  const conf = {
    "bootstrap.servers": kafka.bootstrapServers,
    "group.id": "g",
    "auto.offset.reset": "earliest",
  } as const;
  return {
    kafka,
    conf,
    valuesOf: (topic: string) => kafka.records({ topic, partition: 0 }).map(({ value }) => textOf(value)),
    errorsOf: (topic: string) =>
      kafka.records({ topic, partition: 0 }).map(({ headers }) =>
        textOf(headers.find(([name]) => name === "slipstream.error")![1])!
      ),
    [Symbol.dispose]: () => kafka.close(),
  };
}

for (const [library, { order: orderSchema, bill: billSchema }] of Object.entries(LIBRARIES)) {
  Deno.test(`json(schema) of ${library} checks what a handler reads and what it writes`, async () => {
    const bad = order("b", "dear", 1, true);
    using cluster = clusterOf(order("a", 1, 2), bad, null, order("c", -5), order("d"), "{");
    await using orders = new Topic("orders", cluster.conf, { value: json(orderSchema), until: "end" });
    await using bills = new Topic("bills", cluster.conf, { value: json(billSchema) });
    await using letters = new Topic("letters", cluster.conf);
    const app = new Slipstream();
    const seen: unknown[] = [];
    app.handle(orders, { sink: bills, onError: letters }, ({ key, value }): [string, Bill | null] => {
      if (value === null) return [key!, null];
      seen.push([value.at.getTime(), value.currency]);
      return [key!, { total: value.items.reduce((sum, { price }) => sum + price, 0) }];
    });
    await app.stream({ handleSignals: false });

    assert.deepEqual(seen, Array(3).fill([Date.parse(AT), "EUR"]), "values have the schema's output type");
    assert.deepEqual(cluster.valuesOf("bills"), ['{"total":3}', null, '{"total":0}'], "a tombstone passes");
    assert.deepEqual(cluster.valuesOf("letters"), [bad, order("c", -5), "{"], "a dead letter has the bytes as read");
    const [unread, unwritten, noJson] = cluster.errorsOf("letters");
    assert.match(
      unread!,
      /^TypeError: Can't decode the value of orders\[0\]@1 as json: the value doesn't fit the schema/,
    );
    assert.match(unread!, /schema: items\[0\]\.price: .*; items\[2\]\.price: /, "all issues, with their paths");
    assert.match(unwritten!, /^TypeError: Topic "bills": can't encode the value as json: .* schema: total: /);
    assert.match(noJson!, /Can't decode the value of orders\[0\]@5 as json: .*JSON/);
    assert.equal(cluster.kafka.committed("g", { topic: "orders", partition: 0 }), 6);
  });

  Deno.test(`json(schema) of ${library} writes only what a reader with the same schema can read`, async () => {
    using cluster = clusterOf();
    await using orders = new Topic("orders", cluster.conf, { value: json(orderSchema), until: "end" });
    const value = { name: "a", items: [{ price: 1 }], at: new Date(AT), currency: "USD" };
    await orders.send("k", value);
    await assert.rejects(orders.send("k", { ...value, name: 5 } as never), (error: TypeError) => {
      assert.match(error.message, /^Topic "orders": can't encode the value as json: .* schema: name: /);
      assert.deepEqual((error.cause as SchemaError).issues.map(({ path }) => [...path!].map(keyOf)), [["name"]]);
      return error.cause instanceof SchemaError;
    });
    // JSON has no NaN: what would be written is null.
    await assert.rejects(orders.send("k", { ...value, items: [{ price: NaN }] }), /schema: items\[0\]\.price: /);
    await orders.send("k", null);
    assert.deepEqual((await Array.fromAsync(orders)).map(({ value }) => value), [value, null]);
  });
}

/** A path's element is a key, or an object with one. */
const keyOf = (part: PropertyKey | { readonly key: PropertyKey }) => typeof part === "object" ? part.key : part;

Deno.test("json(schema) fails, skips, or calls a function, as onError says, when a value that is read doesn't fit", async () => {
  const orders = [order("a", 1), order("b", "dear"), order("c", 2)];
  const run = async (onError: "fail" | "skip" | ((error: HandlerError) => void)) => {
    using cluster = clusterOf(...orders);
    const { order: schema } = LIBRARIES["zod"]!;
    await using topic = new Topic("orders", cluster.conf, { value: json(schema), until: "end" });
    const app = new Slipstream(), names: string[] = [];
    app.handle(topic, { onError }, ({ value }) => void names.push(value!.name));
    const error = await app.stream({ handleSignals: false }).catch((error) => error);
    return { names, error };
  };
  const failed = await run("fail");
  assert.deepEqual(failed.names, ["a"]);
  assert(failed.error instanceof HandlerError && (failed.error.cause as Error).cause instanceof SchemaError);
  assert.deepEqual(await run("skip"), { names: ["a", "c"], error: undefined });
  const errors: HandlerError[] = [];
  assert.deepEqual((await run((error) => void errors.push(error))).names, ["a", "c"]);
  assert.deepEqual(errors.map(({ offset }) => offset), [1]);
});

Deno.test("json(schema) waits for an asynchronous schema, and keeps the order", async () => {
  const names = new Set(["a", "b", "c"]);
  const schema = z.object({ name: z.string() }).refine(async ({ name }) => {
    await new Promise((resolve) => setTimeout(resolve, name === "a" ? 20 : 0));
    return names.has(name);
  }, { message: "nobody knows that name" });
  using cluster = clusterOf();
  await using topic = new Topic("orders", cluster.conf, { value: json(schema), until: "end" });
  await Promise.all(["a", "b", "c"].map((name) => topic.send("k", { name })));
  await assert.rejects(topic.send("k", { name: "x" }), /can't encode the value as json: .* nobody knows that name/);
  cluster.kafka.append({ topic: "orders", partition: 0 }, { value: '{"name":"y"}' });
  const app = new Slipstream(), seen: string[] = [], errors: string[] = [];
  app.handle(
    topic,
    { onError: ({ message }) => void errors.push(message) },
    ({ value }) => void seen.push(value!.name),
  );
  await app.stream({ handleSignals: false });
  assert.deepEqual([seen, errors.length], [["a", "b", "c"], 1]);
  assert.match(errors[0]!, /@3 as json: .* nobody knows that name/);
});

Deno.test("json() refuses what is not a Standard Schema of version 1", () => {
  assert.throws(
    () => json({} as never),
    /^TypeError: json\(\) takes a Standard Schema of version 1 .*: got an object$/,
  );
  assert.throws(() => json(null as never), /got null$/);
  assert.throws(() => json({ "~standard": { version: 2, validate: () => {} } } as never), /got version 2$/);
});

Deno.test("SchemaError shows paths as a program would write them", () => {
  const path = [Symbol("s"), { key: "a" }, "b c", 0, "$d"];
  const { message, issues } = new SchemaError([{ message: "wrong" }, { message: "worse", path }]);
  assert.equal(message, `the value doesn't fit the schema: wrong; [Symbol(s)].a["b c"][0].$d: worse`);
  assert.deepEqual(issues[1], { message: "worse", path });
});

Deno.test("json(schema) is a codec of the schema's output type", () => {
  const zod: Codec<{ n: Date }> = json(z.object({ n: z.string().transform((text) => new Date(text)) }));
  const valibot: Codec<{ n: number }> = json(v.object({ n: v.optional(v.number(), 1) }));
  const arktype: Codec<{ n: number }> = json(type({ n: "string.integer.parse" }));
  // @ts-expect-error: it is the input type
  const input: Codec<{ n: string }> = json(type({ n: "string.integer.parse" }));
  // @ts-expect-error: the schema makes something else
  json<{ n: string }>(z.object({ n: z.number() }));
  const claimed: Codec<{ n: number }> = json<{ n: number }>();
  for (const codec of [zod, valibot, arktype, input, claimed]) assert.equal(codec.name, "json");
  assert.deepEqual(arktype.decode(utf8('{"n":"5"}')), { n: 5 });
  // What is written could not be read: the schema takes strings alone.
  assert.throws(() => arktype.encode({ n: 5 }), SchemaError);
});
