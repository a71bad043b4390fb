import assert from "node:assert/strict";
import { type Message, sse, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

/** A client that reads only what the test asks it to. */
interface Client {
  read(): Promise<string | undefined>;
  cancel(): Promise<void>;
}

const conf = (
  broker: LocalBroker,
  more: { "group.id"?: string; "session.timeout.ms"?: number; "heartbeat.interval.ms"?: number } = {},
) => ({
  "bootstrap.servers": broker.bootstrapServers,
  "auto.offset.reset": "earliest" as const,
  "fetch.wait.max.ms": 5,
  ...more,
});

/** The local broker removes a member when its session times out. */
const GROUP = { "group.id": "group", "session.timeout.ms": 1000, "heartbeat.interval.ms": 300 };

const data = ({ value }: Message) => `${value}`;

/** A client that has read the first comment. */
async function connect(source: Topic | ReadableStream<Message> | AsyncIterable<Message>): Promise<Client> {
  const reader = sse(source, { data, keepAliveMs: 20 }).body!.getReader();
  const client = {
    read: async () => {
      const { value } = await reader.read();
      return value && new TextDecoder().decode(value);
    },
    cancel: () => reader.cancel(),
  };
  assert.equal(await client.read(), ":\n\n");
  return client;
}

/** The next event; comments are skipped. */
async function event(client: Client): Promise<string | undefined> {
  for (;;) {
    const text = await client.read();
    if (text !== ":\n\n") return text;
  }
}

/** How many threads the process has; undefined where that can't be read. */
const threads = () => Deno.build.os === "linux" ? [...Deno.readDirSync("/proc/self/task")].length : 0;

async function until(condition: () => boolean): Promise<void> {
  for (let ms = 0; !condition(); ms += 20) {
    assert.ok(ms < 20_000, `${threads()} threads`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const ways = {
  "a Topic": (topic: Topic) => topic,
  "its readable": (topic: Topic) => topic.readable,
  "its iterator": (topic: Topic) => topic[Symbol.asyncIterator](),
};

for (const [name, of] of Object.entries(ways)) {
  Deno.test(`sse() of ${name} releases the Topic when its client leaves, also while it is idle or connecting`, async () => {
    await using broker = await LocalBroker.start();
    for (const topic of ["one", "two"]) broker.createTopic(topic);
    await using one = new Topic("one", conf(broker));
    await using two = new Topic("two", conf(broker, { "group.id": "two" }));
    const visit = async (ms: number) => {
      const clients = await Promise.all([connect(of(one)), connect(of(two))]);
      const reading = clients.map((client) => client.read());
      await new Promise((resolve) => setTimeout(resolve, ms));
      await Promise.all(clients.map((client) => client.cancel()));
      await Promise.all(reading);
    };
    await visit(0);
    await one.close();
    await two.close();
    await using again = new Topic("one", conf(broker));
    await using other = new Topic("two", conf(broker, { "group.id": "two" }));
    const before = threads();
    for (const topic of [again, other]) {
      const client = await connect(of(topic));
      const reading = client.read();
      await new Promise((resolve) => setTimeout(resolve, 500)); // the consumer is connected and idle
      await client.cancel();
      await reading;
    }
    // The client's threads have ended. Deno's pool for blocking calls may have grown by a few.
    await until(() => threads() <= before + 3);
  });
}

Deno.test("a client of sse() on a Topic goes on where the client before it left, and what was read is committed", async () => {
  await using broker = await LocalBroker.start();
  for (const topic of ["one", "two"]) broker.createTopic(topic, { partitions: 1 });
  await using sender = new Topic("one", conf(broker));
  await using other = new Topic("two", conf(broker));
  await using one = new Topic("one", conf(broker, GROUP));
  await using two = new Topic("two", conf(broker, GROUP));
  for (const topic of [sender, other]) for (let n = 0; n < 4; n++) await topic.send(null, `${n}`);
  for (const topic of [one, two]) {
    const client = await connect(topic);
    for (let n = 0; n < 3; n++) assert.equal(await event(client), `data: ${n}\n\n`);
    // A second reader is refused before there is a response.
    assert.throws(() => sse(topic), { name: "KafkaError", message: /being read already/ });
    await client.cancel();
    const next = await connect(topic);
    // The last event may not have arrived at the client.
    assert.equal(await event(next), "data: 2\n\n");
    assert.equal(await event(next), "data: 3\n\n");
    await next.cancel();
    await topic.close();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.throws(() => sse(topic), { name: "KafkaError", message: /is closed/ });
  }
});
