import assert from "node:assert/strict";
import { recordText, remedyFor } from "../../../src/topic/write/record_errors.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("recordText() names a record by its key, size and partition, as far as they are known", () => {
  assert.equal(recordText({ partition: 3 }), "a message");
  assert.equal(
    recordText({ key: utf8("a"), value: utf8("12"), partition: 3 }),
    'the message with key "a" (3 bytes, partition 3)',
  );
  assert.equal(recordText({ key: null, value: null, partition: -1 }), "the message without key (0 bytes)");
  assert.equal(
    recordText({ key: new Uint8Array([0xff, 0]), value: utf8("x") }),
    "the message with key of 2 bytes (3 bytes)",
  );
  const long = recordText({ key: utf8("k".repeat(1000)), value: null });
  assert.equal(long, `the message with key "${"k".repeat(64)}…" (1000 bytes)`);
});

Deno.test("remedyFor() says what helps against a refusal", () => {
  const keyed = { key: utf8("k"), value: utf8("v") };
  for (
    const [code, byClient, expected] of [
      [10, true, /raise message\.max\.bytes, .* and max\.message\.bytes of the topic/],
      [10, false, /^raise max\.message\.bytes of the topic/],
      [18, false, /segment\.bytes/],
      [32, false, /message\.timestamp\.before\.max\.ms/],
      [3, false, /the topic does not exist.*check its name/],
      [-188, true, /the topic does not exist.*check its name/],
      [-190, true, /no such partition/],
    ] as const
  ) {
    assert.match(remedyFor(code, keyed, byClient)!, expected);
  }
  assert.equal(remedyFor(87, { ...keyed, key: null }, false), "a compacted topic needs a key in each message");
  assert.equal(remedyFor(87, keyed, false), undefined);
});
