import assert from "node:assert/strict";
import { Topic } from "@slipstream/slipstream";
import { lagOf } from "../../../src/topic/read/lag.ts";
import { kafkaWith, P0, P1 } from "../../support/readers.ts";

Deno.test("lag() of a group lists the committed offset, the end offset and the lag of each partition", async () => {
  using kafka = kafkaWith([5, 3]);
  kafka.commit("g", { ...P0, offset: 2 });
  await using topic = new Topic("t", { "bootstrap.servers": kafka.bootstrapServers, "group.id": "g" });
  assert.deepEqual(await topic.lag(), {
    total: 6,
    partitions: [
      { ...P0, currentOffset: 2, endOffset: 5, lag: 3 },
      { ...P1, endOffset: 3, lag: 3 },
    ],
  });
});

Deno.test("lag() of a Topic that is being read lists the position of its reader", async () => {
  using kafka = kafkaWith([5, 3]);
  kafka.commit("g", { ...P0, offset: 2 });
  const conf = {
    "bootstrap.servers": kafka.bootstrapServers,
    "auto.offset.reset": "earliest",
    "group.id": "g",
  } as const;
  await using topic = new Topic("t", conf, { offset: { 1: 1 } });
  let read = 0;
  for await (const _ of topic) {
    if (++read === 1) {
      assert.deepEqual(await topic.lag(), {
        total: 5,
        partitions: [
          { ...P0, currentOffset: 2, endOffset: 5, lag: 3 },
          { ...P1, currentOffset: 1, endOffset: 3, lag: 2 },
        ],
      });
    }
    if (read === 5) break;
  }
});

Deno.test("lag() of several topics has the same shape, sorted by topic and partition", async () => {
  using kafka = kafkaWith([1, 2]);
  kafka.createTopic("a");
  await using topic = new Topic(["t", "a"], { "bootstrap.servers": kafka.bootstrapServers, "group.id": "g" });
  assert.deepEqual(await topic.lag(), {
    total: 3,
    partitions: [
      { topic: "a", partition: 0, endOffset: 0, lag: 0 },
      { ...P0, endOffset: 1, lag: 1 },
      { ...P1, endOffset: 2, lag: 2 },
    ],
  });
});

Deno.test("lagOf() does not count messages that are deleted already, and is never negative", async () => {
  const watermarks = () => Promise.resolve({ lowOffset: 10, highOffset: 20 });
  const positions = [4, -1, 15, 25].map((offset, partition) => ({ topic: "t", partition, offset }));
  const { total, partitions } = await lagOf(positions, watermarks);
  assert.deepEqual(partitions.map(({ currentOffset, lag }) => [currentOffset, lag]), [
    [4, 10],
    [undefined, 10],
    [15, 5],
    [25, 0],
  ]);
  assert.equal(total, 25);
});
