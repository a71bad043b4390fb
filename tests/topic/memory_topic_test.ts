import assert from "node:assert/strict";
import { type Message, Topic, type TopicOptions, transform } from "@slipstream/slipstream";
import { MemoryKafka } from "@slipstream/slipstream/testing";
import { openSource } from "../../src/protocol/protocol.ts";
import { P0, P1, positionsOf, until } from "../support/readers.ts";

const NO_FFI: Deno.PermissionOptions = { ffi: false, net: false, read: "inherit", env: "inherit", sys: "inherit" };
const GROUP = { "group.id": "g", "auto.offset.reset": "earliest" } as const;

function topicOf(kafka: MemoryKafka, conf = {}, options: TopicOptions = {}): Topic {
  return new Topic("t", { "bootstrap.servers": kafka.bootstrapServers, ...conf }, options);
}

/** Topic `t` with three messages in partition 0 and five in partition 1. */
function filled(): MemoryKafka {
  const kafka = new MemoryKafka();
  kafka.createTopic("t", { partitions: 2 });
  for (let n = 0; n < 3; n++) kafka.append(P0, { key: "k", value: `0@${n}` });
  for (let n = 0; n < 5; n++) kafka.append(P1, { value: `1@${n}` });
  return kafka;
}

Deno.test("Topic writes and reads in memory without native code", { permissions: NO_FFI }, async () => {
  using kafka = filled();
  await using topic = topicOf(kafka, {}, { offset: "beginning", until: "end" });
  assert.deepEqual(await topic.send("key", "value", { partition: 1, headers: { h: "x", none: null } }), {
    topic: "t",
    partition: 1,
    offset: 5,
  });
  const messages: Message[] = [];
  for await (const message of topic) messages.push(message);
  assert.equal(messages.length, 9);
  const { value, headers } = messages.find(({ key }) => key === "key")!;
  assert.equal(value, "value");
  assert.deepEqual(headers.map(([name, bytes]) => [name, bytes && String(bytes)]), [["h", "x"], ["none", null]]);
});

Deno.test("for await over a Topic counts a message as handled when the next one is requested", async () => {
  using kafka = filled();
  await using topic = topicOf(kafka, GROUP);
  const seen: Message[] = [];
  for await (const message of topic) {
    seen.push(message);
    if (seen.length === 4) await topic.commit();
    if (seen.length === 6) break;
  }
  const next = (count: number, partition: number) =>
    seen.slice(0, count).filter((message) => message.partition === partition).length || undefined;
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [next(5, 0), next(5, 1)]);
  const again: string[] = [];
  await using other = topicOf(kafka, GROUP, { until: "end" });
  for await (const { value } of other) again.push(value!);
  assert.equal(again.length, 3, "the message at which the loop was left, and two more");
  assert(again.includes(seen[5]!.value!));
});

Deno.test("Batches of a Topic have their bytes and positions, and are done in order", async () => {
  using kafka = filled();
  await using topic = topicOf(kafka, GROUP);
  const reader = topic[openSource](), batches = reader.batches.getReader();
  const { value: batch } = await batches.read();
  const messages = [...batch!.messages];
  assert.equal(messages.length, 8);
  assert.equal(batch!.bytes, 8 * "0@0".length);
  assert.deepEqual(positionsOf(batch!.positions!()), ["0@3", "1@5"]);
  assert.deepEqual(positionsOf(batch!.positions!(0)), []);
  assert.equal(batch!.describe!(messages[0]!), `t[${messages[0]!.partition}]@${messages[0]!.offset}`);
  await topic.seek({ 1: 2 });
  assert.deepEqual(messages.map((message) => batch!.stale!(message)), messages.map(({ partition }) => partition === 1));
  assert.deepEqual(positionsOf(batch!.positions!()), ["0@3"]);
  await batch!.done();
  reader.stop();
  await reader.close();
  await until(() => kafka.consumers.length === 0);
  assert.deepEqual([kafka.committed("g", P0), kafka.committed("g", P1)], [3, undefined]);
});

Deno.test("a pipe from a Topic that fails stores no offsets of the last messages it pulled; a cancelled one does", async () => {
  for (const fails of [true, false]) {
    using kafka = filled();
    await using topic = topicOf(kafka, GROUP);
    if (fails) {
      const sink = new WritableStream({
        write: async () => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          throw new Error("disk full");
        },
      });
      await assert.rejects(
        topic.readable.pipeThrough(transform((message) => message)).pipeTo(sink),
        /disk full/,
      );
      // The error passes back through the stages, one after the other.
      await new Promise((resolve) => setTimeout(resolve, 50));
    } else {
      const reader = topic.readable.getReader();
      for (let n = 0; n < 3; n++) await reader.read();
      await reader.cancel();
    }
    const committed = [P0, P1].reduce((sum, partition) => sum + (kafka.committed("g", partition) ?? 0), 0);
    assert.equal(committed, fails ? 0 : 2);
  }
});
