import assert from "node:assert/strict";

const SETUP = new URL("../../src/setup/mod.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

async function setup(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", CONFIG, SETUP, ...args],
    env: { ...env, NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err! };
}

Deno.test("setup --print-path prints the path of a library that opens, and nothing else", async () => {
  const { code, out } = await setup(["--print-path"]);
  assert.equal(code, 0);
  Deno.dlopen(out.trim(), { rd_kafka_version: { parameters: [], result: "i32" } }).close();
});

Deno.test("setup refuses options that it does not have", async () => {
  const { code, err } = await setup(["--frobnicate"]);
  assert.equal(code, 2);
  assert.match(err, /no option --frobnicate\nUsage/);
});

Deno.test("setup leaves a LIBRDKAFKA_PATH that is wrong to who has set it", async () => {
  const { code, err } = await setup([], { LIBRDKAFKA_PATH: "/no/such/file" });
  assert.equal(code, 1);
  assert.match(err, /\/no\/such\/file \(LIBRDKAFKA_PATH\): no such file/);
});

Deno.test("setup --build without a compiler says what is missing", async () => {
  const empty = await Deno.makeTempDir();
  const { code, err } = await setup(["--build"], { PATH: empty });
  assert.equal(code, 1);
  assert.match(err, /make, bash and a C compiler/);
  await Deno.remove(empty, { recursive: true });
});

Deno.test("install() runs the package manager that is there, and says so", {
  ignore: Deno.uid() !== 0, // apt-get is root's
}, async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/apt-get`, `#!/bin/sh\necho "$@" >> ${folder}/calls\n`, { mode: 0o755 });
  const script = `import { install, installer } from "${new URL("../../src/setup/install.ts", import.meta.url).href}";
    await install(installer()!);`;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", script],
    env: { PATH: folder, NO_COLOR: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.equal(await Deno.readTextFile(`${folder}/calls`), "update\ninstall -y --no-install-recommends librdkafka1\n");
  assert.match(
    new TextDecoder().decode(stderr),
    /setup: running apt-get install -y --no-install-recommends librdkafka1/,
  );
  await Deno.remove(folder, { recursive: true });
});
