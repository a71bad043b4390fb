import assert from "node:assert/strict";
import { noBrowser, startChromium } from "../support/chromium.ts";

/** Starts the example as a user does, and returns the port that it listens on. */
async function start(port = 0) {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", new URL("../../examples/endpoint.ts", import.meta.url).pathname, `${port}`],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let out = "";
  const listening = Promise.withResolvers<number>();
  const reading = (async () => {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      out += text;
      const at = /localhost:(\d+)/.exec(out);
      if (at) listening.resolve(Number(at[1]));
    }
    listening.reject(new Error(out));
  })();
  return {
    port: await listening.promise,
    /** Stops it as Ctrl-C does, and returns what it printed. */
    async stop() {
      process.kill("SIGINT");
      const { code } = await process.status;
      await reading;
      assert.equal(code, 0);
      return out;
    },
  };
}

Deno.test("endpoint.ts streams the time to curl, prints it, and stops while curl listens", async () => {
  const example = await start();
  const at = `http://localhost:${example.port}`;
  assert.match(await (await fetch(at)).text(), /EventSource/);
  const curl = new Deno.Command("curl", {
    args: ["-sSN", "--max-time", "30", "-D", "/dev/stderr", `${at}/updates`],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let streamed = "";
  let printed: string | undefined;
  for await (const text of curl.stdout.pipeThrough(new TextDecoderStream())) {
    streamed += text;
    if (printed === undefined && /^id: [\da-f]+-\d+\ndata: \["time","\d\d:\d\d:\d\d"\]\n\n/m.test(streamed)) {
      printed = await example.stop();
    }
  }
  const { code, stderr } = await curl.output();
  // curl exits with 0 when the response ends, and with 18 when the connection is cut.
  assert.equal(code, 0);
  assert.match(new TextDecoder().decode(stderr), /^content-type: text\/event-stream/m);
  assert.match(printed!, /\[ "time", "\d\d:\d\d:\d\d" \]/);
});

Deno.test({
  name: `endpoint.ts shows the time in Chromium, and again after it was started anew${noBrowser.reason}`,
  ignore: noBrowser.ignore,
  fn: async () => {
    let example = await start();
    await using browser = await startChromium();
    const page = await browser.newPage();
    await page.goto(`http://localhost:${example.port}/`);
    const changed = async (from: string) => {
      await page.waitForFunction(
        `/^\\d\\d:\\d\\d:\\d\\d$/.test(document.querySelector("h1").textContent) &&
          document.querySelector("h1").textContent !== ${JSON.stringify(from)}`,
        undefined,
        { polling: 50 },
      );
      return (await page.textContent("h1"))!;
    };
    const first = await changed(await changed(""));
    await example.stop();
    example = await start(example.port);
    assert.notEqual(await changed(first), first);
    await browser.close();
    await example.stop();
  },
});
