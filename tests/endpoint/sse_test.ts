import assert from "node:assert/strict";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import fc from "fast-check";
import { Hono } from "hono";
import { Cache, type CacheUpdate, sse, type SseOptions } from "@slipstream/slipstream";
import { SEED } from "../support/seed.ts";

/** Reads a number of events of a response, with a parser that is not ours. */
async function read(response: Response, count = Infinity): Promise<EventSourceMessage[]> {
  const events: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onError: (error) => {
      throw error;
    },
  });
  // Deno 2.9's decoder drops a byte order mark at the start of any chunk, as long as only ASCII came before it.
  const decoded = response.body!.pipeThrough(new TextDecoderStream("utf-8", { ignoreBOM: true }));
  const reader = decoded.getReader();
  for (let some = await reader.read(); !some.done && events.length < count; some = await reader.read()) {
    parser.feed(some.value);
    if (events.length >= count) break;
  }
  await reader.cancel();
  return events;
}

/** The events that `onmessage` would get. */
const messages = (events: EventSourceMessage[]) => events.filter(({ event }) => event === undefined);
/** The number of the update that an id names. */
const numberOf = (id: string | undefined) => Number(id?.split("-")[1]);
const LIVE = "event: live\ndata: {}\n\n";

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

Deno.test("nothing in the data, name or id of an event can add a field or end the event", async () => {
  const hostile = fc.sample(HOSTILE, { seed: SEED, numRuns: 2000 });
  const events = await read(sse(hostile, { event: (text) => text, id: (text) => text }));
  // The parsed name and id never have a line break. The parsed data is the original, with LF for each line break.
  assert.equal(events.length, 2000);
  for (const [n, text] of hostile.entries()) {
    const whole = text.toWellFormed();
    assert.equal(events[n]!.data, whole.replace(/\r\n|\r/g, "\n"));
    const line = whole.replace(/[\r\n\0]/g, "");
    assert.equal(events[n]!.event ?? "", line);
    assert.equal(events[n]!.id ?? "", line);
  }
});

Deno.test("sse() reads a message when the client takes it, and cancels the source when the client leaves", async () => {
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

Deno.test("sse() sends retryMs at the start, and comments while there is no message", async () => {
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

Deno.test("sse() ends when its signal aborts, also if it has aborted before", async () => {
  await using cache = new Cache<number>(":memory:");
  const stop = new AbortController();
  const reading = sse(cache, { signal: stop.signal }).text();
  assert.equal(await sse(cache, { signal: AbortSignal.abort() }).text(), "");
  await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  assert.ok([":\n\n", `:\n\n${LIVE}`].includes(await reading));
  assert.throws(() => sse([], { keepAliveMs: 0 }), TypeError);
});

/** Serves a Cache under Hono. */
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

async function connect(port: number, last: string | undefined, count: number): Promise<EventSourceMessage[]> {
  const headers: Record<string, string> = last === undefined ? {} : { "last-event-id": last };
  return await read(await fetch(`http://localhost:${port}/updates`, { headers }), count);
}

Deno.test("sse() under Hono resumes without a gap or a duplicate, after disconnects and on a new server", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
  const log = { limit: 1000 };
  const seen: EventSourceMessage[] = [];
  let emitted = 0;
  let last: string | undefined;
  for (let life = 0; life < 2; life++) {
    const cache = new Cache<number>(path, { log });
    const server = serve(cache);
    // The first event of a new client has an id too.
    if (life === 0) last = (await connect(server.port, undefined, 1))[0]!.id!;
    for (let connection = 0; connection < 5; connection++) {
      const emitting = Promise.all(Array.from({ length: 30 }, () => cache.emit("n", ++emitted)));
      // While updates are being emitted.
      const events = await connect(server.port, last, 17);
      seen.push(...messages(events));
      last = events.at(-1)!.id!;
      await emitting;
    }
    await server.close();
    await cache.close();
  }
  // A chunk may hold more events than the test waits for. The client has read those too.
  assert.ok(seen.length >= 160);
  const expected = Array.from(seen, (_, n) => [n + 1, ["n", n + 1]]);
  assert.deepEqual(seen.map(({ id, data }) => [numberOf(id), JSON.parse(data)]), expected);
});

Deno.test("no key or value of a Cache breaks the event stream, however it is split on its way", async () => {
  await using cache = new Cache<unknown>(":memory:", { log: { limit: 5000 } });
  const texts = fc.sample(HOSTILE, { seed: SEED, numRuns: 2000 });
  const beginning = (await read(sse(cache), 1))[0]!.id!;
  for (const text of texts) void cache.emit(["k", text.toWellFormed()], text);
  const circle: Record<string, unknown> = {
    n: 1n,
    map: new Map<unknown, unknown>([["a", new Set([new Uint8Array([1])])]]),
  };
  circle.self = circle;
  let deep: unknown = 0;
  for (let n = 0; n < 1500; n++) deep = [deep];
  await Promise.all([cache.emit("circle", circle), cache.emit("deep", deep), cache.emit(new Uint8Array([1]), -0)]);
  const pieces = new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
    },
  });
  const response = sse(cache, {
    request: new Request("http://localhost", { headers: { "last-event-id": beginning } }),
  });
  const all = await read(new Response(response.body!.pipeThrough(pieces)), 2004);
  assert.deepEqual(all.filter(({ event }) => event !== undefined).map(({ event }) => event), ["live"]);
  const events = messages(all);
  assert.deepEqual(events.map(({ id }) => numberOf(id)), Array.from(events, (_, n) => n + 1));
  for (const [n, text] of texts.entries()) {
    assert.deepEqual(JSON.parse(events[n]!.data), [["k", text.toWellFormed()], text]);
  }
  const rest = events.slice(2000).map(({ data }) => JSON.parse(data));
  assert.deepEqual(rest[0], ["circle", { n: "1", map: [["a", [[1]]]], self: null }]);
  assert.match(JSON.stringify(rest[1]), /^\["deep",\[+(0|null)\]+$/);
  assert.deepEqual(rest[2], [[1], 0]);
});

/** A server on a free port, and three clients that have each read the start of a response. */
async function withClients(handler: (request: Request) => Response | Promise<Response>, options: object = {}) {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {}, ...options }, handler);
  const clients = await Promise.all(Array.from({ length: 3 }, async () => {
    const abort = new AbortController();
    const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, { signal: abort.signal });
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const reader = response.body!.getReader();
    await reader.read();
    return { reader, abort };
  }));
  const ends = async () => {
    for (const { reader } of clients) while (!(await reader.read()).done);
  };
  return { server, clients, ends };
}

