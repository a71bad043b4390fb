import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { addon } from "../../src/addon/addon.ts";
import { BlockingCalls } from "../../src/ffi/blocking_calls.ts";
import { answer, connect, disconnect, type Native } from "../support/native_client.ts";

type TxnError = { code: number; message: string; isFatal: boolean; isRetriable: boolean; isTxnRequiresAbort: boolean };

const NO_BROKER = "127.0.0.1:1";
const LONG_MS = 60_000;

function producer(servers: string, own: object = {}): Native {
  return new addon.Producer({ "bootstrap.servers": servers, "log_level": 0, ...own }, {});
}

function consumer(servers: string, group: string): Native {
  return new addon.KafkaConsumer({ "bootstrap.servers": servers, "group.id": group, "log_level": 0 }, {});
}

/** Everything that waits for a broker: 32 clients, each with two calls of a minute. */
async function startWaiting(servers: string): Promise<Native[]> {
  const clients: Native[] = [];
  const ignore = () => {};
  for (let n = 0; n < 8; n++) {
    const [transactional, plain] = [producer(servers, { "transactional.id": `t${n}` }), producer(servers)];
    const [asking, group] = [consumer(servers, `a${n}`), consumer(servers, `b${n}`)];
    await Promise.all([transactional, plain, asking, group].map(connect));
    transactional.initTransactions(LONG_MS, ignore);
    transactional.getMetadata({ timeout: LONG_MS }, ignore);
    plain.produce("t", 0, Buffer.from("v"));
    plain.flush(LONG_MS, ignore);
    plain.clusterId(LONG_MS, ignore);
    asking.queryWatermarkOffsets("t", 0, LONG_MS, ignore);
    asking.offsetsForTimes([{ topic: "t", partition: 0, offset: 1 }], LONG_MS, ignore);
    group.committed([{ topic: "t", partition: 0 }], LONG_MS, ignore);
    group.getMetadata({ timeout: LONG_MS }, ignore);
    clients.push(transactional, plain, asking, group);
  }
  return clients;
}

for (const how of ["is down", "hangs"] as const) {
  Deno.test(`32 clients whose broker ${how} delay no client of another broker`, async () => {
    await using broker = await LocalBroker.start();
    await using other = await LocalBroker.start();
    broker.createTopic("t");
    other.setRtt(600_000);
    const waiting = await startWaiting(how === "hangs" ? other.bootstrapServers : NO_BROKER);
    const servers = { "bootstrap.servers": broker.bootstrapServers, "fetch.wait.max.ms": 5 };
    // Let them occupy the threads that they get.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const began = performance.now();
    await Promise.all(["one", "two"].map(async (id) => {
      await using topic = new Topic<string, string>("t", servers);
      await topic.send(id, "value");
      const own = producer(broker.bootstrapServers, { "transactional.id": id });
      await connect(own);
      for (
        const [name, ...args] of [["initTransactions", 20_000], ["beginTransaction"], ["commitTransaction", 20_000]]
      ) {
        assert.deepEqual(await answer((callback) => own[name as string](...args, callback)), [null], `${name}`);
      }
      assert.equal((await answer((callback) => own.queryWatermarkOffsets("t", 0, 20_000, callback)))[0], null);
      await disconnect(own);
    }));
    const tookMs = performance.now() - began;
    // Files are read on the same threads: this must not hang.
    await Deno.readTextFile(new URL(import.meta.url));
    await Promise.all(waiting.map(disconnect));
    assert.ok(tookMs < 10_000, `${tookMs} ms`);
  });
}

Deno.test("the transactions of a slow broker, made in slices, commit and abort, and lose no record", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 2 });
  const reports: number[] = [];
  const client = producer(broker.bootstrapServers, { "transactional.id": "t" });
  client.configureCallbacks(true, { event: { delivery_cb: (code: number | null) => void reports.push(code ?? 0) } });
  await connect(client);
  const call = async (name: string, ...args: unknown[]) => {
    assert.deepEqual(await answer((callback) => client[name](...args, callback)), [null], name);
  };
  broker.setRtt(250);
  await call("initTransactions", LONG_MS);
  for (const [end, count] of [["commitTransaction", 3], ["abortTransaction", 5], ["commitTransaction", 1]] as const) {
    await call("beginTransaction");
    for (let n = 0; n < count; n++) client.produce("t", n % 2, Buffer.from(`${n}`));
    await call(end, LONG_MS);
  }
  await disconnect(client);
  assert.equal(reports.length, 9);
});

