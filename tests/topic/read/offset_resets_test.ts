import assert from "node:assert/strict";
import { offsetResetOf, offsetResetText } from "../../../src/topic/read/offset_resets.ts";
import { kafkaOf, P0, P1, placesOf, readerOf } from "../../support/readers.ts";

/** What is said while something goes on. */
async function saidDuring(act: () => Promise<void>): Promise<string[]> {
  const said: string[] = [], { warn } = console;
  console.warn = (text: string) => said.push(text);
  try {
    await act();
  } finally {
    console.warn = warn;
  }
  return said;
}

for (
  const [reset, next, text] of [
    [
      "latest",
      ["0@9", "1@7"],
      "; left out: offsets 6 to 8, since auto.offset.reset is latest (earliest reads them)",
    ],
    ["earliest", ["0@6", "0@7", "0@8", "0@9", "1@7"], "; reading goes on at 6"],
  ] as const
) {
  Deno.test(`A reader says what was deleted before its group had read it (${reset})`, async () => {
    using kafka = kafkaOf([9, 7]);
    kafka.commit("g", { ...P0, offset: 2 });
    kafka.commit("g", { ...P1, offset: 7 });
    kafka.deleteRecords(P0, 6);
    const read: string[] = [];
    const said = await saidDuring(async () => {
      const reader = readerOf(kafka, { "group.id": "g", "auto.offset.reset": reset });
      setTimeout(() => {
        kafka.append(P0, { value: "new" });
        kafka.append(P1, { value: "new" });
      }, 20);
      for (let batch; read.length < next.length && (batch = await reader.next()) !== undefined; batch.done()) {
        read.push(...placesOf(batch));
      }
      await reader.close();
    });
    assert.deepEqual(read.sort(), next);
    assert.equal(said.length, 1);
    assert(
      said[0]!.startsWith(`slipstream: Topic "t": t[0]: deleted before it was read: offsets 2 to 5${text}`),
      said[0],
    );
  });
}

Deno.test("offsetResetOf() reads librdkafka's lines, and no others", () => {
  const line = "[thrd:main]: a.b-c [3]: offset reset (at offset 12 (leader epoch 4), broker 1) to ";
  assert.deepEqual(offsetResetOf(`${line}offset END (leader epoch -1): fetch failed: Broker: Offset out of range`), {
    ...{ topic: "a.b-c", partition: 3, offset: 12, toEnd: true },
  });
  assert.equal(offsetResetOf(`${line}offset BEGINNING (leader epoch -1): fetch failed`)?.toEnd, false);
  assert.equal(offsetResetOf(`${line}cached BEGINNING offset offset 60 (leader epoch -1): fetch failed`)?.toEnd, false);
  assert.equal(offsetResetOf("[thrd:main]: a [3]: offset 12 committed"), undefined);
});

Deno.test("offsetResetText() tells a topic that was made anew, an emptied partition and a single offset", () => {
  const reset = { topic: "t", partition: 1, offset: 12, toEnd: true };
  const told = (lowOffset: number, highOffset: number, toEnd = true) =>
    offsetResetText({ ...reset, toEnd }, { lowOffset, highOffset });
  assert.match(told(0, 3), /^t\[1\] has no offset 12: it has offsets 0 to 2; was the topic made anew\? .* at its end$/);
  assert.match(told(0, 0, false), /^t\[1\] has no offset 12: it is empty; .* at its beginning$/);
  assert.match(told(13, 13), /^t\[1\]: deleted before it was read: offset 12; reading goes on at the end, 13$/);
});
