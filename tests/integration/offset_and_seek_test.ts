import assert from "node:assert/strict";
import { Slipstream, Topic } from "@slipstream/slipstream";
import { TestBroker, until, watchConsumers } from "../support/brokers.ts";

const QUIET = { handleSignals: false } as const;
/** How many messages each partition has. The counts differ, so that a mix-up of partitions is noticed. */
const COUNTS = [10, 12] as const;

/** Makes a topic of two partitions, whose messages have the value `partition:offset`. */
async function filled(broker: TestBroker, test: string): Promise<string> {
  const name = await broker.createTopic(test, 2);
  await using topic = new Topic(name, broker.conf());
  await topic.sendBatch(
    COUNTS.flatMap((length, partition) =>
      Array.from({ length }, (_, n) => ({ value: `${partition}:${n}`, partition }))
    ),
  );
  return name;
}

const from = (partition: 0 | 1, offset: number) =>
  Array.from({ length: COUNTS[partition] - offset }, (_, n) => `${partition}:${offset + n}`);
const of = (partition: number, values: readonly string[]) =>
  values.filter((value) => value.startsWith(`${partition}:`));

Deno.test("offset and seek() of two group members apply to the partitions that each has", async () => {
  await using broker = await TestBroker.start();
  const name = await filled(broker, "members");
  // With a shorter session, a member on a busy machine might be removed, and the other would read its partition again.
  const conf = broker.conf({ "group.id": `g-${name}`, "session.timeout.ms": 6000 });
  const offset = { 0: 7, 1: "beginning" } as const;
  await using one = new Topic(name, conf, { offset }), other = new Topic(name, conf, { offset });
  const seen = new Map<Topic, string[]>([[one, []], [other, []]]);
  const abort = new AbortController();
  const running = [one, other].map((topic) => {
    const app = new Slipstream();
    app.handle(topic, ({ value }) => void seen.get(topic)!.push(value!));
    return app.stream({ ...QUIET, signal: abort.signal });
  });
  await using writer = new Topic(name, broker.conf());
  // Both are members once both get messages that are written now.
  await until(async () => {
    await writer.sendBatch([{ value: "more", partition: 0 }, { value: "more", partition: 1 }]);
    return [...seen.values()].every((values) => values.includes("more"));
  }, "both members read");
  const all = [...seen.values()].flat();
  // The first owner of a partition started at its offset, and nobody below it.
  assert.deepEqual([...new Set(of(0, all))], from(0, 7));
  assert.deepEqual([...new Set(of(1, all))], from(1, 0));
  // Each has one partition now. Both seek in both partitions: each one moves its own.
  await Promise.all([one, other].map(async (topic) => {
    await topic.seek({ 0: 5, 1: 8 });
    seen.get(topic)!.length = 0;
  }));
  await until(() => [...seen.values()].every((values) => values.includes("more")), "both read again");
  const begun = [...seen.values()].map((values) => values.slice(0, values.indexOf("more")).join()).sort();
  assert.deepEqual(begun, [from(0, 5).join(), from(1, 8).join()].sort());
  abort.abort();
  await Promise.all(running);
});

Deno.test("the option offset still counts after a rebalance before any message was handled", async () => {
  await using broker = await TestBroker.start();
  const name = await filled(broker, "early");
  // Else a partition without a committed offset would be read from the beginning.
  const conf = broker.conf({ "group.id": `g-${name}`, "auto.offset.reset": "earliest" });
  await using one = new Topic(name, conf, { offset: "end" }), other = new Topic(name, conf, { offset: "end" });
  const seen: string[][] = [[], []];
  const abort = new AbortController();
  const read = (topic: Topic, values: string[]) => {
    const app = new Slipstream();
    app.handle(topic, ({ value }) => void values.push(value!));
    return app.stream({ ...QUIET, signal: abort.signal });
  };
  // How many partitions each consumer has. A group may need several rounds, so the calls can't be counted.
  const assigned = new Map<unknown, number>();
  using _spy = await watchConsumers(["assign"], (_, { length }, consumer) => assigned.set(consumer, length));
  const shared = (...shares: number[]) => `${[...assigned.values()]}` === `${shares}`;
  const first = read(one, seen[0]!);
  await until(() => shared(2), "the first has both partitions");
  const second = read(other, seen[1]!);
  await until(() => shared(1, 1), "both have one");
  await using writer = new Topic(name, broker.conf());
  await until(async () => {
    await writer.sendBatch([{ value: "more", partition: 0 }, { value: "more", partition: 1 }]);
    return seen.every((values) => values.length > 0);
  }, "both members read");
  abort.abort();
  await Promise.all([first, second]);
  assert.deepEqual([...new Set(seen.flat())], ["more"]);
});

for (const concurrency of [1, 2]) {
  Deno.test(`seek() within a handler drops messages that were fetched before, with concurrency ${concurrency}`, async () => {
    await using broker = await TestBroker.start();
    const name = await filled(broker, "back");
    const conf = broker.conf({ "group.id": `g-${name}` });
    await using topic = new Topic(name, conf);
    const seen: string[] = [];
    const abort = new AbortController();
    const app = new Slipstream();
    app.handle(topic, { concurrency, ...(concurrency === 1 ? {} : { by: () => "one key" }) }, async ({ value }) => {
      seen.push(value!);
      if (value === "1:2" && of(1, seen).length === 3) await topic.seek({ 1: 8 });
      if (of(0, seen).length === COUNTS[0] && seen.includes("1:11")) abort.abort();
    });
    await app.stream({ ...QUIET, signal: abort.signal });
    assert.deepEqual(of(0, seen), from(0, 0));
    assert.deepEqual(of(1, seen), ["1:0", "1:1", "1:2", ...from(1, 8)]);
    await using asking = new Topic(name, conf);
    assert.equal((await asking.lag()).total, 0);
  });
}

Deno.test('until: "end" reads several partitions, some of them empty, to the end offsets at the start', async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("ends", 4);
  await using writer = new Topic(name, broker.conf());
  const record = (partition: number, value: string) => ({ partition, value });
  await writer.sendBatch([record(0, "a"), record(0, "b"), record(2, "c")]);
  for (const own of [{}, { "group.id": `g-${name}` }]) {
    await using topic = broker.toEnd(name, own, { offset: "beginning" });
    const seen: string[] = [];
    for await (const { value } of topic) {
      seen.push(value!);
      // Messages that are written meanwhile are above the end offsets.
      await writer.sendBatch([record(0, "later"), record(1, "later")]);
    }
    const later = seen.filter((value) => value === "later").length;
    assert.deepEqual(seen.filter((value) => value !== "later").sort(), ["a", "b", "c"]);
    assert.ok(later === 0 || "group.id" in own, `${later} above the end offsets`);
  }
});

Deno.test('until: "end" ends at once on an empty topic, and when the group has read everything', async () => {
  await using broker = await TestBroker.start();
  const name = await broker.createTopic("empty", 3);
  for (const own of [{}, { "group.id": `g-${name}` }]) {
    await using topic = broker.toEnd(name, own);
    const app = new Slipstream();
    app.handle(topic, () => assert.fail("there is nothing to handle"));
    await app.stream(QUIET);
  }
});
