import assert from "node:assert/strict";

/**
 * Deno closes a library when the thread that opened it ends, while librdkafka's own threads continue. This happens between
 * two files of `deno test`, and in a program whose worker ends.
 */
Deno.test("a client that is still connected when its worker ends does not disturb later clients", async () => {
  const root = new URL("../../", import.meta.url);
  const loads = `
    import { loadKafkaJavascript } from "${root.href}src/addon/load_kafka_javascript.ts";
    import { LocalBroker } from "${root.href}src/testing/mod.ts";
    const { KafkaConsumer, Producer } = await loadKafkaJavascript();
    const broker = await LocalBroker.start();
    broker.createTopic("t");
    const made = [];
    for (const Client of [Producer, KafkaConsumer]) {
      const group = Client === Producer ? {} : { "group.id": "g" };
      const conf = { "bootstrap.servers": broker.bootstrapServers, "statistics.interval.ms": 10, ...group };
      const client = new Client(conf, {});
      await new Promise((resolve, reject) => client.connect({}, (error) => error ? reject(error) : resolve()));
      made.push(client);
    }
    made[1].subscribe(["t"]);
    made[1].consume(1, () => {});
  `;
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/leaker.js`, `${loads} postMessage("left connected"); setInterval(() => {}, 1000);`);
  await Deno.writeTextFile(
    `${dir}/program.js`,
    `
    for (const n of [1, 2]) {
      const worker = new Worker(new URL("leaker.js", import.meta.url), { type: "module" });
      await new Promise((resolve) => worker.onmessage = resolve);
      worker.terminate();
      await new Promise((resolve) => setTimeout(resolve, 300)); // the threads that are left run on meanwhile
    }
    await import("./after.js");
    `,
  );
  await Deno.writeTextFile(
    `${dir}/after.js`,
    `${loads}
    for (const client of made) await new Promise((resolve) => client.disconnect(resolve));
    await broker.close();
    console.log("done");`,
  );
  // A generous limit: the program takes about two seconds.
  const signal = AbortSignal.timeout(60_000);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", new URL("deno.json", root).pathname, `${dir}/program.js`],
    signal,
  }).output();
  await Deno.remove(dir, { recursive: true });
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.ok(!signal.aborted, `it hangs: ${out}${err}`);
  assert.deepEqual([code, out], [0, "done\n"], err);
});
