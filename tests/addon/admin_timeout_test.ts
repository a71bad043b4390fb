import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

type Answer = (error: { code: number; message: string } | null, result?: unknown) => void;
type Native = {
  listOffsets(partitions: unknown[], options: unknown, callback: Answer): void;
  deleteRecords(records: unknown[], options: unknown, callback: Answer): void;
  free(): Promise<void>;
};

/** Runs in a process of its own, which a memory corruption would end. */
async function timedOut(request: "listOffsets" | "deleteRecords"): Promise<{ code: number; out: string }> {
  const root = new URL("../../", import.meta.url), file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    file,
    `
    import { loadKafkaJavascript } from "${root}src/addon/load_kafka_javascript.ts";
    import { LocalBroker } from "${root}src/testing/mod.ts";
    const broker = await LocalBroker.start();
    broker.createTopic("t");
    const { AdminClient } = await loadKafkaJavascript();
    const native = AdminClient.create({ "bootstrap.servers": broker.bootstrapServers })._client;
    const offset = ${request === "listOffsets" ? "{ timestamp: -1 }" : "1"};
    const codes = new Set();
    for (let n = 0; n < 1000; n++) {
      await new Promise((resolve) =>
        native.${request}([{ topic: "t", partition: 0, offset }], { timeout: 0 }, (error) => resolve(codes.add(error?.code))));
    }
    native.disconnect();
    await native.free();
    await broker.close();
    console.log(...codes);`,
  );
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", new URL("deno.json", root).pathname, file],
  }).output();
  await Deno.remove(file);
  return { code, out: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

for (const request of ["listOffsets", "deleteRecords"] as const) {
  Deno.test(`${request}() with a time-out of 0 answers −185 a thousand times, and corrupts no memory`, async () => {
    assert.deepEqual(await timedOut(request), { code: 0, out: "-185\n" });
  });
}

Deno.test("listOffsets([]) answers an empty list, and deleteRecords() refuses a negative operation time-out", async () => {
  await using broker = await LocalBroker.start();
  const { AdminClient } = await loadKafkaJavascript();
  const admin = AdminClient.create({ "bootstrap.servers": broker.bootstrapServers });
  const native = (admin as unknown as { _client: Native })._client;
  const outcome = (call: (callback: Answer) => void) =>
    new Promise((resolve) => call((error, result) => resolve(error === null ? result : [error.code, error.message])));
  assert.deepEqual(await outcome((callback) => native.listOffsets([], {}, callback)), []);
  // librdkafka refuses this request at once: the answer does not wait for the time-out.
  const twice = Array.from({ length: 2 }, () => ({ topic: "t", partition: 0, offset: { timestamp: -1 } }));
  for (const timeout of [0, NaN, 5000]) {
    assert.equal((await outcome((callback) => native.listOffsets(twice, { timeout }, callback)) as unknown[])[0], -186);
  }
  const records = [{ topic: "t", partition: 0, offset: 1 }];
  assert.deepEqual(
    await outcome((callback) => native.deleteRecords(records, { operation_timeout: -5 }, callback)),
    [-186, 'Invalid value type for "operation_timeout": expecting integer in range -1..3600000'],
  );
  admin.disconnect();
  await native.free();
});
