import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

type Answer = (error: unknown, result?: unknown) => void;
/** The methods of the addon's client, which the npm client wraps. */
type Native = Record<string, (...args: unknown[]) => unknown>;

const kafka = await loadKafkaJavascript();
const native = (client: unknown) => (client as { _client: Native })._client;
const called = (client: Native, name: string, ...args: unknown[]) =>
  new Promise<unknown>((resolve, reject) =>
    client[name]!(...args, (error: unknown, result: unknown) => error ? reject(error) : resolve(result))
  );

function newConsumer(servers: string): Native {
  const conf = { "bootstrap.servers": servers, "group.id": "g", "log_level": 0, "fetch.wait.max.ms": 5 };
  return native(new kafka.KafkaConsumer(conf, { "auto.offset.reset": "earliest" }));
}

function newProducer(servers: string): Native {
  return native(new kafka.Producer({ "bootstrap.servers": servers, "log_level": 0 }, {}));
}

for (const kind of ["Producer", "KafkaConsumer"] as const) {
  Deno.test(`connect() of a ${kind} without a broker fails after its time-out`, async () => {
    const client = new kafka[kind](
      { "bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0 } as never,
      {},
    );
    const error = await new Promise<{ code: number } | null>((resolve) =>
      client.connect({ timeout: 200 }, resolve as never)
    );
    assert.ok(error !== null && error.code < 0, JSON.stringify(error));
    await called(native(client), "disconnect");
  });
}

/** The calls that are under way when the client is disconnected; each is made with a connected client. */
const UNDER_WAY: Readonly<
  Record<string, { of: (servers: string) => Native; start(client: Native, done: Answer): void }>
> = {
  "metadata": { of: newConsumer, start: (client, done) => client.getMetadata!({ timeout: 60_000 }, done) },
  "consume": {
    of: newConsumer,
    start(client, done) {
      client.subscribe!(["life"]);
      client.consume!(60_000, 10, false, done);
    },
  },
  "flush": {
    of: newProducer,
    start(client, done) {
      client.produce!("life", 0, Buffer.from("v"));
      client.flush!(60_000, done);
    },
  },
  "committed": {
    of: newConsumer,
    start: (client, done) => client.committed!([{ topic: "life", partition: 0 }], 60_000, done),
  },
  "commitCb": {
    of: newConsumer,
    start: (client, done) => client.commitCb!([{ topic: "life", partition: 0, offset: 0 }], done),
  },
  "seek": {
    of: newConsumer,
    start(client, done) {
      client.assign!([{ topic: "life", partition: 0 }]);
      client.seek!({ topic: "life", partition: 0, offset: 0 }, 60_000, done);
    },
  },
  "queryWatermarkOffsets": {
    of: newConsumer,
    start: (client, done) => client.queryWatermarkOffsets!("life", 0, 60_000, done),
  },
};

for (const [what, { of, start }] of Object.entries(UNDER_WAY)) {
  for (const where of ["a broker", "no broker"] as const) {
    // librdkafka keeps a commit while it looks for the coordinator, and closing waits for the commit: 45 seconds.
    if (what === "commitCb" && where === "no broker") continue;
    Deno.test(`disconnect() during ${what} with ${where} calls its callback first, once, and the client connects again`, async () => {
      await using broker = await LocalBroker.start();
      broker.createTopic("life");
      const client = of(where === "a broker" ? broker.bootstrapServers : "127.0.0.1:1");
      await called(client, "connect");
      const order: string[] = [];
      start(client, () => void order.push(what));
      await Promise.all([
        called(client, "disconnect").then(() => void order.push("disconnected")),
        called(client, "disconnect").then(() => void order.push("disconnected")),
      ]);
      assert.deepEqual(order, [what, "disconnected", "disconnected"]);
      await called(client, "connect");
      assert.notEqual(client.name!(), "");
      await called(client, "disconnect");
      assert.equal(order.length, 3);
    });
  }
}

Deno.test("two hundred connected clients leave room for file reads and name look-ups", async () => {
  await using broker = await LocalBroker.start();
  const clients = Array.from(
    { length: 200 },
    (_, n) => (n % 2 === 0 ? newProducer : newConsumer)(broker.bootstrapServers),
  );
  await Promise.all(clients.map((client) => called(client, "connect")));
  assert.match(await Deno.readTextFile(new URL(import.meta.url)), /two hundred/);
  // The system's name look-up takes one of Deno's blocking threads, too.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using _connection = await Deno.connect({ hostname: "localhost", port: listener.addr.port });
  await Promise.all(clients.map((client) => called(client, "disconnect")));
  assert.deepEqual(clients.map((client) => client.name!()), clients.map(() => ""));
});

Deno.test("no callback is called after that of disconnect()", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("life");
  const client = newConsumer(broker.bootstrapServers);
  let ended = false;
  const late: string[] = [];
  const seen = (name: string) => () => void (ended && late.push(name));
  client.configureCallbacks!(true, {
    global: { rebalance_cb: seen("rebalance_cb"), offset_commit_cb: seen("offset_commit_cb") },
    event: { event_cb: seen("event_cb") },
    topic: {},
  });
  await called(client, "connect");
  client.subscribe!(["life"]);
  client.consume!(1000, 1, false, seen("consume"));
  client.getMetadata!({ timeout: 1000 }, seen("getMetadata"));
  await called(client, "disconnect");
  ended = true;
  // Another client connects and disconnects meanwhile; no callback has come.
  const other = newConsumer(broker.bootstrapServers);
  await called(other, "connect");
  await called(other, "getMetadata", { timeout: 5000 });
  await called(other, "disconnect");
  assert.deepEqual(late, []);
});
