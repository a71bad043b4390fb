import assert from "node:assert/strict";
import { Topic } from "@slipstream/slipstream";
import { FakeClock } from "@slipstream/slipstream/testing";
import { kafkaWith, messagesOf, newReader, P0 } from "../../support/readers.ts";

for (const group of [{}, { "group.id": "g" }]) {
  const which = "group.id" in group ? "group" : "no group";

  Deno.test(`lag() names topics that do not exist (${which})`, async () => {
    using kafka = kafkaWith([4, 2]);
    const conf = { "bootstrap.servers": kafka.bootstrapServers, ...group };
    await using one = new Topic("q", conf), some = new Topic(["t", "q", "r"], conf), none = new Topic(/^q/, conf);
    await assert.rejects(one.lag(), {
      name: "KafkaError",
      code: 3,
      message: 'Topic "q": there is no topic "q": create it, or correct the name',
    });
    await assert.rejects(some.lag(), /there are no topics "q", "r": create them, or correct the names/);
    assert.equal((await none.lag()).total, 0);
  });

  Deno.test(`lag() rejects after 10 s while no broker answers; concurrent calls share one client (${which})`, async () => {
    using clock = FakeClock.install();
    using kafka = kafkaWith([4, 2]);
    kafka.setDown();
    await using topic = new Topic("t", { "bootstrap.servers": kafka.bootstrapServers, ...group });
    const asked = [topic.lag(), topic.lag()].map((lag) => lag.catch((error) => error as Error));
    await clock.advance(9000);
    assert.equal(kafka.consumers.length, 1);
    const later = topic.lag().catch((error) => error as Error);
    await clock.advance(2000);
    for (const error of await Promise.all(asked)) {
      assert.match(`${error}`, /can't ask for its lag: no broker answers at memory-\d+ within 10 s/);
    }
    await topic.close();
    assert.match(`${await later}`, /closed before/);
    await clock.advance(1);
    assert.equal(kafka.consumers.length, 0);
  });

  Deno.test(`A reader waits through an outage that begins while it looks for its topic (${which})`, async () => {
    using clock = FakeClock.install();
    using kafka = kafkaWith([4, 2]);
    const notices: string[] = [], { warn } = console;
    console.warn = (text: string) => notices.push(text);
    try {
      const reader = newReader(kafka, group, { startAt: () => 1 });
      kafka.faults.request = (kind) => void (kind === "connect" && kafka.setDown());
      const next = reader.next();
      await clock.advance(60_000);
      kafka.faults.request = undefined;
      kafka.setUp();
      await clock.advance(2000);
      const batch = await next;
      assert(messagesOf(batch).includes("0@1") && !messagesOf(batch).includes("0@0"));
      await reader.close();
    } finally {
      console.warn = warn;
    }
    assert.deepEqual(notices.map((text) => /still trying$|answers$/.test(text)), [true, true], notices.join("\n"));
    assert.equal(kafka.committed("g", P0), undefined);
  });
}

for (const group of [{}, { "group.id": "g" }]) {
  const which = "group.id" in group ? "group" : "no group";

  for (
    const [options, ms] of [
      [{ until: "end" }, 30_000],
      [{ until: "end", connectTimeoutMs: 7000 }, 7000],
      [{ whenMissing: "fail" }, 3000],
    ] as const
  ) {
    Deno.test(`Reading a topic that does not exist fails after ${ms} ms with ${JSON.stringify(options)} (${which})`, async () => {
      using clock = FakeClock.install();
      using kafka = kafkaWith([4, 2]);
      const { warn } = console;
      console.warn = () => {};
      try {
        const conf = { "bootstrap.servers": kafka.bootstrapServers, ...group };
        const missing = new Topic(["t", "q"], conf, options), present = new Topic("t", conf, options);
        let failure: unknown;
        const reading = missing[Symbol.asyncIterator]().next().catch((error) => failure = error);
        const next = present[Symbol.asyncIterator]().next().catch((error) => assert.fail(error));
        await clock.advance(ms - 1000);
        assert.equal(failure, undefined);
        await clock.advance(2000);
        assert.match(
          `${failure}`,
          /^KafkaError: Topics "t", "q": there is no topic "q": create it, or correct the name$/,
        );
        await present.close();
        await missing.close();
        await clock.advance(1000);
        await Promise.all([reading, next]);
      } finally {
        console.warn = warn;
      }
    });
  }

  Deno.test(`Reading fails after connectTimeoutMs when no broker answers (${which})`, async () => {
    using clock = FakeClock.install();
    using kafka = kafkaWith([4, 2]);
    kafka.setDown();
    const topic = new Topic("t", { "bootstrap.servers": kafka.bootstrapServers, ...group }, { connectTimeoutMs: 2500 });
    const reading = topic[Symbol.asyncIterator]().next().catch((error) => error as Error);
    await clock.advance(2600);
    assert.match(
      `${await reading}`,
      /^KafkaError: Topic "t": no broker answers at memory-\d+ within 2500 ms, which is/,
    );
    await topic.close();
    assert.equal(kafka.consumers.length, 0);
  });
}

Deno.test("Topic refuses wrong values of whenMissing and connectTimeoutMs", () => {
  const conf = { "bootstrap.servers": "localhost:9092" };
  assert.throws(
    () => new Topic("t", conf, { whenMissing: "never" as "fail" }),
    /whenMissing must be "wait" or "fail": never/,
  );
  for (const connectTimeoutMs of [0, -1, NaN, Infinity, 2 ** 31, "1000" as unknown as number]) {
    assert.throws(() => new Topic("t", conf, { connectTimeoutMs }), /connectTimeoutMs must be milliseconds from 1 to/);
  }
});