Deno.test("a transactional call during another one fails at once, and names the other", async () => {
  const client = producer(NO_BROKER, { "transactional.id": "t" });
  await connect(client);
  const first = answer((callback) => client.initTransactions(LONG_MS, callback));
  // By then the first call is between two slices.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const [same] = await answer((callback) => client.initTransactions(LONG_MS, callback)) as [TxnError];
  const [another] = await answer((callback) => client.abortTransaction(LONG_MS, callback)) as [TxnError];
  const [begin] = await answer((callback) => client.beginTransaction(callback)) as [TxnError];
  assert.deepEqual([same.code, same.isRetriable, same.isFatal], [-177, true, false], same.message);
  assert.deepEqual([another.code, begin.code], [-173, -173]);
  assert.match(another.message, /Conflicting init_transactions API call is already in progress/);
  const began = performance.now();
  await disconnect(client);
  const [error] = await first as [TxnError];
  assert.ok(error.isRetriable, error.message);
  assert.ok(performance.now() - began < 5000);
});

Deno.test("a transactional call without a broker ends at its time-out, and can be resumed", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic("t");
  broker.setDown();
  const client = producer(broker.bootstrapServers, { "transactional.id": "t", "reconnect.backoff.max.ms": 100 });
  await connect(client);
  const began = performance.now();
  const [error] = await answer((callback) => client.initTransactions(700, callback)) as [TxnError];
  const tookMs = performance.now() - began;
  assert.deepEqual([error.isRetriable, error.isFatal, error.isTxnRequiresAbort], [true, false, false], error.message);
  assert.ok(tookMs >= 690 && tookMs < 5000, `${tookMs} ms`);
  broker.setUp();
  assert.deepEqual(await answer((callback) => client.initTransactions(20_000, callback)), [null]);
  await disconnect(client);
});

Deno.test("ten transactions of a cluster that hangs do not keep those of another from sending offsets", async () => {
  await using broker = await LocalBroker.start();
  await using other = await LocalBroker.start();
  const begun = async (servers: string, id: string) => {
    const client = producer(servers, { "transactional.id": id }), group = consumer(servers, id);
    await Promise.all([client, group].map(connect));
    for (const [name, ...args] of [["initTransactions", 20_000], ["beginTransaction"]]) {
      assert.deepEqual(await answer((callback) => client[name as string](...args, callback)), [null], `${name}`);
    }
    const send = (timeoutMs: number) =>
      answer((callback) =>
        client.sendOffsetsToTransaction([{ topic: "t", partition: 0, offset: 1 }], group, timeoutMs, callback)
      );
    return { send, clients: [client, group] };
  };
  for (const one of [broker, other]) one.createTopic("t");
  const hanging = await Promise.all(
    Array.from({ length: 10 }, (_, n) => begun(other.bootstrapServers, `hanging ${n}`)),
  );
  const healthy = await Promise.all(["one", "two"].map((id) => begun(broker.bootstrapServers, id)));
  other.setRtt(600_000);
  const sending = hanging.map(({ send }) => send(15_000));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const began = performance.now();
  for (const { send } of healthy) assert.deepEqual(await send(20_000), [null]);
  const tookMs = performance.now() - began;
  other.setRtt(0);
  await Promise.all(sending);
  for (const { clients } of [...healthy, ...hanging]) await Promise.all(clients.map(disconnect));
  assert.ok(tookMs < 8000, `${tookMs} ms`);
});

Deno.test("request() doubles its slices for a slow broker, remembers the length, and stops when the client closes", async () => {
  let isClosing = false;
  const slices: number[] = [], calls = new BlockingCalls(() => true, () => isClosing);
  const slow = (slice: number) => (slices.push(slice), Promise.resolve(slices.length < 4 ? -185 : 0));
  assert.equal(await calls.request(60_000, slow), 0);
  assert.equal(await calls.request(60_000, slow), 0);
  assert.deepEqual(slices, [100, 200, 400, 800, 800]);
  isClosing = true;
  assert.equal(await calls.request(60_000, () => Promise.resolve(-195)), -195);
});

Deno.test("request() calls once while no broker is connected, and again when one is", async () => {
  let isConnected = false;
  const slices: number[] = [], calls = new BlockingCalls(() => isConnected, () => false);
  const call = (slice: number) => (slices.push(slice), Promise.resolve(isConnected ? 0 : -195));
  assert.equal(await calls.request(500, call), -195);
  assert.deepEqual(slices, [100]);
  setTimeout(() => isConnected = true, 200);
  assert.equal(await calls.request(60_000, call), 0);
  assert.deepEqual(slices, [100, 20, 100]);
});
