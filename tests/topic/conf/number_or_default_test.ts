import assert from "node:assert/strict";
import { numberOrDefault } from "../../../src/topic/conf/number_or_default.ts";

Deno.test("numberOrDefault() is the number that is set, else librdkafka's default", () => {
  assert.equal(numberOrDefault({ "session.timeout.ms": "6000" }, "session.timeout.ms"), 6000);
  assert.equal(numberOrDefault({ "session.timeout.ms": 0 }, "session.timeout.ms"), 0);
  assert.equal(numberOrDefault({}, "session.timeout.ms"), 45_000);
  assert.throws(() => numberOrDefault({}, "client.id"), /^TypeError: client\.id has no default that is a number$/);
});
