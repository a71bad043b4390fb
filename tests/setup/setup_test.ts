import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { LibraryError } from "../../src/ffi/library_error.ts";
import { featureSummary } from "../../src/setup/build.ts";
import { run, type runModule } from "../../src/setup/commands.ts";
import { type SetupSteps, setupWith } from "../../src/setup/setup.ts";

const SETUP = new URL("../../src/setup/mod.ts", import.meta.url).href;
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

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

Deno.test("setup refuses unknown options", async () => {
  const { code, err } = await setup(["--frobnicate"]);
  assert.equal(code, 2);
  assert.match(err, /unknown option --frobnicate\nUsage/);
});

Deno.test("setup fails if LIBRDKAFKA_PATH is wrong, and builds nothing", async () => {
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

Deno.test("install() runs the package manager that is installed, and prints its commands", {
  ignore: Deno.uid() !== 0, // apt-get needs root
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

/** The steps on a machine without a library, a compiler or a package manager. */
function nothing(calls: string[]): SetupSteps {
  return {
    open() {
      throw new LibraryError("No librdkafka can be used.", []);
    },
    canBuild: () => false,
    build: () => Promise.reject(new Error("there is no compiler")),
    installer: () => undefined,
    install: ({ command }) => Promise.resolve(void calls.push(command)),
  };
}

// If LIBRDKAFKA_PATH is set, no step is taken: these tests need it unset.
const ignore = Boolean(Deno.env.get("LIBRDKAFKA_PATH"));

Deno.test("setup() lists the remedies when no step is possible", { ignore }, async () => {
  const calls: string[] = [];
  await assert.rejects(
    setupWith(nothing(calls)),
    /no C compiler.*\n.*apt-get install gcc.*librdkafka1.*LIBRDKAFKA_PATH/,
  );
  assert.deepEqual(calls, []);
});

Deno.test("setup() prefers a build to the package manager", { ignore }, async () => {
  const calls: string[] = [];
  const manager = { command: "apt-get", root: true, calls: [] };
  const steps = {
    ...nothing(calls),
    canBuild: () => true,
    build: () => Promise.resolve("/b"),
    installer: () => manager,
  };
  assert.deepEqual(await setupWith(steps), { path: "/b", version: "2.15.1", how: "built" });
  assert.deepEqual(calls, []);
});

/** The steps on a machine whose only librdkafka is that of Debian 12. */
function debian12(calls: string[]): SetupSteps {
  return {
    ...nothing(calls),
    open() {
      const tooOld = [{ path: "librdkafka.so.1", version: "2.0.2" }];
      throw new LibraryError("No librdkafka can be used.", [], { tooOld });
    },
  };
}

/** Runs a function and returns what it prints on stderr. */
async function stderrOf(work: () => Promise<unknown>): Promise<string> {
  const lines: string[] = [], original = console.error;
  console.error = (...line) => void lines.push(line.join(" "));
  try {
    await work();
  } finally {
    console.error = original;
  }
  return lines.join("\n");
}

Deno.test("setup() builds if the system's library is too old, and says why", { ignore }, async () => {
  const calls: string[] = [];
  const steps = { ...debian12(calls), canBuild: () => true, build: () => Promise.resolve("/b") };
  const said = await stderrOf(async () => {
    assert.deepEqual(await setupWith(steps), { path: "/b", version: "2.15.1", how: "built" });
  });
  assert.match(said, /librdkafka 2\.0\.2 \(librdkafka\.so\.1\) is older than 2\.13\.2, so it is not used/);
  assert.deepEqual(calls, []);
});

Deno.test(
  "setup() says which library is too old, and what to install, where there is no compiler",
  { ignore },
  async () => {
    await stderrOf(() =>
      assert.rejects(
        setupWith(debian12([])),
        /no librdkafka 2\.13\.2 or newer \(librdkafka 2\.0\.2 \(librdkafka\.so\.1\) is too old\), no C compiler.*\n.*apt-get install gcc.*librdkafka 2\.13\.2 or newer/,
      )
    );
  },
);

Deno.test("setup() fails if the installed library is too old", { ignore }, async () => {
  const calls: string[] = [];
  const manager = { command: "apt-get", root: true, calls: [] };
  await stderrOf(() =>
    assert.rejects(
      setupWith({ ...debian12(calls), installer: () => manager }),
      /librdkafka 2\.0\.2 \(librdkafka\.so\.1\), as apt-get has installed it, is older than 2\.13\.2\.\n.*apt-get install gcc/,
    )
  );
  assert.deepEqual(calls, ["apt-get"]);
});

Deno.test("setup() says why an installed library can't be used", { ignore }, async () => {
  const manager = { command: "apt-get", root: true, calls: [] };
  await stderrOf(() => assert.rejects(setupWith({ ...nothing([]), installer: () => manager }), LibraryError));
});

Deno.test("setup() uses the system's library if it is new enough", { ignore }, async () => {
  const found = { path: "librdkafka.so.1", version: "2.13.2" };
  const steps = { ...nothing([]), open: () => found, canBuild: () => true };
  assert.deepEqual(await setupWith(steps), { ...found, how: "found" });
});

/**
 * An environment for a setup: a HOME without a build, an empty `bin` as PATH, and an empty `system` for libraries. The
 * stub `librdkafka.so.1` returns this version.
 */
async function bareMachine(version: number) {
  const folder = await Deno.makeTempDir();
  for (const name of ["home", "bin", "system"]) await Deno.mkdir(`${folder}/${name}`);
  await Deno.writeTextFile(`${folder}/stub.c`, `int rd_kafka_version(void) { return ${version}; }`);
  await run("cc", ["-shared", "-fPIC", "-o", `${folder}/librdkafka.so.1`, `${folder}/stub.c`]);
  const env = {
    HOME: `${folder}/home`,
    XDG_CACHE_HOME: `${folder}/home/cache`,
    LIBRDKAFKA_PATH: "",
    LD_LIBRARY_PATH: `${folder}/system`,
    PATH: `${folder}/bin`,
  };
  return { folder, env, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

const cc = await new Deno.Command("cc", { args: ["--version"], stdout: "null" }).output().then(() => true, () => false);
/** Only Linux has LD_LIBRARY_PATH. */
const bare = { ignore: Deno.build.os !== "linux" || !cc };

Deno.test("setup without a compiler names a system's library that is too old", bare, async () => {
  await using machine = await bareMachine(0x020002ff);
  await Deno.rename(`${machine.folder}/librdkafka.so.1`, `${machine.folder}/system/librdkafka.so.1`);
  const { code, err } = await setup([], machine.env);
  assert.equal(code, 1);
  assert.match(
    err,
    /setup: There is no librdkafka 2\.13\.2 or newer \(librdkafka 2\.0\.2 \(librdkafka\.so\.1\) is too old\)/,
  );
});

Deno.test("setup fails when the package that it has installed is too old", {
  ignore: bare.ignore || Deno.uid() !== 0, // apt-get needs root
}, async () => {
  await using machine = await bareMachine(0x020002ff);
  const { folder, env } = machine;
  const installing = `#!/bin/sh\n[ "$1" = update ] || /bin/cp ${folder}/librdkafka.so.1 ${folder}/system/\n`;
  await Deno.writeTextFile(`${folder}/bin/apt-get`, installing, { mode: 0o755 });
  const { code, err } = await setup([], env);
  assert.equal(code, 1);
  assert.match(err, /running apt-get install .*librdkafka1\n/);
  assert.match(err, /librdkafka 2\.0\.2 \(librdkafka\.so\.1\), as apt-get has installed it, is older than 2\.13\.2\./);
});

Deno.test("featureSummary() lists the features of a build, the missing ones and their packages", () => {
  const config = "WITH_SSL=\ty\nWITH_ZLIB=\ty\nWITH_ZSTD=\ty\nWITH_SASL_CYRUS=\tn\nWITH_CURL=\tn\n";
  assert.equal(
    featureSummary(config),
    "built with lz4, snappy, TLS and SCRAM, gzip, zstd; without Kerberos (GSSAPI), OIDC " +
      "(on Debian: apt-get install libsasl2-dev libcurl4-openssl-dev, then setup --build)",
  );
});

Deno.test("run() throws the last lines of a failed command", async () => {
  const log: string[] = [];
  await assert.rejects(run("sh", ["-c", "echo one; echo two >&2; exit 3"], { log }), /failed \(3\):\s+one\s+two/);
  assert.match(log.join(""), /one\ntwo/);
});

Deno.test("runModule() runs in a checkout whose path has a space", async () => {
  const folder = await Deno.makeTempDir({ prefix: "a space " });
  await Deno.mkdir(`${folder}/src/setup`, { recursive: true });
  await Deno.copyFile(new URL("../../src/setup/commands.ts", import.meta.url), `${folder}/src/setup/commands.ts`);
  await Deno.writeTextFile(`${folder}/deno.json`, "{}");
  await Deno.writeTextFile(`${folder}/src/setup/hello.ts`, "if (import.meta.main) console.log('hello');");
  const { runModule: there } = await import(
    new URL(`file://${encodeURI(folder)}/src/setup/commands.ts`).href
  ) as { runModule: typeof runModule };
  assert.equal(await there(new URL(`file://${encodeURI(folder)}/src/setup/hello.ts`).href), "hello");
  await Deno.remove(folder, { recursive: true });
});
