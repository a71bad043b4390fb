import assert from "node:assert/strict";
import type { RequestKind } from "../../../src/testing/memory_kafka.ts";
import { KafkaError } from "../../../src/kafka/kafka_error.ts";
import { kafkaWith, newReader, P0, until } from "../../support/readers.ts";

/** The request that is not answered, what a reader waits for then, its configuration, and whether it has `until: "end"`. */
const WAITS: readonly (readonly [RequestKind, string, Record<string, unknown>, boolean])[] = [
  ["connect", "for a connection", { "group.id": "g" }, false],
  ["metadata", "for partitions", {}, false],
  ["watermarks", "for the end offsets of partitions that the group has assigned", { "group.id": "g" }, true],
];

/** Settles as a promise does; rejects if that takes longer than 300 ms. */
async function endsSoon(what: string, ending: Promise<unknown>, withinMs = 300): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) =>
    timer = setTimeout(() => reject(new Error(`${what} is still waiting after ${withinMs} ms`)), withinMs)
  );
  try {
    return await Promise.race([ending, late]);
  } finally {
    clearTimeout(timer);
  }
}

for (const [kind, text, conf, untilEnd] of WAITS) {
  Deno.test(`TopicReader stops at once while it waits ${text}`, async () => {
    using kafka = kafkaWith([2, 3], { delayMs: (asked) => asked === kind ? 1_000_000 : 0 });
    const reader = newReader(kafka, conf, { untilEnd });
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
    const [next] = await endsSoon("next(), currentOffsets() or seek()", Promise.all(waits)) as unknown[];
    assert.equal(next, undefined);
    await endsSoon("close()", reader.close());
    assert.equal(kafka.consumers.length, 0);
  });
}

for (const [kind, act] of [["committed", "currentOffsets"], ["seek", "seek"], ["commit", "commit"]] as const) {
  Deno.test(`TopicReader.${act}() rejects when the reader is stopped while no broker answers`, async () => {
    using kafka = kafkaWith([2, 3], { delayMs: (asked) => asked === kind ? 1_000_000 : 0 });
    const reader = newReader(kafka, { "group.id": "g" }, { startAt: () => 0 });
    await reader.next();
    const acts = {
      currentOffsets: () => reader.currentOffsets(),
      seek: () => reader.seek(() => 1),
      commit: () => reader.commit([{ ...P0, offset: 1 }]),
    };
    const acting = acts[act]().then(() => assert.fail("the request was answered"), (error) => error);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const pulling = reader.next();
    reader.stop();
    assert(await endsSoon(`${act}()`, acting) instanceof KafkaError);
    assert.equal(await endsSoon("next()", pulling), undefined);
    await endsSoon("close()", reader.close());
  });
}

Deno.test("TopicReader stops at once while a rebalance waits for messages that are being handled", async () => {
  using kafka = kafkaWith([2, 3]);
  const reader = newReader(kafka, { "group.id": "g" });
  await reader.next();
  kafka.rebalance("g");
  const pulling = reader.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert(!kafka.isStable("g"), "the rebalance waits");
  reader.stop();
  assert.equal(await endsSoon("next()", pulling), undefined);
  await endsSoon("close()", reader.close());
});

Deno.test("TopicReader.close() disconnects a consumer that is still being made", async () => {
  using kafka = kafkaWith([2, 3]);
  const reader = newReader(kafka);
  const pulling = reader.next();
  await endsSoon("close()", reader.close());
  assert.equal(await pulling, undefined);
  assert.equal(kafka.consumers.length, 0);
});

Deno.test("A paused TopicReader stops at once", async () => {
  using kafka = kafkaWith([2, 3]);
  const reader = newReader(kafka);
  await reader.next();
  reader.pause();
  const waits = [reader.resumed(), reader.next()];
  reader.stop();
  await endsSoon("next(), currentOffsets() or seek()", Promise.all(waits));
  await reader.close();
});

Deno.test("TopicReader.close() has its end while all brokers are down", async () => {
  using kafka = kafkaWith([2, 3]);
  const reader = newReader(kafka, { "group.id": "g" });
  const batch = await reader.next();
  kafka.setDown();
  batch!.done();
  // The last commit waits for an answer, which may come: of a group that rebalances it does.
  await endsSoon("close()", reader.close(), 6000);
});
