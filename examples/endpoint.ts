// What a handler puts into a Cache, live in a browser, by Server-Sent Events.
//
// Run:    deno run -A examples/endpoint.ts [PORT]   (8000); open the address; Ctrl-C ends it
// Prints: the address, then each update
import { Cache, handle, sse, stream, timer } from "@slipstream/slipstream";

const cache = new Cache<string>(":memory:", { log: { limit: 100 } });

handle(timer(1000), { sink: [cache, console.log] }, async function* ({ time }) {
  yield ["time", new Date(time).toTimeString().slice(0, 8)];
});

const PAGE = `<!doctype html><title>Time</title><h1></h1><script>
new EventSource("/updates").onmessage = ({ data }) => document.querySelector("h1").textContent = JSON.parse(data)[1];
</script>`;

const server = Deno.serve(
  {
    port: Number(Deno.args[0] ?? 8000),
    onListen: ({ port }) => console.log(`http://localhost:${port}`),
  },
  (request) =>
    new URL(request.url).pathname === "/updates"
      ? sse(cache, { request, snapshot: true })
      : new Response(PAGE, { headers: { "content-type": "text/html" } }),
);

await stream(); // until Ctrl-C
await cache.close(); // ends the responses that read it
await server.shutdown();
