import assert from "node:assert/strict";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import fc from "fast-check";
import { Hono } from "hono";
import { Cache, sse } from "@slipstream/slipstream";

/** The events of a response, read by somebody else's parser, until there are as many as wanted. */
async function read(response: Response, count = Infinity): Promise<EventSourceMessage[]> {
  const events: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onError: (error) => {
      throw error;
    },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let some = await reader.read(); !some.done && events.length < count; some = await reader.read()) {
    parser.feed(some.value);
    if (events.length >= count) break;
  }
  await reader.cancel();
  return events;
}

const HOSTILE = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom(
      "\n",
      "\r",
      "\r\n",
      "data: x",
      "id: 1",
      "event: e",
      ":",
      " ",
      "\0",
      "\ufeff",
      "retry: 1",
      "\u2028",
    ),
  }),
);

Deno.test("sse() lets nothing in data, names or ids forge a field or break an event", async () => {
  const hostile = fc.sample(HOSTILE, 2000);
  const events = await read(sse(hostile, { event: (text) => text, id: (text) => text }));
  // What the parser takes for an event's name or id never has a line break; the data comes back, breaks as LF.
  assert.equal(events.length, 2000);
  for (const [n, text] of hostile.entries()) {
    const whole = text.toWellFormed();
    assert.equal(events[n]!.data, whole.replace(/\r\n|\r/g, "\n"));
    const line = whole.replace(/[\r\n\0]/g, "");
    assert.equal(events[n]!.event ?? "", line);
    assert.equal(events[n]!.id ?? "", line);
  }
});

Deno.test("sse() takes a message when the client takes it, and cancels the source when it goes", async () => {
  const log: string[] = [];
  async function* source() {
    try {
      for (let n = 0;; n++) {
        log.push(`${n}`);
        yield n;
      }
    } finally {
      log.push("ended");
    }
  }
  const reader = sse(source()).body!.getReader();
  for (let n = 0; n < 3; n++) await reader.read();
  assert.deepEqual(log, ["0", "1"]);
  await reader.cancel();
  await Promise.resolve();
  assert.deepEqual(log, ["0", "1", "ended"]);
});

Deno.test("sse() sends comments while nothing comes, and the time to wait before a new connection", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  async function* source() {
    yield await promise;
  }
  const reader = sse(source(), { keepAliveMs: 5, retryMs: 300 }).body!.pipeThrough(new TextDecoderStream()).getReader();
  const text = async () => (await reader.read()).value;
  assert.deepEqual([await text(), await text(), await text()], ["retry: 300\n\n", ":\n\n", ":\n\n"]);
  resolve("late");
  let found = await text();
  while (found === ":\n\n") found = await text();
  assert.equal(found, "data: late\n\n");
  assert.equal(await text(), undefined);
});

Deno.test("sse() ends with its signals, even one that has aborted already", async () => {
  await using cache = new Cache<number>(":memory:");
  const stop = new AbortController();
  const reading = sse(cache, { signal: stop.signal }).text();
  const request = new Request("http://localhost", { signal: AbortSignal.abort() });
  assert.equal(await sse(cache, { request }).text(), "");
  await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  assert.equal(await reading, ":\n\n");
  assert.throws(() => sse([], { keepAliveMs: 0 }), RangeError);
});

/** Serves a Cache until the test is over; what `fetch` is to a browser, with the last id it has seen. */
function serve(cache: Cache<number>, port = 0) {
  const stop = new AbortController();
  const app = new Hono().get("/updates", (c) => sse(cache, { request: c.req.raw, signal: stop.signal }));
  const server = Deno.serve({ port, onListen() {} }, app.fetch);
  return {
    port: server.addr.port,
    async close() {
      stop.abort();
      await server.shutdown();
    },
  };
}

async function connect(port: number, last: number | undefined, count: number): Promise<EventSourceMessage[]> {
  const headers: Record<string, string> = last === undefined ? {} : { "last-event-id": `${last}` };
  return await read(await fetch(`http://localhost:${port}/updates`, { headers }), count);
}

Deno.test("sse() under Hono resumes without a gap or a duplicate, across disconnects and a new server", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
  const log = { limit: 1000 };
  const seen: EventSourceMessage[] = [];
  let emitted = 0;
  let last: number | undefined = 0;
  for (let life = 0; life < 2; life++) {
    const cache = new Cache<number>(path, { log });
    const server = serve(cache);
    for (let connection = 0; connection < 5; connection++) {
      const emitting = Promise.all(Array.from({ length: 30 }, () => cache.emit("n", ++emitted)));
      // In the middle of things.
      const events = await connect(server.port, last, 17);
      seen.push(...events);
      last = Number(events.at(-1)!.id);
      await emitting;
    }
    await server.close();
    await cache.close();
  }
  // A chunk may carry more events than were waited for; a client has seen those too.
  assert.ok(seen.length >= 170);
  const expected = Array.from(seen, (_, n) => [n + 1, ["n", n + 1]]);
  assert.deepEqual(seen.map(({ id, data }) => [Number(id), JSON.parse(data)]), expected);
});

Deno.test("shutdown() does not hang on sse() once the Cache is closed, and a client's end frees the reader", async () => {
  const cache = new Cache<number>(":memory:");
  const server = Deno.serve({ port: 0, onListen() {} }, (request) => sse(cache, { request }));
  const response = await fetch(`http://localhost:${server.addr.port}/`);
  const reader = response.body!.getReader();
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  await reader.read();
  const rest = Array.fromAsync({
    [Symbol.asyncIterator]: () => ({ next: () => reader.read() as Promise<IteratorResult<Uint8Array>> }),
  });
  await cache.close();
  await server.shutdown();
  assert.deepEqual(await rest, []);
});
