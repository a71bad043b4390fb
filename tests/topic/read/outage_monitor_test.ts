import assert from "node:assert/strict";
import { FakeClock } from "@slipstream/slipstream/testing";
import { kafkaWith, messagesOf, newReader, P0, P1 } from "../../support/readers.ts";

for (const conf of [{}, { "group.id": "g" }]) {
  Deno.test(`TopicReader logs one line when an outage begins and one when it ends (${"group.id" in conf ? "group" : "no group"})`, async () => {
    using clock = FakeClock.install();
    using kafka = kafkaWith([4, 2]);
    const notices: string[] = [], { warn } = console;
    console.warn = (text: string) => notices.push(text);
    try {
      const reader = newReader(kafka, conf);
      (await reader.next())!.done();
      const next = reader.next();
      kafka.setDown();
      await clock.advance(1000);
      kafka.setUp();
      await clock.advance(20_000);
      assert.deepEqual(notices, [], "a short outage makes no notice");
      for (const partition of [P0, P1]) {
        kafka.setDown();
        await clock.advance(30_000);
        kafka.setUp();
        await clock.advance(5000);
        if (partition === P1) kafka.append(partition, { value: "new" });
      }
      await clock.advance(1000);
      assert.deepEqual(messagesOf(await next), ["1@2"]);
      kafka.setDown();
      await clock.advance(1000);
      const closed = reader.close();
      await clock.advance(6000);
      await closed;
    } finally {
      console.warn = warn;
    }
    const at = `at ${kafka.bootstrapServers}`,
      down = `slipstream: Topic "t": no broker answers ${at} any more; waiting for one`;
    const up = `slipstream: Topic "t": a broker ${at} answers again`;
    assert.deepEqual(notices.slice(0, 4), [down, up, down, up]);
  });
}