Deno.test("cache.close() and then server.shutdown() end every response of sse()", async () => {
  const hono = (cache: Cache<number>) =>
    new Hono().get("/", async (c) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return sse(cache, { request: c.req.raw });
    }).fetch;
  const handlers = [
    (cache: Cache<number>) => (request: Request) => sse(cache, { request }),
    (cache: Cache<number>) => () => sse(cache),
    hono,
  ];
  for (const handlerOf of handlers) {
    const cache = new Cache<number>(":memory:");
    const { server, ends } = await withClients(handlerOf(cache));
    await cache.close();
    await server.shutdown();
    await ends();
  }
});

Deno.test("server.shutdown() waits for the responses of sse() until their signal aborts", async () => {
  await using cache = new Cache<number>(":memory:");
  const stop = new AbortController();
  const { server, clients, ends } = await withClients((request) => sse(cache, { request, signal: stop.signal }));
  let isShutDown = false;
  const shutdown = server.shutdown().then(() => isShutDown = true);
  // The responses go on.
  const all = async (expected: string) => {
    for (const { reader } of clients) {
      for (let text = ""; !text.includes(expected);) text += new TextDecoder().decode((await reader.read()).value);
    }
  };
  await all(LIVE);
  await cache.emit("a", 1);
  await all('data: ["a",1]');
  assert.equal(isShutDown, false);
  stop.abort();
  await shutdown;
  await ends();
});

Deno.test("importing the module leaves Deno.serve as it is", async () => {
  const script = `
    const { serve } = Deno;
    await import(${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)});
    console.log(Deno.serve === serve);`;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", `--config=${config}`, script] }).output();
  assert.equal(new TextDecoder().decode(stdout), "true\n");
});

