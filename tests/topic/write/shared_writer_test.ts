import assert from "node:assert/strict";
import { Topic } from "@slipstream/slipstream";
import { type Delivery, openDeadLetters, openSink, type SinkWriter } from "@slipstream/slipstream/protocol";
import { LocalBroker } from "@slipstream/slipstream/testing";

const PRODUCE = 0, INVALID_RECORD = 87;
const COUNT = 1000;

const failing: Delivery = {
  undelivered(error) {
    throw error;
  },
};

async function valuesOf(broker: LocalBroker, name: string): Promise<(string | null)[]> {
  await using topic = new Topic(name, { "bootstrap.servers": broker.bootstrapServers }, {
    offset: "beginning",
    until: "end",
  });
  const values: (string | null)[] = [];
  for await (const { value } of topic) values.push(value);
  return values;
}

async function* counted(): AsyncGenerator<string> {
  for (let n = 0; n < COUNT; n++) {
    yield `${n}`;
    if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Opens, writes one value and closes, again and again, as runs do that share a sink. */
async function comeAndGo(open: () => SinkWriter<never>, value: unknown, until: Promise<unknown>): Promise<void> {
  let isOver = false;
  until.finally(() => isOver = true).catch(() => {});
  for (let n = 0; !isOver; n++) {
    const writer = open(), delivery = { ...failing };
    await writer.accept(value as never, delivery);
    await writer.settle(delivery);
    await writer.close(n % 2 === 0 ? undefined : new Error("this run fails"));
  }
}

/** Deno's sanitizers are off unless a test asks for them. */
const SANITIZED = { sanitizeOps: true, sanitizeResources: true } as const;

Deno.test("a run that ends fails no record of another run with the same sink", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("out");
  await using topic = new Topic("out", { "bootstrap.servers": broker.bootstrapServers });
  const run = async () => {
    const writer = topic[openSink](), delivery = { ...failing };
    for await (const value of counted()) await writer.accept(["long", value], delivery);
    await writer.settle(delivery);
    await writer.close();
  };
  const running = run();
  await comeAndGo(() => topic[openSink]() as SinkWriter<never>, ["short", "short"], running);
  await running;
  const values = (await valuesOf(broker, "out")).filter((value) => value !== "short");
  assert.deepEqual(values, Array.from({ length: COUNT }, (_, n) => `${n}`));
});

Deno.test("a run that ends fails no dead letter of another run with the same Topic", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("dead");
  await using topic = new Topic("dead", { "bootstrap.servers": broker.bootstrapServers });
  const encoder = new TextEncoder();
  const letter = (value: string) => ({ key: null, value: encoder.encode(value), headers: [] });
  const run = async () => {
    const writer = topic[openDeadLetters](), delivery = { ...failing };
    for await (const value of counted()) await writer.accept(letter(value), delivery);
    await writer.settle(delivery);
    await writer.close();
  };
  const running = run();
  await comeAndGo(() => topic[openDeadLetters]() as SinkWriter<never>, letter("short"), running);
  await running;
  assert.equal((await valuesOf(broker, "dead")).filter((value) => value !== "short").length, COUNT);
});

Deno.test("a run that ends fails no record of send(), sendBatch() and writable", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("out");
  await using topic = new Topic("out", { "bootstrap.servers": broker.bootstrapServers });
  const sends = async () => {
    const sent: Promise<unknown>[] = [];
    for await (const value of counted()) {
      sent.push(topic.send("send", value));
      if (value.endsWith("0")) sent.push(topic.sendBatch([["batch", value]]));
    }
    await Promise.all(sent);
  };
  const writes = async () => {
    const writer = topic.writable.getWriter();
    for await (const value of counted()) await writer.write(["write", value]);
    await writer.close();
  };
  const running = Promise.all([sends(), writes()]);
  await comeAndGo(() => topic[openSink]() as SinkWriter<never>, ["short", "short"], running);
  await running;
  const values = (await valuesOf(broker, "out")).filter((value) => value !== "short");
  assert.equal(values.length, 2 * COUNT + COUNT / 10);
});

Deno.test("a failure of one delivery does not reject another one that settles first", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("out");
  await using topic = new Topic("out", { "bootstrap.servers": broker.bootstrapServers, "linger.ms": 0 });
  await topic.send("k", "first");
  const writer = topic[openSink](), one = { ...failing }, two = { ...failing };
  broker.pushErrors(PRODUCE, [INVALID_RECORD]);
  await writer.accept(["k", "1"], one);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await writer.accept(["k", "2"], two);
  const [second, first] = await Promise.allSettled([writer.settle(two), writer.settle(one)]);
  assert.deepEqual([first.status, second.status], ["rejected", "fulfilled"]);
  await writer.close();
});

Deno.test("a writable fails when a record is not delivered, and the next one works", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("out");
  await using topic = new Topic("out", { "bootstrap.servers": broker.bootstrapServers, "linger.ms": 0 });
  await topic.send("k", "first");
  broker.pushErrors(PRODUCE, [INVALID_RECORD]);
  const writer = topic.writable.getWriter();
  await writer.write(["k", "1"]);
  // Nobody writes any more: it errors by itself.
  const closed = await Promise.race([
    writer.closed.then(() => "closed", (error) => error.message as string),
    new Promise<string>((resolve) => setTimeout(() => resolve("open"), 2000)),
  ]);
  assert.match(closed, /was not delivered/);
  await assert.rejects(writer.write(["k", "2"]), /was not delivered/);
  const next = topic.writable.getWriter();
  await next.write(["k", "3"]);
  await next.close();
  assert.deepEqual(await valuesOf(broker, "out"), ["first", "3"]);
});

Deno.test(
  "the client is disconnected when the last run has ended, and the process ends by itself",
  SANITIZED,
  async () => {
    await using broker = await LocalBroker.start();
    broker.createTopic("out");
    const topic = new Topic("out", { "bootstrap.servers": broker.bootstrapServers });
    const one = topic[openSink](), two = topic[openSink](), delivery = { ...failing };
    await one.accept(["k", "1"], delivery);
    await two.accept(["k", "2"], delivery);
    await Promise.all([one.settle(delivery), two.settle(delivery)]);
    await one.close();
    await two.close();
    // The sanitizers count what is left: the topic is not closed.
  },
);
