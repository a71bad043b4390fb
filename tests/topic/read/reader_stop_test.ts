import assert from "node:assert/strict";
import type { RequestKind } from "../../../src/testing/memory_kafka.ts";
import { KafkaError } from "../../../src/kafka/kafka_error.ts";
import { kafkaOf, P0, readerOf, until } from "../../support/readers.ts";

/** How a reader comes to wait for a broker that does not answer a kind of request. */
const WAITS: readonly (readonly [RequestKind, string, Record<string, unknown>, boolean])[] = [
  ["connect", "for a connection", { "group.id": "g" }, false],
  ["metadata", "for partitions", {}, false],
  ["watermarks", "for the ends of partitions that the group gave", { "group.id": "g" }, true],
];

/** Whether something ends soon, although no broker answers. */
async function endsSoon(what: string, ending: Promise<unknown>, withinMs = 300): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) =>
    timer = setTimeout(() => reject(new Error(`${what} goes on waiting`)), withinMs)
  );
  try {
    return await Promise.race([ending, late]);
  } finally {
    clearTimeout(timer);
  }
}

for (const [kind, text, conf, untilEnd] of WAITS) {
  Deno.test(`TopicReader stops at once while it waits ${text}`, async () => {
    using kafka = kafkaOf([2, 3], { delayMs: (asked) => asked === kind ? 1_000_000 : 0 });
    const reader = readerOf(kafka, conf, { untilEnd });
    const waits = [
      reader.next(),
      reader.currentOffsets().then(
        () => assert.equal(kind, "watermarks"),
        (error) => assert(error instanceof KafkaError),
      ),
      reader.seek(() => 0).catch((error) => assert(error instanceof KafkaError)),
    ];
    await until(() => kafka.consumers.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    reader.stop();
    const [next] = await endsSoon("something", Promise.all(waits)) as unknown[];
    assert.equal(next, undefined);
    await endsSoon("close()", reader.close());
    assert.equal(kafka.consumers.length, 0);
  });
}

for (const [kind, act] of [["committed", "currentOffsets"], ["seek", "seek"], ["commit", "commit"]] as const) {
  Deno.test(`TopicReader.${act}() ends with the reader while no broker answers`, async () => {
    using kafka = kafkaOf([2, 3], { delayMs: (asked) => asked === kind ? 1_000_000 : 0 });
    const reader = readerOf(kafka, { "group.id": "g" }, { startAt: () => 0 });
    await reader.next();
    const acts = {
      currentOffsets: () => reader.currentOffsets(),
      seek: () => reader.seek(() => 1),
      commit: () => reader.commit([{ ...P0, offset: 1 }]),
    };
    const acting = acts[act]().then(() => assert.fail("it was answered"), (error) => error);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const pulling = reader.next();
    reader.stop();
    assert(await endsSoon(`${act}()`, acting) instanceof KafkaError);
    assert.equal(await endsSoon("next()", pulling), undefined);
    await endsSoon("close()", reader.close());
  });
}

Deno.test("TopicReader stops at once while a rebalance waits for messages in hands", async () => {
  using kafka = kafkaOf([2, 3]);
  const reader = readerOf(kafka, { "group.id": "g" });
  await reader.next();
  kafka.rebalance("g");
  const pulling = reader.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert(!kafka.isStable("g"), "it waits");
  reader.stop();
  assert.equal(await endsSoon("next()", pulling), undefined);
  await endsSoon("close()", reader.close());
});

Deno.test("TopicReader.close() disconnects a client that was still being made", async () => {
  using kafka = kafkaOf([2, 3]);
  const reader = readerOf(kafka);
  const pulling = reader.next();
  await endsSoon("close()", reader.close());
  assert.equal(await pulling, undefined);
  assert.equal(kafka.consumers.length, 0);
});

Deno.test("TopicReader that is paused stops at once", async () => {
  using kafka = kafkaOf([2, 3]);
  const reader = readerOf(kafka);
  await reader.next();
  reader.pause();
  const waits = [reader.resumed(), reader.next()];
  reader.stop();
  await endsSoon("something", Promise.all(waits));
  await reader.close();
});

Deno.test("TopicReader.close() has its end while all brokers are down", async () => {
  using kafka = kafkaOf([2, 3]);
  const reader = readerOf(kafka, { "group.id": "g" });
  const batch = await reader.next();
  kafka.setDown();
  batch!.done();
  // The last commit waits for an answer, which may come: of a group that rebalances it does.
  await endsSoon("close()", reader.close(), 6000);
});
