import assert from "node:assert/strict";

const MOD = new URL("../../src/librdkafka/library.ts", import.meta.url).href;

/** Opens the library in a program of its own. */
async function opening(env: Record<string, string>) {
  const began = performance.now();
  const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--ext=ts",
      `import { openLibrary } from "${MOD}"; try { console.log(openLibrary().version); } catch (e) { console.log(e.name + ": " + e.message); }`,
    ],
    env: { ...env, NO_COLOR: "1" },
  }).output();
  const out = new TextDecoder().decode(stdout);
  return { code, signal, out, err: new TextDecoder().decode(stderr), tookMs: performance.now() - began };
}

async function temporary(bytes: Uint8Array): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".so" });
  await Deno.writeFile(file, bytes);
  return file;
}

/** The beginning of a shared library for another machine. */
function elf(machine: number): Uint8Array {
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  new DataView(header.buffer).setUint16(16, 3, true);
  new DataView(header.buffer).setUint16(18, machine, true);
  return header;
}

async function refuses(path: string, why: RegExp): Promise<void> {
  const { code, signal, out, tookMs } = await opening({ LIBRDKAFKA_PATH: path });
  assert.deepEqual([code, signal], [0, null], out);
  assert.match(out, /^LibraryError: No librdkafka 2.0.2 or newer can be used/);
  assert.match(out, why);
  assert.match(out, /\(LIBRDKAFKA_PATH\)/);
  assert.match(out, /deno run -A jsr:@slipstream\/slipstream\/setup/);
  assert.ok(tookMs < 5000, `${tookMs} ms`);
}

Deno.test("openLibrary() says that a file is missing", () => refuses("/no/such/librdkafka.so.1", /no such file/));

Deno.test("openLibrary() says that a file is no shared library", async () => {
  const file = await temporary(new TextEncoder().encode("this is a text file, not a library\n"));
  await refuses(file, /is not a shared library/);
  await Deno.remove(file);
});

Deno.test("openLibrary() says that a file is built for another machine", {
  ignore: Deno.build.os !== "linux", // the file is an ELF
}, async () => {
  const [machine, name] = Deno.build.arch === "x86_64" ? [183, "aarch64"] : [62, "x86_64"];
  const file = await temporary(elf(machine as number));
  await refuses(file, new RegExp(`is built for ${name}, and this is ${Deno.build.arch}`));
  await Deno.remove(file);
});

Deno.test("openLibrary() says that a library is another one", {
  ignore: Deno.build.os !== "linux", // libc.so.6 is Linux's
}, () => refuses("libc.so.6", /is not librdkafka, or lacks functions of it/));

/** Compiles a library with just these lines of C; `undefined` where there is no compiler. */
async function compiled(source: string): Promise<string | undefined> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/stub.c`, source);
  try {
    const { success } = await new Deno.Command("cc", {
      args: ["-shared", "-fPIC", "-o", `${folder}/stub.so`, `${folder}/stub.c`],
    }).output();
    return success ? `${folder}/stub.so` : undefined;
  } catch {
    return undefined;
  }
}

Deno.test("openLibrary() says that a version is too old, and which would do", async () => {
  const old = await compiled("int rd_kafka_version(void) { return 0x010902ff; }");
  if (old !== undefined) await refuses(old, /version 1.9.2 is older than 2.0.2/);
});

Deno.test("openLibrary() says that a librdkafka lacks functions", async () => {
  const bare = await compiled("int rd_kafka_version(void) { return 0x020f01ff; }");
  if (bare !== undefined) await refuses(bare, /lacks functions/);
});

Deno.test("a Topic without --allow-ffi says so, within a moment, and the rest works without", async () => {
  const mod = new URL("../../mod.ts", import.meta.url).href;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    file,
    `import { Topic } from "${mod}";
    const topic = new Topic("t", { "bootstrap.servers": "127.0.0.1:1" });
    await topic.send("k", "v").catch((error) => console.log(error.name + ": " + error.message));`,
  );
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--config", config, file],
  }).output();
  assert.equal(code, 0);
  assert.match(new TextDecoder().decode(stdout), /^LibraryError: Kafka topics need --allow-ffi/);
  await Deno.remove(file);
});

Deno.test("importing the module opens, reads and runs nothing", async () => {
  const mods = ["mod.ts", "src/testing/mod.ts", "src/codecs/mod.ts", "src/setup/mod.ts"];
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    file,
    mods.map((mod) => `import "${new URL(`../../${mod}`, import.meta.url).href}";`).join("\n"),
  );
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--config", config, file],
  }).output();
  assert.deepEqual([code, stdout.length, new TextDecoder().decode(stderr)], [0, 0, ""]);
  await Deno.remove(file);
});
