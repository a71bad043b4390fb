import assert from "node:assert/strict";
import fc from "fast-check";
import { Cache, sse } from "@slipstream/slipstream";
import { noBrowser, startChromium } from "../support/chromium.ts";
import { SEED } from "../support/seed.ts";

const PAGE = `<!doctype html><script>
const [seen, source] = [[], new EventSource("/updates")];
let opened = 0;
source.onopen = () => opened++;
source.onmessage = ({ data, lastEventId }) => seen.push([Number(lastEventId.split("-")[1]), ...JSON.parse(data)]);
</script>`;

/** Serves a Cache until it is closed. `drop()` ends the open connections. */
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
  name: `an EventSource in Chromium gets each update once, whatever connection is cut${noBrowser.reason}`,
  ignore: noBrowser.ignore,
  fn: async () => {
    const path = `${await Deno.makeTempDir()}/cache`;
    const log = { limit: 10_000 };
    const texts = fc.sample(fc.string({ unit: "binary" }), { seed: SEED, numRuns: 100 })
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
      // The browser stays, and reconnects to the next server.
      await cache.close();
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
    await cache.close();
    await browser.close();
    await server.shutdown();
  },
});

Deno.test({
  name:
    `two pages in Chromium: closing the Cache and then the server ends both streams, and the server alone waits for them${noBrowser.reason}`,
  ignore: noBrowser.ignore,
  fn: async () => {
    await using browser = await startChromium();
    const pages = await Promise.all([browser.newPage(), browser.newPage()]);
    /** Opens both pages on a new server, and waits until each has read one update. */
    const open = async (cache: Cache<unknown>) => {
      let open = 0;
      const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
        if (new URL(request.url).pathname !== "/updates") {
          return new Response(PAGE, { headers: { "content-type": "text/html" } });
        }
        open++;
        const { body, headers } = sse(cache, { request, retryMs: 60_000 });
        const counted = new TransformStream<Uint8Array, Uint8Array>({ flush: () => void open-- });
        return new Response(body!.pipeThrough(counted), { headers });
      });
      for (const page of pages) await page.goto(`http://127.0.0.1:${server.addr.port}/`);
      for (const page of pages) await page.waitForFunction("opened === 1", undefined, { polling: 20 });
      await cache.emit("n", 1);
      for (const page of pages) await page.waitForFunction("seen.length === 1", undefined, { polling: 20 });
      return { server, streams: () => open };
    };
    {
      const cache = new Cache<unknown>(":memory:", { log: { limit: 100 } });
      const { server, streams } = await open(cache);
      assert.equal(streams(), 2);
      await cache.close();
      await server.shutdown();
      assert.equal(streams(), 0);
      // Both pages have lost the connection, and wait before they reconnect.
      for (const page of pages) await page.waitForFunction("source.readyState === 0", undefined, { polling: 20 });
    }
    {
      const cache = new Cache<unknown>(":memory:", { log: { limit: 100 } });
      const { server, streams } = await open(cache);
      let isShutDown = false;
      const shutdown = server.shutdown().then(() => isShutDown = true);
      // The pages go on reading while the server waits for them.
      await cache.emit("n", 2);
      for (const page of pages) await page.waitForFunction("seen.length === 2", undefined, { polling: 20 });
      assert.deepEqual([isShutDown, streams()], [false, 2]);
      await cache.close();
      await shutdown;
      assert.equal(streams(), 0);
    }
    await browser.close();
  },
});

const STOCK_PAGE = `<!doctype html><script>
const [stock, events, source] = [{}, [], new EventSource("/updates")];
source.onmessage = ({ data }) => {
  const [[, name], count] = JSON.parse(data);
  if (count === null) delete stock[name];
  else stock[name] = count;
};
source.addEventListener("snapshot", () => {
  events.push("snapshot");
  for (const name of Object.keys(stock)) delete stock[name];
});
source.addEventListener("gap", ({ data }) => events.push("gap " + JSON.parse(data).reason));
source.addEventListener("live", () => events.push("live"));
</script>`;

Deno.test({
  name:
    `pages in Chromium show the entries of a Cache, at first and after each gap, and resume where they were${noBrowser.reason}`,
  ignore: noBrowser.ignore,
  fn: async () => {
    const path = `${await Deno.makeTempDir()}/cache`;
    const log = { limit: 5 };
    const start = (cache: Cache<number>, port = 0) =>
      Deno.serve(
        { port, hostname: "127.0.0.1", onListen() {} },
        (request) =>
          new URL(request.url).pathname === "/updates"
            ? sse(cache, { request, snapshot: true, prefix: "stock", retryMs: 20 })
            : new Response(STOCK_PAGE, { headers: { "content-type": "text/html" } }),
      );
    await using browser = await startChromium();
    const pages = await Promise.all([browser.newPage(), browser.newPage()]);
    /** Waits until every page shows this stock and has got these events. */
    const shown = (stock: Record<string, number>, ...events: string[]) =>
      Promise.all(pages.map((page) =>
        page.waitForFunction(
          `JSON.stringify([Object.entries(stock).sort(), events]) ===
            ${JSON.stringify(JSON.stringify([Object.entries(stock).sort(), events]))}`,
          undefined,
          { polling: 20 },
        ).catch(async (error) => {
          throw new Error(`a page shows ${JSON.stringify(await page.evaluate("[stock, events]"))}`, { cause: error });
        })
      ));
    let port: number;
    {
      await using cache = new Cache<number>(path, { log });
      await cache.set(["stock", "fish"], 1);
      await cache.emit(["stock", "soup"], 2);
      await cache.emit(["orders", "1"], 3);
      const server = start(cache);
      port = server.addr.port;
      for (const page of pages) await page.goto(`http://127.0.0.1:${port}/`);
      await shown({ fish: 1, soup: 2 }, "snapshot", "live");
      await cache.emit(["stock", "soup"], 3);
      await cache.emit(["stock", "bread"], 1);
      await shown({ bread: 1, fish: 1, soup: 3 }, "snapshot", "live");
      // In between, the pages reconnect to a Cache that is closed, and go on trying.
      await cache.close();
      await new Promise((resolve) => setTimeout(resolve, 100));
      await server.shutdown();
    }
    {
      await using cache = new Cache<number>(path, { log });
      await cache.emit(["stock", "fish"], 4);
      const server = start(cache, port);
      await shown({ bread: 1, fish: 4, soup: 3 }, "snapshot", "live", "live");
      await cache.close();
      await server.shutdown();
    }
    {
      await using cache = new Cache<number>(path, { log });
      for (let n = 0; n < 10; n++) await cache.emit(["orders", `${n}`], n);
      await cache.transaction(["stock", "bread"], (tx) => tx.delete(["stock", "bread"]));
      const server = start(cache, port);
      const events = ["snapshot", "live", "live", "gap trimmed", "snapshot", "live"];
      await shown({ fish: 4, soup: 3 }, ...events);
      await cache.close();
      await server.shutdown();
      // Another log at the same path.
      await Deno.remove(path);
      await using other = new Cache<number>(path, { log });
      await other.emit(["stock", "cake"], 1);
      const next = start(other, port);
      await shown({ cake: 1 }, ...events, "gap other-log", "snapshot", "live");
      await other.close();
      await browser.close();
      await next.shutdown();
    }
  },
});
