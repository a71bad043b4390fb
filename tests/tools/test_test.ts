import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { counts, filesOf, testFiles } from "../../tools/test.ts";

const TOOL = fileURLToPath(new URL("../../tools/test.ts", import.meta.url));

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  return folder;
}

Deno.test("testFiles() finds the files that deno test finds, without the excluded ones", async () => {
  const folder = await folderWith({
    "b/one_test.ts": "",
    "a_test.ts": "",
    "b/c/test.ts": "",
    "help.ts": "",
    "d/x_test.ts": "",
  });
  assert.deepEqual(
    testFiles(`${folder}/`, [`${folder}/d`]).map((path) => path.slice(folder.length)),
    ["/a_test.ts", "/b/c/test.ts", "/b/one_test.ts"],
  );
});

Deno.test("counts() reads the last line of deno test, and returns zeros without one", () => {
  const output =
    "ok | 9 passed | 0 failed (1s)\nFAILED | 12 passed | 3 failed | 45 ignored (2s)\n\nerror: Test failed\n";
  assert.deepEqual(counts(output), { passed: 12, failed: 3, ignored: 45 });
  assert.deepEqual(counts("Segmentation fault"), { passed: 0, failed: 0, ignored: 0 });
});

Deno.test("deno task test fails if a file fails or its process dies, and names the file", async () => {
  const folder = await folderWith({
    "good_test.ts": `Deno.test("good", () => {});`,
    "bad_test.ts": `Deno.test("bad", () => { throw new Error("bad"); });`,
    "dead_test.ts": `Deno.test("dead", () => Deno.kill(Deno.pid, "SIGKILL"));`,
  });
  const run = async (...paths: string[]) => {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", TOOL, ...paths] }).output();
    return { code, out: new TextDecoder().decode(stdout) };
  };
  const { code, out } = await run(folder);
  assert.equal(code, 1);
  assert.match(out, /failed: .*bad_test\.ts\n/);
  assert.match(out, /failed: .*dead_test\.ts\n/);
  assert.match(out, /\nFAILED \| 3 files \| 1 passed \| 1 failed \| 0 ignored/);
  assert.equal((await run(`${folder}/good_test.ts`)).code, 0);
});

Deno.test("deno task test --watch runs the tests again when one of their modules changes", async () => {
  const program = (name: string) => `Deno.test(${JSON.stringify(name)}, () => {});`;
  const folder = await folderWith({ "a_test.ts": program("before") });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", TOOL, folder, "--watch", "--no-lock"],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (/after \.\.\. ok[^]*1 passed/.test(output)) break;
    if (/before \.\.\. ok[^]*1 passed/.test(output)) await Deno.writeTextFile(`${folder}/a_test.ts`, program("after"));
  }
  child.kill("SIGTERM");
  await child.status;
});

Deno.test("filesOf() leaves out what --except names, and refuses what is not there", async () => {
  const folder = await folderWith({ "a/one_test.ts": "", "b/two_test.ts": "", "b/three_test.ts": "" });
  assert.deepEqual(filesOf(["--except", `${folder}/a/`, "--except", `${folder}/b/two_test.ts`, folder]), [
    `${folder}/b/three_test.ts`,
  ]);
  assert.throws(() => filesOf(["--except", `${folder}/c`, folder]), Deno.errors.NotFound);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("deno task test runs a file again, once, when an assertion of the mock cluster has ended its process", async () => {
  const folder = await folderWith({ "once_test.ts": "", "always_test.ts": "" });
  const dying = (condition: string) =>
    `Deno.test("dies", () => {
      if (!(${condition})) return;
      console.error("deno: rdkafka_mock_cgrp.c:603: rd_kafka_mock_cgrp_classic_member_add: Assertion \`!member->resp' failed.");
      Deno.kill(Deno.pid, "SIGABRT");
    });`;
  const seen = `try { Deno.mkdirSync("${folder}/seen"); return true; } catch { return false; }`;
  await Deno.writeTextFile(`${folder}/once_test.ts`, dying(`(() => { ${seen} })()`));
  await Deno.writeTextFile(`${folder}/always_test.ts`, dying("true"));
  const { code, stdout } = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", TOOL, folder] }).output();
  const out = new TextDecoder().decode(stdout);
  assert.equal(code, 1);
  assert.equal(out.match(/_test\.ts: the mock cluster ended the process \(rdkafka_mock_cgrp\.c:603/g)?.length, 2);
  assert.match(out, /failed: .*always_test\.ts\nFAILED \| 2 files \| 1 passed/);
});
