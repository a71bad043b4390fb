import assert from "node:assert/strict";
import { describeOffsetReset, parseOffsetReset } from "../../../src/topic/read/offset_reset.ts";
import { kafkaWith, messagesOf, newReader, P0, P1 } from "../../support/readers.ts";

/** The notices that are printed while a function runs. */
async function noticesDuring(act: () => Promise<void>): Promise<string[]> {
  const notices: string[] = [], { warn } = console;
  console.warn = (text: string) => notices.push(text);
  try {
    await act();
  } finally {
    console.warn = warn;
  }
  return notices;
}

for (
  const [reset, next, text] of [
    [
      "latest",
      ["0@9", "1@7"],
      "; skipped: offsets 6 to 8, since auto.offset.reset is latest (earliest reads them)",
    ],
    ["earliest", ["0@6", "0@7", "0@8", "0@9", "1@7"], "; reading goes on at 6"],
  ] as const
) {
  Deno.test(`TopicReader logs which messages were deleted before its group had read them (${reset})`, async () => {
    using kafka = kafkaWith([9, 7]);
    kafka.commit("g", { ...P0, offset: 2 });
    kafka.commit("g", { ...P1, offset: 7 });
    kafka.deleteRecords(P0, 6);
    const read: string[] = [];
    const notices = await noticesDuring(async () => {
      const reader = newReader(kafka, { "group.id": "g", "auto.offset.reset": reset });
      setTimeout(() => {
        kafka.append(P0, { value: "new" });
        kafka.append(P1, { value: "new" });
      }, 20);
      for (let batch; read.length < next.length && (batch = await reader.next()) !== undefined; batch.done()) {
        read.push(...messagesOf(batch));
      }
      await reader.close();
    });
    assert.deepEqual(read.sort(), next);
    assert.equal(notices.length, 1);
    assert(
      notices[0]!.startsWith(`slipstream: Topic "t": t[0]: deleted before it was read: offsets 2 to 5${text}`),
      notices[0],
    );
  });
}

Deno.test("parseOffsetReset() parses librdkafka's log lines about resets, and no others", () => {
  const line = "[thrd:main]: a.b-c [3]: offset reset (at offset 12 (leader epoch 4), broker 1) to ";
  assert.deepEqual(parseOffsetReset(`${line}offset END (leader epoch -1): fetch failed: Broker: Offset out of range`), {
    ...{ topic: "a.b-c", partition: 3, offset: 12, toEnd: true },
  });
  assert.equal(parseOffsetReset(`${line}offset BEGINNING (leader epoch -1): fetch failed`)?.toEnd, false);
  assert.equal(
    parseOffsetReset(`${line}cached BEGINNING offset offset 60 (leader epoch -1): fetch failed`)?.toEnd,
    false,
  );
  assert.equal(parseOffsetReset("[thrd:main]: a [3]: offset 12 committed"), undefined);
});

Deno.test("describeOffsetReset() describes a topic that was created anew, an empty partition and a single offset", () => {
  const reset = { topic: "t", partition: 1, offset: 12, toEnd: true };
  const text = (lowOffset: number, highOffset: number, toEnd = true) =>
    describeOffsetReset({ ...reset, toEnd }, { lowOffset, highOffset });
  assert.match(text(0, 3), /^t\[1\] has no offset 12: it has offsets 0 to 2; was the topic made anew\? .* at its end$/);
  assert.match(text(0, 0, false), /^t\[1\] has no offset 12: it is empty; .* at its beginning$/);
  assert.match(text(13, 13), /^t\[1\]: deleted before it was read: offset 12; reading goes on at the end, 13$/);
});
