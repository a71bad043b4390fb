import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { type Any, call, until, withConsumer } from "../support/with_consumer.ts";

/** The ways in which a broker stops answering. */
const OUTAGES: Readonly<Record<string, (broker: LocalBroker) => void>> = {
  "is down": (broker) => broker.setDown(),
  "hangs": (broker) => broker.setRtt(600_000),
};

/** A program that reads two topics, each in its group, and disconnects at a byte on stdin. librdkafka must not delay its end. */
const PROGRAM = `
  import { Slipstream, Topic } from "ROOT/mod.ts";
  addEventListener("unload", () => console.log("unload"));
  const app = new Slipstream(), stop = new AbortController();
  let count = 0;
  for (const name of ["one", "two"]) {
    const conf = { "bootstrap.servers": Deno.args[0], "group.id": name, "auto.offset.reset": "earliest" };
    const topic = new Topic(name, { ...conf, "fetch.wait.max.ms": 5, "auto.commit.interval.ms": 60_000 });
    app.handle(topic, () => void (++count === 60 && console.log("read")));
  }
  const running = app.stream({ signal: stop.signal, handleSignals: false });
  await Deno.stdin.read(new Uint8Array(1));
  stop.abort();
  await running;
  console.log("closed");
  Deno.exitCode = 3;
`;

for (const [what, makeOutage] of Object.entries(OUTAGES)) {
  Deno.test(`a program whose broker ${what} ends in seconds and in order, although its groups can't be left`, async () => {
    await using broker = await LocalBroker.start();
    const { Topic } = await import("@slipstream/slipstream");
    for (const [name, count] of [["one", 50], ["two", 10]] as const) {
      broker.createTopic(name, { partitions: 2 });
      await using topic = new Topic<string, string>(name, { "bootstrap.servers": broker.bootstrapServers });
      await topic.sendBatch(Array.from({ length: count }, (_, n) => ({ key: `${n}`, value: `${n}` })));
    }
    const root = new URL("../../", import.meta.url), file = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(file, PROGRAM.replace("ROOT/", root.href));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", new URL("deno.json", root).pathname, file, broker.bootstrapServers],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const killer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    let out = "", stoppedAt = 0;
    const [, err] = await Promise.all([
      child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
        new WritableStream({ write: (text) => void (out += text) }),
      ),
      new Response(child.stderr).text(),
      (async () => {
        await until(() => out.includes("read\n"));
        makeOutage(broker);
        await new Promise((resolve) => setTimeout(resolve, 1000));
        stoppedAt = performance.now();
        const writer = child.stdin.getWriter();
        await writer.write(new Uint8Array(1));
        await writer.close();
      })(),
    ]);
    const tookMs = performance.now() - stoppedAt;
    const { code, signal } = await child.status;
    clearTimeout(killer);
    await Deno.remove(file);
    assert.deepEqual([code, signal, out], [3, null, "read\nclosed\nunload\n"], err);
    assert.ok(tookMs < 20_000, `${tookMs} ms`);
  });
}

Deno.test("disconnect() answers in seconds without a broker, no callback comes after it, and connect() makes a new handle", async () => {
  const conf = {
    "session.timeout.ms": 9000,
    "heartbeat.interval.ms": 500,
    "log_level": 0,
    "auto.commit.interval.ms": 60_000,
  };
  await withConsumer(conf, [5, 3], async (consumer, topic, native, broker) => {
    let count = 0, over = false;
    const late: unknown[] = [];
    native.configureCallbacks(true, {
      global: {
        rebalance_cb: (code: number, partitions: Any) => {
          if (over) late.push(code);
          if (code === -175) native.assign(partitions);
          else native.unassign();
        },
        offset_commit_cb: (...answer: unknown[]) => over && late.push(answer),
      },
      event: { event_cb: (...event: unknown[]) => over && late.push(event) },
    });
    consumer.subscribe([topic]);
    const poll = () => native.consume(20, 10, true, (_: unknown, messages: unknown[] = []) => count += messages.length);
    await until(() => (poll(), count === 8));
    broker.setDown();
    const began = performance.now();
    await call((done) => native.disconnect(done));
    over = true;
    assert.ok(performance.now() - began < 8000, `${performance.now() - began}`);
    await call((done) => native.disconnect(done));
    broker.setUp();
    await call((done) => native.connect(done));
    assert.deepEqual(late, []);
    over = false;
    await call((done) => native.getMetadata({ timeout: 30_000 }, done));
  });
});
