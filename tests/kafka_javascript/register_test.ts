import assert from "node:assert/strict";
import { addon, features } from "@slipstream/slipstream/kafka-javascript";
import { packageFolder } from "../../src/setup/package_folder.ts";

const ROOT = new URL("../../", import.meta.url);
const REGISTER = new URL("src/kafka_javascript/register_now.ts", ROOT).pathname;

/** Runs Deno and returns its output. */
async function deno(
  args: readonly string[],
  options: { readonly cwd?: string | URL; readonly env?: Record<string, string> } = {},
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: options.cwd ?? ROOT,
    env: { NO_COLOR: "1", ...options.env },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  return { code, out: out!, err: err! };
}

const NO_LIBRARY = { env: { LIBRDKAFKA_PATH: "/no/such/librdkafka.so" } };

Deno.test("./kafka-javascript throws an error with a remedy when it is imported without a librdkafka", async () => {
  const { code, err } = await deno(["eval", `await import("@slipstream/slipstream/kafka-javascript")`], NO_LIBRARY);
  assert.equal(code, 1);
  assert.match(err, /LibraryError/);
  assert.match(err, /\/no\/such\/librdkafka\.so \(LIBRDKAFKA_PATH\)/);
});

Deno.test("./kafka-javascript/register opens no library; the first use of the addon says how to install one", async () => {
  const program = `
    await import("@slipstream/slipstream/kafka-javascript/register");
    const { createRequire } = await import("node:module");
    const addon = createRequire(import.meta.url)("bindings")("confluent-kafka-javascript");
    console.log(addon.topic["RdKafka::Topic::OFFSET_END"], typeof addon.Producer);
    try {
      new addon.Producer({}, {});
    } catch (error) {
      console.log(error.name);
    }`;
  const { out, err } = await deno(["eval", program], NO_LIBRARY);
  assert.equal(out, "-1 function\nLibraryError", err);
});

Deno.test("`addon` exports what the native addon exports", () => {
  assert.deepEqual(addon.features().split(","), features);
  assert.equal(addon.err2str(-172), "Local: Erroneous state");
  assert.deepEqual(
    Object.keys(addon).sort(),
    "AdminClient KafkaConsumer Producer Topic err2str features librdkafkaVersion topic".split(" "),
  );
});

/** Copies the package's JavaScript, without its addon, and writes a folder of specs beside it. */
async function copyOfPackage(specs: Readonly<Record<string, string>>): Promise<string> {
  const from = await packageFolder(), to = await Deno.makeTempDir();
  const { success } = await new Deno.Command("cp", { args: ["-r", `${from}/lib`, `${from}/librdkafka.js`, to] })
    .output();
  assert.ok(success);
  await Deno.writeTextFile(`${to}/package.json`, `{ "main": "lib/index.js" }`);
  await Deno.mkdir(`${to}/test`);
  for (const [name, text] of Object.entries(specs)) await Deno.writeTextFile(`${to}/test/${name}`, text);
  return to;
}

/** A suite in the form of those for the native addon: CommonJS, the runner's globals, `require()` of the package and of its
 * addon. */
const SPECS = {
  "addon.spec.js": `
    const assert = require("assert");
    const addon = require("bindings")("confluent-kafka-javascript");
    describe("the addon", () => {
      it("makes the clients of the package", () => {
        const { Producer } = require("../");
        assert.ok(new Producer({ "bootstrap.servers": "127.0.0.1:1" })._client instanceof addon.Producer);
        assert.strictEqual(require("../build/Release/confluent-kafka-javascript.node"), addon);
      });
      it("refuses what librdkafka refuses", () => {
        const KafkaConsumer = require("../lib/kafka-consumer");
        assert.throws(() => new KafkaConsumer({ foo: "bar" }, {}), /No such configuration property: "foo"/);
      });
      it("leaves other addons alone", () => {
        assert.throws(() => require("bindings")("some-other-addon"), { code: "MODULE_NOT_FOUND" });
      });
    });`,
  "round_trip.spec.js": `
    const assert = require("assert");
    const { Producer, KafkaConsumer } = require("../lib/rdkafka");
    const LibrdKafkaError = require("../lib/error");
    const conf = { "bootstrap.servers": process.env.KAFKA_BOOTSTRAP_SERVERS };
    describe("a producer and a consumer", function () {
      this.timeout(20000);
      const topic = "specs" + Date.now();
      let producer, consumer;
      before((done) => {
        producer = new Producer({ ...conf, dr_cb: true });
        producer.setPollInterval(10);
        producer.connect({}, done);
      });
      before((done) => {
        consumer = new KafkaConsumer({ ...conf, "group.id": topic }, { "auto.offset.reset": "earliest" });
        consumer.connect({}, done);
      });
      after((done) => { producer.disconnect(() => done()); });
      after((done) => { consumer.disconnect(() => done()); });
      it("reports a delivery", (done) => {
        producer.once("delivery-report", (error, report) => {
          assert.ifError(error);
          assert.deepStrictEqual([report.topic, report.offset, report.opaque], [topic, 0, "o"]);
          done();
        });
        producer.produce(topic, null, Buffer.from("value"), "key", null, "o");
      });
      it("reads it back", (done) => {
        consumer.subscribe([topic]);
        consumer.once("data", (message) => {
          assert.deepStrictEqual([message.value, message.key], [Buffer.from("value"), Buffer.from("key")]);
          done();
        });
        consumer.consume();
      });
      it("gives errors of the package's own class", () => {
        assert.throws(() => producer.produce(topic, null, "a string"), /must be a buffer/);
        assert.strictEqual(LibrdKafkaError.create(-172).message, "Local: Erroneous state");
      });
    });`,
  "wrong.spec.js": `it("fails", () => { throw require("../lib/error").create(-172); });`,
};

const MOCHA = ["run", "-A", "--quiet", "--no-config", "--preload", REGISTER, "npm:mocha@11", "--no-color"];

Deno.test("mocha runs a suite for the native addon over ./kafka-javascript/register", async () => {
  const { TestBroker } = await import("../support/brokers.ts");
  await using broker = await TestBroker.start();
  const copy = await copyOfPackage(SPECS);
  try {
    const env = { KAFKA_BOOTSTRAP_SERVERS: broker.bootstrapServers };
    const passing = await deno([...MOCHA, `${copy}/test/addon.spec.js`, `${copy}/test/round_trip.spec.js`], { env });
    assert.match(passing.out, /6 passing/, passing.out + passing.err);
    assert.equal(passing.code, 0, passing.out);
    // A failing spec must fail the run: otherwise a passing run proves nothing.
    const failing = await deno([...MOCHA, `${copy}/test/wrong.spec.js`]);
    assert.match(failing.out, /1 failing[^]*Error: Local: Erroneous state/);
    assert.equal(failing.code, 1);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});
