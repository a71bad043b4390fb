import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { type Any, call, until } from "../support/with_consumer.ts";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

/**
 * librdkafka does not answer requests to a group that has ended, and the caller blocks its thread for ever. So this runs in
 * a process of its own, which is killed if it does not end.
 */
Deno.test("disconnect() ends at any moment of a join, with every kind of rebalance callback", async () => {
  const root = new URL("../../", import.meta.url);
  const program = `
    import { loadKafkaJavascript } from "${root.href}src/addon/load_kafka_javascript.ts";
    import { LocalBroker } from "${root.href}src/testing/mod.ts";
    const { KafkaConsumer } = await loadKafkaJavascript();
    await using broker = await LocalBroker.start();
    broker.createTopic("t");
    const done = (ask) => new Promise((resolve, reject) => ask((error) => error ? reject(error) : resolve()));
    const callbacks = [
      undefined,
      true,
      function (error) {
        if (error.code !== -175) return void setTimeout(() => this.unassign(), 2);
        try {
          this.assign([{ topic: "t", partition: 0 }]);
        } catch {
          // The consumer disconnects already.
        }
      },
    ];
    let left = 0;
    for (let n = 0; n < 120; n++) {
      const strategy = n % 2 === 0 ? "range" : "cooperative-sticky";
      const rebalance_cb = callbacks[n % 3];
      const consumer = new KafkaConsumer({
        "bootstrap.servers": broker.bootstrapServers,
        "group.id": "g" + n,
        "partition.assignment.strategy": strategy,
        ...(rebalance_cb === undefined ? {} : { rebalance_cb: strategy === "range" ? rebalance_cb : true }),
      }, {});
      await done((callback) => consumer.connect({}, callback));
      consumer.subscribe(["t"]);
      if (n % 4 === 0) consumer.subscribe(["^t.*"]);
      if (n % 5 === 0) consumer.unsubscribe();
      // From before the join to after the first assignment.
      if (n % 10 > 0) await new Promise((resolve) => setTimeout(resolve, n % 10));
      if (n % 3 === 1) consumer.consume(10, () => {});
      await done((callback) => consumer.disconnect(callback));
      left++;
    }
    console.log(left, "left");
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--ext=js", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const { signal, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.deepEqual([signal, out], [null, "120 left\n"], err);
});

Deno.test("disconnect() ends although a cooperative member has not answered an assignment of no partitions", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  const { KafkaConsumer } = await loadKafkaJavascript();
  const conf = {
    "bootstrap.servers": broker.bootstrapServers,
    "group.id": "g",
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 1500,
    "heartbeat.interval.ms": 100,
  };
  const owner: Any = new KafkaConsumer({ ...conf, rebalance_cb: true } as never, {});
  const idle: Any = new KafkaConsumer(conf as never, {});
  let assigned: unknown[] | undefined;
  idle._client.configureCallbacks(true, {
    global: { rebalance_cb: (_code: number, partitions: unknown[]) => void (assigned = partitions) },
  });
  await call((done) => owner.connect({}, done));
  await call((done) => idle.connect({}, done));
  const poll = (consumer: Any) => consumer._client.consume(20, 1, true, () => {});
  owner.subscribe(["t"]);
  await until(() => (poll(owner), owner.assignments().length === 1));
  idle.subscribe(["t"]);
  await until(() => (poll(owner), poll(idle), assigned !== undefined));
  assert.deepEqual(assigned, []);
  let ended = false;
  idle._client.disconnect(() => ended = true);
  await until(() => ended);
  await call((done) => owner.disconnect(done));
});
