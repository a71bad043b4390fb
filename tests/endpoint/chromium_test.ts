import assert from "node:assert/strict";
import fc from "fast-check";
import { Cache, sse } from "@slipstream/slipstream";
import { noBrowser, startChromium } from "./chromium.ts";

const PAGE = `<!doctype html><script>
const [seen, source] = [[], new EventSource("/updates")];
let opened = 0;
source.onopen = () => opened++;
source.onmessage = ({ data, lastEventId }) => seen.push([Number(lastEventId.split("-")[1]), ...JSON.parse(data)]);
</script>`;

/** Serves a Cache until it is closed; `drop` ends the connections that there are. */
function serve(cache: Cache<unknown>, port = 0) {
  let dropping = new AbortController();
  const server = Deno.serve({ port, hostname: "127.0.0.1", onListen() {} }, (request) => {
    if (new URL(request.url).pathname === "/updates") {
      return sse(cache, { request, retryMs: 20, signal: dropping.signal });
    }
    return new Response(PAGE, { headers: { "content-type": "text/html" } });
  });
  return {
    server,
    port: server.addr.port,
    drop() {
      dropping.abort();
      dropping = new AbortController();
    },
  };
}

Deno.test({
  name: `an EventSource in Chromium misses nothing and sees nothing twice, whatever is cut${noBrowser.reason}`,
  ignore: noBrowser.ignore,
  fn: async () => {
    const path = `${await Deno.makeTempDir()}/cache`;
    const log = { limit: 10_000 };
    const texts = fc.sample(fc.string({ unit: "binary" }), 100)
      .concat("\n", "\r", "\r\n\r\ndata: forged", "\0", "\ufeff", "id: 9\nevent: x\n\n", "\u2028", "\ud800");
    const expected: unknown[] = [];
    const emit = async (cache: Cache<unknown>) => {
      const emitted = texts.map((text) => {
        expected.push([expected.length + 1, ["key", text.toWellFormed()], text]);
        return cache.emit(["key", text.toWellFormed()], text);
      });
      await Promise.all(emitted);
    };
    await using browser = await startChromium();
    const page = await browser.newPage();
    // deno-lint-ignore no-explicit-any -- the page's own variables
    const inPage = () => page.evaluate("({ seen, opened })") as Promise<any>;
    const caughtUp = () => page.waitForFunction(`seen.length >= ${expected.length}`, undefined, { polling: 20 });
    let port: number;
    {
      await using cache = new Cache<unknown>(path, { log });
      const { server, drop, ...at } = serve(cache);
      port = at.port;
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.waitForFunction("opened === 1", undefined, { polling: 20 });
      await emit(cache);
      await caughtUp();
      for (let times = 0; times < 3; times++) {
        const emitting = emit(cache);
        drop();
        await emitting;
      }
      await caughtUp();
      // The browser is still there; nobody tells it, and it comes back.
      await server.shutdown();
    }
    await using cache = new Cache<unknown>(path, { log });
    await emit(cache);
    const { server } = serve(cache, port);
    await emit(cache);
    await caughtUp();
    const { seen, opened } = await inPage();
    assert.deepEqual(seen, expected);
    assert.ok(opened >= 3, `${opened}`);
    await browser.close();
    await server.shutdown();
  },
});