Deno.test("sse() ends when the Cache is closed, and is cancelled when the server's signal aborts", async () => {
  const cache = new Cache<number>(":memory:");
  const { server, ends } = await withClients((request) => sse(cache, { request }));
  await cache.close();
  await ends();
  await server.shutdown();
  const log: string[] = [];
  const stop = new AbortController();
  const forced = await withClients(() => sse(silent(log)), { signal: stop.signal });
  stop.abort();
  await forced.server.finished;
  for (const { reader } of forced.clients) await reader.read().catch(() => {});
  while (log.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
});

/** A stream without messages that logs its cancel. */
function silent(log: string[]): ReadableStream<string> {
  return new ReadableStream({ cancel: () => void log.push("cancelled") });
}

Deno.test("sse() cancels its source as soon as the client leaves, also while there is nothing to send", async () => {
  const log: string[] = [];
  const { server, clients } = await withClients((request) => sse(silent(log), { request }));
  for (const [left, { abort, reader }] of clients.entries()) {
    abort.abort();
    await assert.rejects(reader.read());
    while (log.length === left) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(log.length, left + 1);
  }
  await server.shutdown();
});

Deno.test("deno serve stops at SIGTERM while clients read from sse() if the program closes the Cache, without a warning", async () => {
  const file = `${await Deno.makeTempDir()}/server.ts`;
  const mod = new URL("../../mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    file,
    `import { Cache, sse } from ${JSON.stringify(mod)};
    const cache = new Cache(":memory:");
    // At SIGTERM deno serve waits for all responses.
    Deno.addSignalListener("SIGTERM", () => void cache.close());
    export default { fetch: (request: Request) => sse(cache, { request }) } satisfies Deno.ServeDefaultExport;`,
  );
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["serve", "-A", `--config=${config}`, "--host=127.0.0.1", "--port=0", file],
    stderr: "piped",
    stdout: "null",
  }).spawn();
  let said = "";
  const listening = Promise.withResolvers<string>();
  const saying = (async () => {
    for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      const at = /http:\/\/\S+:\d+/.exec(said);
      if (at) listening.resolve(at[0]);
    }
  })();
  const response = await fetch(await listening.promise);
  const reader = response.body!.getReader();
  await reader.read();
  process.kill("SIGTERM");
  await process.status;
  await saying;
  while (!(await reader.read()).done);
  assert.doesNotMatch(said, /abort/);
});

/** The events that a client gets up to the event "live". */
async function untilLive(cache: Cache<number>, options: SseOptions<CacheUpdate<number>> = {}, last?: string) {
  const headers: HeadersInit = last === undefined ? {} : { "last-event-id": last };
  const events: EventSourceMessage[] = [];
  const reading = new AbortController();
  const parser = createParser({
    onEvent(event) {
      events.push(event);
      if (event.event === "live") reading.abort();
    },
  });
  const request = new Request("http://localhost", { headers });
  const response = sse(cache, { ...options, request, signal: reading.signal });
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) parser.feed(text);
  return events;
}

const short = ({ event, data }: EventSourceMessage) => [event ?? "message", JSON.parse(data)];

Deno.test("sse() sends entries to a new client and after a gap, and only updates to a client that resumes", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
  const log = { limit: 4 };
  const options = { snapshot: true, prefix: "stock" };
  let last: string;
  {
    await using cache = new Cache<number>(path, { log });
    await cache.set(["stock", "fish"], 1);
    await cache.emit(["stock", "soup"], 2);
    await cache.emit(["orders", 1], 3);
    const events = await untilLive(cache, options);
    const expected = [["snapshot", {}], ["message", [["stock", "fish"], 1]], ["message", [["stock", "soup"], 2]]];
    assert.deepEqual(events.map(short), [...expected, ["live", {}]]);
    assert.deepEqual(events.map(({ id }) => id === undefined), [true, true, true, false]);
    last = events.at(-1)!.id!;
    await cache.emit(["stock", "fish"], 5);
  }
  await using cache = new Cache<number>(path, { log });
  const fish = ["message", [["stock", "fish"], 5]];
  assert.deepEqual((await untilLive(cache, options, last)).map(short), [fish, ["live", {}]]);
  for (let n = 0; n < 4; n++) await cache.emit(["orders", n], n);
  const gap = [["gap", { reason: "trimmed" }], ["snapshot", {}], fish, ["message", [["stock", "soup"], 2]], [
    "live",
    {},
  ]];
  assert.deepEqual((await untilLive(cache, options, last)).map(short), gap);
  await using other = new Cache<number>(path, { log, prefix: "other" });
  await other.emit(["stock", "fish"], 7);
  const events = [["gap", { reason: "other-log" }], ["message", [["stock", "fish"], 7]], ["live", {}]];
  assert.deepEqual((await untilLive(other, {}, last)).map(short), events);
});

