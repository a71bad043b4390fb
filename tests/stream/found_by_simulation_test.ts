/** Faults that `tests/simulation` has found, as small programs. */
import { Slipstream } from "@slipstream/slipstream";
import { scripted, together } from "@slipstream/slipstream/testing";
import { QUIET, turns } from "../support/logged_stream.ts";

function equal(got: unknown, wanted: unknown): void {
  if (JSON.stringify(got) === JSON.stringify(wanted)) return;
  throw new Error(`got ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}

/** A stage that asks for the next message before it emits the one before. */
async function* ahead(messages: AsyncIterable<number>) {
  const iterator = messages[Symbol.asyncIterator]();
  for (let next = iterator.next();;) {
    const { done, value } = await next;
    if (done) return;
    next = iterator.next();
    next.catch(() => {});
    yield value;
  }
}

async function* through(messages: AsyncIterable<number>) {
  for await (const n of messages) yield n;
}

async function* twice(messages: AsyncIterable<number>) {
  for await (const n of messages) {
    yield n;
    yield n + 0.5;
  }
}

Deno.test("a stop ends the reader of a link after its writer, though the streams around them may be one", async () => {
  const link = new TransformStream<number, number>();
  const app = new Slipstream(), stop = new AbortController(), got: number[] = [];
  const source = new ReadableStream<number>({ pull: (controller) => controller.enqueue(1) }, { highWaterMark: 0 });
  app.handle(source, { sink: link }, async (n) => {
    stop.abort();
    await undefined;
    return n;
  });
  app.handle(link, { sink: new WritableStream<number>({ write: (n) => void got.push(n) }) }, (n) => n);
  await app.stream({ ...QUIET, signal: stop.signal });
  equal(got, [1]);
});

Deno.test("a stop does not hide that a sink can't take anything any more", async () => {
  const app = new Slipstream(), stop = new AbortController();
  app.handle([1], { retry: { maxAttempts: 2, minTimeout: 1 } }, () => {
    stop.abort();
    throw Object.assign(new Error("no more"), { fatal: true });
  });
  const error = await app.stream({ ...QUIET, signal: stop.signal }).catch((error) => error);
  equal(error?.message, 'handler "handler" failed: no more');
});

Deno.test("a value that a pipe emits by itself comes behind the values that were held for a retry", async () => {
  const app = new Slipstream(), got: string[] = [];
  app.handle([1], {
    pipe: [through, twice, ahead],
    retry: { maxAttempts: 2, minTimeout: 1 },
    sink: (text: string) => void got.push(text),
  }, (n: number) => `${n}`);
  await app.stream(QUIET);
  equal(got, ["1", "1.5"]);
});

Deno.test("a batch is not done while values that a pipe made of it are handled, or when one has failed", async () => {
  for (const fails of [false, true]) {
    const log: unknown[] = [];
    const source = scripted([together(1), together(2)], { on: (event, batch) => void log.push(`${event} ${batch}`) });
    const app = new Slipstream();
    app.handle(source, { pipe: [() => new TransformStream<number, number>(), ahead] }, async (n: number) => {
      await turns();
      log.push(`handled ${n}`);
      if (fails) throw new Error("no");
    });
    await app.stream(QUIET).catch(() => log.push("failed"));
    equal(log.indexOf("handled 1") < (log.indexOf("done 0") + 1 || Infinity), true);
    if (fails) equal(log.includes("done 0"), false);
  }
});
