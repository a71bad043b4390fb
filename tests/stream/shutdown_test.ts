import assert from "node:assert/strict";

const MOD = new URL("../../mod.ts", import.meta.url).href;

/** Runs a program and sends it a signal when it prints "ready". */
async function signalled(code: string, signals: readonly Deno.Signal[], args: readonly string[] = []) {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const config = new URL("../../deno.json", import.meta.url).pathname;
  await Deno.writeTextFile(file, `import { handle, stream } from ${JSON.stringify(MOD)};\n${code}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--config", config, ...args, file],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let out = "";
  const reading = (async () => {
    let sent = 0;
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      out += text;
      while (sent < signals.length && out.split("ready").length > sent + 1) child.kill(signals[sent++]!);
    }
  })();
  const errors = new Response(child.stderr).text();
  const { code: status } = await child.status;
  await reading;
  const err = await errors;
  await Deno.remove(file);
  return { status, out, err };
}

const SLOW = `
async function* numbers() { try { for (let n = 0;; n++) yield n; } finally { console.log("source ended"); } }
handle(numbers(), { sink: async () => { await new Promise((r) => setTimeout(r, 300)); console.log("settled"); } }, (n) => {
  if (n === 0) console.log("ready");
  return n;
});
`;

Deno.test("stream() needs no permission, and on SIGTERM finishes the messages that have begun and resolves", async () => {
  const { status, out, err } = await signalled(`${SLOW} await stream(); console.log("after");`, ["SIGTERM"]);
  assert.deepEqual([status, err], [0, ""]);
  assert.match(out, /ready\n(source ended\n)?settled\n(settled\n)?(source ended\n)?after/);
});

Deno.test("stream() exits at once on a second signal", async () => {
  const code = `${
    SLOW.replace("300", "20_000")
  } addEventListener; setTimeout(() => console.log("ready"), 700); await stream();`;
  const { status } = await signalled(code, ["SIGINT", "SIGINT"]);
  assert.equal(status, 130);
});

Deno.test("stream() exits when an end takes longer than shutdownTimeoutMs, and names what is still running", async () => {
  const code = `${SLOW.replace("300", "20_000")} await stream({ shutdownTimeoutMs: 200 });`;
  const { status, err } = await signalled(code, ["SIGTERM"]);
  assert.equal(status, 143);
  assert.match(err, /the run did not end within 200 ms after SIGTERM, and exits: handler: 1 source, 1 sink/);
});

Deno.test("stream() sets no deadline for a shutdownTimeoutMs of Infinity", async () => {
  const code = `${SLOW} await stream({ shutdownTimeoutMs: Infinity }); console.log("after");`;
  const { status, out, err } = await signalled(code, ["SIGTERM"]);
  assert.deepEqual([status, err], [0, ""]);
  assert.match(out, /after/);
});

Deno.test("stream() ends every app that runs on one signal", async () => {
  const code = `import { Slipstream } from ${JSON.stringify(MOD)};
    ${SLOW}
    const other = new Slipstream();
    other.handle((async function* () { try { for (;;) { yield 1; await new Promise((r) => setTimeout(r, 10)); } }
      finally { console.log("other ended"); } })(), () => {});
    await Promise.all([stream(), other.stream()]);
    console.log("after");`;
  const { status, out, err } = await signalled(code, ["SIGTERM"]);
  assert.deepEqual([status, err], [0, ""]);
  assert.match(out, /other ended[^]*after/);
});

Deno.test("stream() keeps no message of an async source after it was handled", async () => {
  const code = `console.log("ready");
    const gc = (globalThis as unknown as { gc(): void }).gc;
    const used = () => (gc(), Deno.memoryUsage().heapUsed);
    let last = 0;
    async function* numbers() { for (let n = 0; n <= 60_000; n++) yield { n, payload: new Array(10).fill(n) }; }
    const first = used();
    handle(numbers(), ({ n }) => { if (n === 60_000) last = used(); });
    await stream();
    console.log("grew " + Math.round((last - first) / 1e6) + " MB");`;
  const { status, out, err } = await signalled(code, [], ["--v8-flags=--expose-gc"]);
  assert.deepEqual([status, err], [0, ""]);
  assert.ok(Number(/grew (-?\d+) MB/.exec(out)?.[1]) <= 5, out);
});

Deno.test("stream() leaves no signal listener behind", async () => {
  const code = `handle([1], () => {}); await stream();
    console.log("ready");
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    console.log("not ended");`;
  const { status, out } = await signalled(code, ["SIGTERM"]);
  assert.deepEqual([status, out], [143, "ready\n"]);
});
