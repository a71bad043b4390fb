import assert from "node:assert/strict";
import { ErrorCode } from "../../src/ffi/error_codes.ts";
import { readSource } from "../../tools/librdkafka_source.ts";

Deno.test("ErrorCode has the names and values of rdkafka.h", async () => {
  const header = await readSource("src/rdkafka.h");
  const declared = new Map<string, number>();
  for (const [, name, value] of header.matchAll(/\bRD_KAFKA_RESP_ERR_(\w+) = (-?\d+)/g)) {
    declared.set(name!, Number(value));
  }
  assert(declared.size > 150, "the header's enumeration was found");
  for (const [name, value] of Object.entries(ErrorCode)) {
    // librdkafka's own have one underscore more.
    assert.equal(declared.get(value < 0 ? `_${name}` : name), value, name);
  }
});
