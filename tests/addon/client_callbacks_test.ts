import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { UncaughtErrors } from "../support/uncaught_errors.ts";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

interface EventClient {
  on(event: "event.stats", listener: (data: { message: string }) => void): void;
  on(event: "event.log", listener: (data: Log) => void): void;
  on(event: "event.error", listener: (error: Error & { code: number }) => void): void;
  on(event: "event.event" | "event.throttle", listener: () => void): void;
  connect(options: object, callback: (error: unknown) => void): void;
  consume(count: number, callback: () => void): void;
  poll(): void;
  setPollInBackground(set: boolean): void;
  /** Disconnects without the producer's flush. */
  _client: { disconnect(callback: () => void): void };
}
interface Log {
  severity: number;
  fac: string;
  message: string;
  name: string;
}

const KINDS = ["Producer", "KafkaConsumer"] as const;

async function make(kind: typeof KINDS[number], conf: object): Promise<EventClient> {
  const kafka = await loadKafkaJavascript();
  const group = kind === "Producer" ? {} : { "group.id": "g" };
  return new kafka[kind]({ ...group, "log_level": 0, ...conf } as never, {}) as unknown as EventClient;
}
const connect = (client: EventClient, timeout = 10_000) =>
  new Promise<unknown>((resolve) => client.connect({ allTopics: false, timeout }, resolve));
const disconnect = (client: EventClient) => new Promise<void>((resolve) => client._client.disconnect(resolve));

/** Polls or consumes, as fits the kind of client, until a promise settles. */
async function serving<T>(kind: typeof KINDS[number], client: EventClient, awaited: Promise<T>): Promise<T> {
  let over = false;
  const settled = awaited.finally(() => over = true);
  if (kind === "Producer") client.setPollInBackground(true);
  else while (!over) await Promise.race([settled, new Promise<void>((resolve) => client.consume(1, resolve))]);
  return await settled;
}

for (const kind of KINDS) {
  Deno.test(`event.stats of a ${kind} comes at its interval, as JSON, and not after disconnect()`, async () => {
    await using broker = await LocalBroker.start();
    const conf = { "bootstrap.servers": broker.bootstrapServers, "statistics.interval.ms": 100 };
    const client = await make(kind, conf);
    const texts: string[] = [];
    const three = new Promise<void>((resolve) =>
      client.on("event.stats", ({ message }) => void (texts.push(message) === 3 && resolve()))
    );
    assert.equal(await connect(client), null);
    await serving(kind, client, three);
    await disconnect(client);
    const received = texts.length;
    const statistics = texts.map((text) => JSON.parse(text) as { type: string; ts: number });
    for (const { type } of statistics) assert.equal(type, kind === "Producer" ? "producer" : "consumer");
    const [first, , third] = statistics.map(({ ts }) => ts / 1000);
    assert.ok(third! - first! >= 150, `${first} ${third}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
    assert.equal(texts.length, received);
  });

  Deno.test(`event.log of a ${kind} comes from every thread at debug: all, with severity, facility and name`, async () => {
    await using broker = await LocalBroker.start();
    const conf = { "bootstrap.servers": broker.bootstrapServers, "debug": "all", "log_level": 7 };
    const client = await make(kind, { ...conf, "client.id": "teller" });
    const logs: Log[] = [];
    client.on("event.log", (log) => void logs.push(log));
    assert.equal(await connect(client), null);
    await disconnect(client);
    const received = logs.length;
    const threads = new Set(logs.map(({ message }) => /^\[thrd:(main|app|[^\]]*bootstrap)\]/.exec(message)?.[1]));
    assert.ok(threads.has("main") && threads.has("app") && threads.size >= 3, [...threads].join());
    assert.ok(logs.some(({ fac }) => fac === "CONNECT"));
    for (const { severity, fac, message, name } of logs) {
      assert.ok(severity >= 0 && severity <= 7);
      assert.ok(fac !== "" && message !== "");
      assert.match(name, /^teller#(producer|consumer)-\d+$/);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(logs.length, received);
  });

  // (With `debug`, librdkafka logs everything whatever log_level says.)
  Deno.test(`log_level of a ${kind} suppresses less severe lines`, async () => {
    await using broker = await LocalBroker.start();
    // A property of the other kind of client makes librdkafka log a warning.
    const other = kind === "Producer" ? { "fetch.min.bytes": 2 } : { "linger.ms": 2 };
    const warnings = async (level: number) => {
      const conf = { "bootstrap.servers": broker.bootstrapServers, "log_level": level, ...other };
      const client = await make(kind, conf);
      const logs: Log[] = [];
      client.on("event.log", (log) => void logs.push(log));
      assert.equal(await connect(client), null);
      await disconnect(client);
      return logs.map(({ severity, fac }) => [severity, fac]);
    };
    assert.deepEqual(await warnings(4), [[4, "CONFWARN"]]);
    assert.deepEqual(await warnings(3), []);
  });

  Deno.test(`event.error of a ${kind} comes while it connects, with librdkafka's code, and not after disconnect()`, async () => {
    const client = await make(kind, { "bootstrap.servers": "127.0.0.1:1" });
    const codes: number[] = [];
    const down = new Promise<void>((resolve) =>
      client.on("event.error", (error) => {
        assert.ok(error instanceof Error && error.message !== "");
        codes.push(error.code);
        if (error.code === -187) resolve();
      })
    );
    const answer = connect(client, 60_000);
    await down;
    await disconnect(client);
    assert.ok(await answer !== null);
    const received = codes.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(codes.length, received);
  });

  Deno.test(`event_cb: false of a ${kind} suppresses every event`, async () => {
    await using broker = await LocalBroker.start();
    const client = await make(kind, {
      "bootstrap.servers": broker.bootstrapServers,
      "event_cb": false,
      "debug": "all",
      "log_level": 7,
      "statistics.interval.ms": 20,
    });
    let events = 0;
    for (const name of ["event.stats", "event.log", "event.error", "event.event"] as const) {
      client.on(name as "event.event", () => void events++);
    }
    assert.equal(await connect(client), null);
    await serving(kind, client, new Promise((resolve) => setTimeout(resolve, 100)));
    await disconnect(client);
    assert.equal(events, 0);
  });
}

Deno.test("an error that a listener throws is reported as uncaught, and flush() and disconnect() still call back", async () => {
  using surfaced = new UncaughtErrors();
  const client = await make("Producer", {
    "bootstrap.servers": "127.0.0.1:1",
    "statistics.interval.ms": 20,
    "log_level": 7,
    "debug": "all",
  });
  for (const event of ["event.stats", "event.log"] as const) {
    client.on(event as "event.log", () => {
      throw new Error(`of ${event}`);
    });
  }
  const native = client._client as unknown as Record<string, (...args: unknown[]) => unknown>;
  native.configureCallbacks!(true, (client as unknown as { _cb_configs: object })._cb_configs);
  await new Promise((resolve) => native.connect!(resolve));
  assert.equal(native.produce!("t", 0, new Uint8Array(1)), 0);
  const error = await new Promise<{ code: number }>((resolve) => native.flush!(300, resolve));
  assert.equal(error.code, -185);
  assert.ok(surfaced.texts.some((text) => /of event\.stats/.test(text)), surfaced.texts.join());
  await disconnect(client);
  assert.ok(surfaced.texts.some((text) => /of event\.log/.test(text)), surfaced.texts.join());
});
