import assert from "node:assert/strict";
import { consumerConf, pauseAfterIdleMs, resetOffset, revokeWaitMs } from "../../../src/topic/read/consumer_conf.ts";
import { BEGINNING, END } from "../../../src/topic/read/offsets.ts";

Deno.test("consumerConf() never lets librdkafka store offsets, whatever the Topic's properties are", () => {
  const conf = consumerConf({ "group.id": "g", "enable.auto.offset.store": true, "enable.auto.commit": true }, false);
  assert.equal(conf["enable.auto.offset.store"], false);
  assert.equal(conf["enable.auto.commit"], false);
  assert.equal(conf["group.id"], "g");
});

Deno.test("revokeWaitMs() is 5 s, or half of what max.poll.interval.ms leaves after a heartbeat", () => {
  assert.equal(revokeWaitMs({}), 5000);
  assert.equal(revokeWaitMs({ "max.poll.interval.ms": 7000, "heartbeat.interval.ms": 1000 }), 3000);
  assert.equal(revokeWaitMs({ "max.poll.interval.ms": 7000 }), 2000, "librdkafka's default heartbeat is 3 s");
  assert.equal(revokeWaitMs({ "max.poll.interval.ms": 7000, "group.protocol": "CONSUMER" }), 1000);
  assert.equal(revokeWaitMs({ "max.poll.interval.ms": 2000 }), 0);
});

Deno.test("pauseAfterIdleMs() is 10 s, or a quarter of max.poll.interval.ms", () => {
  assert.equal(pauseAfterIdleMs({}), 10_000);
  assert.equal(pauseAfterIdleMs({ "max.poll.interval.ms": "6000" }), 1500);
});

Deno.test("resetOffset() follows auto.offset.reset, and is the end by default", () => {
  for (const reset of ["earliest", "beginning", "smallest"]) {
    assert.equal(resetOffset({ "auto.offset.reset": reset }), BEGINNING);
  }
  for (const reset of ["latest", "end", "largest", undefined]) {
    assert.equal(resetOffset({ "auto.offset.reset": reset }), END);
  }
  assert.equal(resetOffset({ "auto.offset.reset": "error", "group.id": "g" }), undefined);
  assert.equal(resetOffset({ "auto.offset.reset": "error" }), END, "a reader without a group has no offset to miss");
});