Deno.test("sse() with ids of the program's own does not resume", async () => {
  await using cache = new Cache<number>(":memory:", { log: { limit: 10 } });
  await cache.emit("a", 1);
  const [live] = await untilLive(cache);
  const options = { id: ([key]: CacheUpdate<number>) => `own ${key}` };
  assert.deepEqual((await untilLive(cache, options, live!.id!)).map(({ id, event }) => [id, event]), [[
    undefined,
    "live",
  ]]);
  const events = await untilLive(cache, { ...options, snapshot: true }, "own a");
  assert.deepEqual(events.map(({ id, event }) => [id, event]), [
    [undefined, "snapshot"],
    ["own a", undefined],
    [undefined, "live"],
  ]);
});

/** A process that serves a Cache on a shared file, and emits what is posted to it. */
async function serveElsewhere(path: string) {
  const script = `
    const { Cache, sse } = await import(${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)});
    const cache = new Cache(${JSON.stringify(path)}, { shared: true, log: { limit: 1000 } });
    await cache.has("open");
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(port) }, async (request) => {
      if (request.method === "GET") return sse(cache, { request });
      await cache.emit("n", Number(await request.text()));
      return new Response();
    });`;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", `--config=${config}`, script],
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const port = Number(new TextDecoder().decode((await reader.read()).value));
  return {
    port,
    emit: async (n: number) => {
      await (await fetch(`http://127.0.0.1:${port}`, { method: "POST", body: `${n}` })).body?.cancel();
    },
    end: async () => {
      process.kill();
      await process.status;
      await reader.cancel();
    },
  };
}

Deno.test("two clients get each update once, whichever of two processes on one file they connect to", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
  const servers = await Promise.all([serveElsewhere(path), serveElsewhere(path)]);
  /** A client that connects to the servers alternately, each time until it has read one more update. */
  const client = async (first: number) => {
    const seen: unknown[] = [];
    let last: string | undefined;
    for (let turn = first; seen.length < 20; turn++) {
      const headers: HeadersInit = last === undefined ? {} : { "last-event-id": last };
      const response = await fetch(`http://127.0.0.1:${servers[turn % 2]!.port}`, { headers });
      // The first response begins with "live" and an id. Each of the others has one update at least.
      const events = await read(response, last === undefined ? 1 : 2);
      seen.push(...messages(events).map(({ data }) => JSON.parse(data)[1]));
      last = events.at(-1)!.id!;
      if (turn === first) ready.resolve();
    }
    return seen;
  };
  const ready = Promise.withResolvers<void>();
  const clients = [client(0), client(1)];
  await ready.promise;
  await new Promise((resolve) => setTimeout(resolve, 500)); // both have an id by now
  for (let n = 0; n < 20; n++) {
    await servers[n % 3 === 0 ? 0 : 1]!.emit(n);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  try {
    for (const seen of await Promise.all(clients)) assert.deepEqual(seen, Array.from({ length: 20 }, (_, n) => n));
  } finally {
    await Promise.all(servers.map(({ end }) => end()));
  }
});

Deno.test("sse() refuses wrong sources before it returns a response", async () => {
  assert.throws(() => sse(["a"], { snapshot: true }), /for a Cache/);
  assert.throws(() => sse(new ReadableStream(), { prefix: "a" }), /for a Cache/);
  const locked = new ReadableStream<string>();
  locked.getReader();
  assert.throws(() => sse(locked), TypeError);
  const cache = new Cache<number>(":memory:");
  await cache.close();
  // Not an error status, after which an EventSource would never reconnect: the server may be restarted soon.
  assert.equal(await sse(cache, { retryMs: 10 }).text(), "retry: 10\n\n");
});

Deno.test("sse() reports every unknown and wrong option at once", () => {
  assert.throws(() => sse(["a"], { keepAlive: 5, retryMs: -1, snapshot: true } as never), {
    name: "TypeError",
    message: `sse(): 3 problems
  - there is no option "keepAlive": did you mean "keepAliveMs"?
  - retryMs must be a whole number of milliseconds from 1 to 2147483647: got -1
  - snapshot is for a Cache: pass the Cache itself as the source`,
  });
});

Deno.test("sse() refuses a Request in the place of its options, and says where it goes", () => {
  assert.throws(
    () => sse(silent([]), new Request("http://localhost/") as never),
    {
      name: "TypeError",
      message: "sse(): the options must be an object: got a Request; pass it as the option { request }",
    },
  );
});
