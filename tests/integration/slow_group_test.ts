import assert from "node:assert/strict";
import { Slipstream, Topic } from "@slipstream/slipstream";
import { SESSION, TestBroker, until } from "../support/brokers.ts";

/** How many messages each partition has. The counts differ, so that a mix-up of partitions is noticed. */
const COUNTS = [4, 6] as const;

async function filled(broker: TestBroker, test: string): Promise<string> {
  const name = await broker.createTopic(test, COUNTS.length);
  await using topic = new Topic(name, broker.conf());
  await topic.sendBatch(
    COUNTS.flatMap((length, partition) =>
      Array.from({ length }, (_, n) => ({ value: `${partition}:${n}`, partition }))
    ),
  );
  return name;
}

for (const strategy of ["range", "cooperative-sticky"] as const) {
  Deno.test(`partitions that are revoked from a paused member are read when they come back after resume() (${strategy})`, async () => {
    await using broker = await TestBroker.start();
    const name = await filled(broker, "paused");
    const conf = broker.conf({ "group.id": `g-${name}`, "partition.assignment.strategy": strategy });
    await using topic = new Topic(name, conf), other = new Topic(name, conf), writer = new Topic(name, broker.conf());
    const seen: string[] = [], theirs: string[] = [], abort = new AbortController(), leave = new AbortController();
    const app = new Slipstream(), otherApp = new Slipstream();
    app.handle(topic, ({ value }) => void seen.push(value!));
    otherApp.handle(other, ({ value }) => void theirs.push(value!));
    const running = app.stream({ handleSignals: false, signal: abort.signal });
    await until(() => seen.length === COUNTS[0] + COUNTS[1], "the first member reads all");
    topic.pause();
    const theirRun = otherApp.stream({ handleSignals: false, signal: leave.signal });
    await until(async () => {
      await writer.sendBatch([{ value: "joined", partition: 0 }, { value: "joined", partition: 1 }]);
      return theirs.includes("joined");
    }, "the second member has a partition");
    topic.resume();
    leave.abort();
    await theirRun;
    await writer.sendBatch([{ value: "last of 0", partition: 0 }, { value: "last of 1", partition: 1 }]);
    await until(() => seen.includes("last of 0") && seen.includes("last of 1"), "the first member reads both again");
    abort.abort();
    await running;
    assert.ok(seen.includes("joined"));
  });
}

for (const members of [1, 2]) {
  Deno.test(`a handler that blocks the event loop longer than max.poll.interval.ms makes progress, with ${members} in the group`, async () => {
    await using broker = await TestBroker.start();
    const name = await broker.createTopic("busy", 2);
    await using writer = new Topic(name, broker.conf());
    await writer.sendBatch([0, 0, 1].map((partition, n) => ({ value: `${n}`, partition })));
    const pollMs = Number(SESSION["session.timeout.ms"]);
    const conf = broker.conf({ "group.id": `g-${name}`, "max.poll.interval.ms": pollMs });
    const abort = new AbortController(), begun: string[] = [], ended: string[] = [];
    const apps = Array.from({ length: members }, () => {
      const app = new Slipstream();
      app.handle(new Topic(name, conf), async ({ value }) => {
        begun.push(value!);
        // No member in this process is polled meanwhile, so the group removes all of them.
        const until = performance.now() + pollMs * 1.3;
        while (performance.now() < until);
        // The reader learns of that while the message is being handled.
        await new Promise((resolve) => setTimeout(resolve, 1500));
        ended.push(value!);
      });
      return app.stream({ handleSignals: false, signal: abort.signal });
    });
    await using asking = new Topic(name, conf);
    await until(
      async () => ended.length >= 3 && (await asking.lag()).total === 0,
      "everything is handled and committed",
      60_000,
    );
    abort.abort();
    await Promise.all(apps);
    assert.deepEqual([...new Set(ended)].sort(), ["0", "1", "2"]);
    assert.ok(begun.length <= 3 * members, `each member begins a message once: ${begun}`);
  });
}
