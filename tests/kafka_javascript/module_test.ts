import { deepEqual, equal, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import Module, { createRequire } from "node:module";
import * as client from "@slipstream/slipstream/kafka-javascript";
import { packageFolder } from "../../src/setup/package_folder.ts";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

Deno.test("./kafka-javascript exports every name of the npm package, with the same values", async () => {
  const npm = await loadKafkaJavascript() as unknown as Record<string, unknown>;
  const { addon: _addon, register: _register, default: whole, ...named } = client as unknown as Record<
    string,
    unknown
  >;
  equal(whole, npm);
  deepEqual(Object.keys(named).sort(), Object.keys(npm).sort());
  for (const [name, value] of Object.entries(npm)) equal(named[name], value, name);
});

Deno.test("require() of the npm package's addon answers `addon` while it is registered, and other addons are looked up as before", () => {
  const require = createRequire(import.meta.url);
  const requireAddon = () => require("bindings")("confluent-kafka-javascript");
  {
    using _registration = client.register();
    equal(requireAddon(), client.addon);
    let message = "";
    try {
      require("bindings")("some-other-addon");
    } catch (error) {
      message = (error as Error).message;
    }
    ok(message.includes("bindings"), "another addon is looked up as before");
  }
  let found = true;
  try {
    requireAddon();
  } catch {
    found = false;
  }
  equal(found, false);
});

Deno.test("two registrations, disposed of in any order, leave the loader as it was", () => {
  const loader = Module as unknown as { _load: unknown };
  const before = loader._load;
  const first = client.register(), second = client.register();
  second[Symbol.dispose]();
  first[Symbol.dispose]();
  equal(loader._load, before);
});

Deno.test("a copy of the package without its addon runs in CommonJS, by a preloaded register()", async () => {
  // A copy of the package's lib/, from Deno's cache, in a folder without an addon and without `bindings`.
  const copy = await Deno.makeTempDir();
  try {
    await copyFolder(await packageFolder(), copy);
    const here = import.meta.resolve("../../src/kafka_javascript/mod.ts");
    await Deno.writeTextFile(`${copy}/preload.ts`, `import { register } from ${JSON.stringify(here)}; register();`);
    await Deno.writeTextFile(
      `${copy}/spec.cjs`,
      `const { Producer } = require("./lib/rdkafka");
       const addon = require("bindings")("confluent-kafka-javascript");
       const producer = new Producer({ "bootstrap.servers": "127.0.0.1:1", log_level: 0 }, {});
       console.log(typeof addon.err2str(-172), producer.isConnected(), require("./lib").librdkafkaVersion);`,
    );
    const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--config", config, "--preload", `${copy}/preload.ts`, `${copy}/spec.cjs`],
    }).output();
    equal(
      new TextDecoder().decode(stdout),
      `string false ${client.librdkafkaVersion}\n`,
      new TextDecoder().decode(stderr),
    );
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});

async function copyFolder(from: string, to: string): Promise<void> {
  for (const name of ["lib", "librdkafka.js", "package.json"]) {
    const { success } = await new Deno.Command("cp", { args: ["-r", `${from}/${name}`, `${to}/${name}`] }).output();
    ok(success);
  }
}
