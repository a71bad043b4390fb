import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const MOD = new URL("../../src/ffi/library.ts", import.meta.url).href;

/** Opens the library in another process. */
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
  assert.match(out, /^LibraryError: No librdkafka 2\.13\.2 or newer can be used/);
  assert.match(out, why);
  assert.match(out, /\(LIBRDKAFKA_PATH\)/);
  assert.match(out, /deno run -A jsr:@slipstream\/slipstream\/setup/);
  assert.ok(tookMs < 5000, `${tookMs} ms`);
}

Deno.test("openLibrary() says that a file is missing", () => refuses("/no/such/librdkafka.so.1", /no such file/));

Deno.test("openLibrary() says that a file is not a shared library", async () => {
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

Deno.test("openLibrary() says that a library is not librdkafka", {
  ignore: Deno.build.os !== "linux", // only Linux has libc.so.6
}, () => refuses("libc.so.6", /libc\.so\.6 \(LIBRDKAFKA_PATH\): is not librdkafka\n/));

/** Compiles a library from lines of C. */
async function compiled(source: string, more: readonly string[] = []): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/stub.c`, source);
  const { success, stderr } = await new Deno.Command("cc", {
    args: ["-shared", "-fPIC", "-o", `${folder}/stub.so`, `${folder}/stub.c`, ...more],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return `${folder}/stub.so`;
}

const noCompiler = await compiled("int answer;").then(() => false, () => true);

Deno.test("openLibrary() says that a version is too old, and which one is needed", { ignore: noCompiler }, async () => {
  const old = await compiled("int rd_kafka_version(void) { return 0x020d01ff; }");
  await refuses(old, /version 2\.13\.1 is older than 2\.13\.2\n.*\n.*if it is 2\.13\.2 or newer/);
});

Deno.test("openLibrary() says that a librdkafka lacks functions", { ignore: noCompiler }, async () => {
  const bare = await compiled("int rd_kafka_version(void) { return 0x020f01ff; }");
  await refuses(bare, /lacks rd_kafka_\w+: not a librdkafka that this module can use/);
});

Deno.test("openLibrary() refuses a truncated library, which would kill the process", {
  ignore: noCompiler || Deno.build.os !== "linux", // macOS checks by itself
}, async () => {
  const whole = await compiled("int rd_kafka_version(void) { return 0x020f01ff; } char room[100000] = { 1 };");
  await Deno.truncate(whole, 3000);
  await refuses(whole, /is truncated: it has 3000 bytes, and needs at least \d+/);
});

Deno.test("openLibrary() says that a path is a folder, or a pipe, which would block", async () => {
  const folder = await Deno.makeTempDir();
  await refuses(folder, /is not a file/);
  const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
  assert.ok(success);
  await refuses(`${folder}/pipe`, /is not a file/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("openLibrary() names the missing library that another one needs", {
  ignore: noCompiler || Deno.build.os !== "linux", // an ELF's dependency
}, async () => {
  const needed = await compiled("int needed(void) { return 1; }");
  const needs = await compiled("int needed(void); int rd_kafka_version(void) { return needed(); }", [
    "-Wl,--no-as-needed",
    needed,
  ]);
  await Deno.remove(needed);
  await refuses(needs, /stub\.so: cannot open shared object file/);
});

Deno.test("a program that can't open librdkafka ends with one error and code 1", async () => {
  const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", `import { openLibrary } from "${MOD}"; openLibrary();`],
    env: { LIBRDKAFKA_PATH: "/no/such/librdkafka.so.1", NO_COLOR: "1" },
  }).output();
  const err = new TextDecoder().decode(stderr);
  assert.deepEqual([code, signal, stdout.length], [1, null, 0], err);
  assert.equal(err.match(/LibraryError: /g)?.length, 1, err);
});

Deno.test("openLibrary() refuses --allow-ffi with a path, which forbids pointers", async () => {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, `import { openLibrary } from "${MOD}"; openLibrary();`);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--allow-env", "--allow-ffi=/usr/lib", file],
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(code, 1);
  assert.match(new TextDecoder().decode(stderr), /run with --allow-ffi \(it must be unscoped/);
  await Deno.remove(file);
});

Deno.test("a Topic without --allow-ffi fails at once and says so, and everything else works", async () => {
  const mod = new URL("../../mod.ts", import.meta.url).href;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    file,
    `import { Topic } from "${mod}";
    const topic = new Topic("t", { "bootstrap.servers": "127.0.0.1:1" });
    await topic.send("k", "v").catch((error) => console.log(error.name + ": " + error.message));`,
  );
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
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
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--config", config, file],
  }).output();
  assert.deepEqual([code, stdout.length, new TextDecoder().decode(stderr)], [0, 0, ""]);
  await Deno.remove(file);
});

Deno.test("a program that ends with an uncaught error prints it, even while clients are connected", async () => {
  const program = `
    import { LocalBroker } from "${new URL("../../src/testing/local_broker.ts", import.meta.url).href}";
    import { loadKafkaJavascript } from "${new URL("../addon/load_kafka_javascript.ts", MOD).href}";
    const broker = await LocalBroker.start();
    broker.createTopic("t");
    const { KafkaConsumer } = await loadKafkaJavascript();
    for (let n = 0; n < 40; n++) {
      const consumer = new KafkaConsumer({ "bootstrap.servers": broker.bootstrapServers, "group.id": "g" }, {});
      await new Promise((resolve) => consumer.connect({}, resolve));
      consumer.assign([{ topic: "t", partition: 0 }]);
    }
    throw new Error("the program's own");`;
  const file = new URL(`./uncaught_${crypto.randomUUID()}.ts`, import.meta.url);
  await Deno.writeTextFile(file, program);
  try {
    const args = ["run", "-A", "--no-check", file.href];
    const { code, signal, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assert.deepEqual([code, signal], [1, null]);
    assert.match(new TextDecoder().decode(stderr), /the program's own/);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("openLibrary() emits a notice when it takes the system's library because --allow-env is missing", {
  ignore: Deno.build.os !== "linux", // only Linux has LD_LIBRARY_PATH
}, async () => {
  const { cachedLibraryPath } = await import("../../src/ffi/library.ts");
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, `import { openLibrary } from "${MOD}"; openLibrary(); openLibrary();`);
  const opened = async (...permissions: string[]) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", "--allow-ffi", "--allow-read", ...permissions, file],
      env: { LD_LIBRARY_PATH: cachedLibraryPath()!.replace(/\/[^/]*$/, ""), NO_COLOR: "1" },
    }).output();
    const err = new TextDecoder().decode(stderr);
    assert.equal(code, 0, err);
    return err;
  };
  assert.match(
    await opened(),
    /^slipstream: uses the system's librdkafka \S+ \(librdkafka\.so\.1\): without --allow-env=.*\n$/,
  );
  assert.equal(await opened("--allow-env"), "");
  await Deno.remove(file);
});
