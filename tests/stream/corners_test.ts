import assert from "node:assert/strict";
import { Cache, Slipstream, Topic } from "@slipstream/slipstream";
import { openDeadLetters, openSink, openSource } from "@slipstream/slipstream/protocol";
import { MemoryKafka, scripted, together } from "@slipstream/slipstream/testing";
import { QUIET } from "../support/logged_stream.ts";

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

Deno.test("a Cache that can't be opened as a source fails the run with its own error", async () => {
  const unhandled: unknown[] = [];
  const hear = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", hear);
  try {
    const app = new Slipstream();
    app.handle(new Cache(`${Deno.execPath()}/no.db`), () => {});
    await assert.rejects(app.stream(QUIET), { name: "CacheError" });
    await sleep(10);
  } finally {
    removeEventListener("unhandledrejection", hear);
  }
  assert.deepEqual(unhandled, []);
});

Deno.test("a stop that leaves no time for a dead letter rejects with the failure that the dead letter was about", async () => {
  const accepted = Promise.withResolvers<() => Promise<void>>(), refused = Promise.withResolvers<void>();
  const sink = {
    [openSink]: () => ({
      accept: (_: unknown, delivery: { undelivered(error: unknown, message: unknown): unknown }, message: unknown) =>
        accepted.resolve(async () => await delivery.undelivered(new Error("refused"), message) as void),
      settle: () => refused.promise,
      close() {},
    }),
  };
  const letters = { [openDeadLetters]: () => ({ accept: () => new Promise<void>(() => {}), settle() {}, close() {} }) };
  const source = scripted([1], { then: "stayOpen" }), aborter = new AbortController();
  const app = new Slipstream();
  app.handle(source, { sink, onError: letters }, (n) => n);
  const running = app.stream({ ...QUIET, signal: aborter.signal });
  (await accepted.promise)().then(refused.resolve, refused.reject);
  aborter.abort();
  await assert.rejects(running, { name: "HandlerError", message: 'handler "handler" failed on script[0]: refused' });
  assert.deepEqual(source.done, []);
});

Deno.test("a source that has ended is closed while its handler handles another source's messages", async () => {
  const closed = Promise.withResolvers<void>(), aborter = new AbortController();
  const ends = scripted([1], { on: (event) => event === "closed" && closed.resolve() });
  const app = new Slipstream();
  app.handle(
    [
      ends,
      (async function* () {
        for (;;) yield 2;
      })(),
    ],
    { concurrency: 2 },
    () => sleep(1),
  );
  const running = app.stream({ ...QUIET, signal: aborter.signal });
  const late = setTimeout(() => closed.reject(new Error("it is still open")), 500);
  try {
    await closed.promise;
  } finally {
    clearTimeout(late);
    aborter.abort();
    await running;
  }
});

for (
  const [what, thrown] of [["no prototype", Object.create(null)], ["a text that throws", {
    toString: () => assert.fail(),
  }]]
) {
  Deno.test(`what is thrown may be an object with ${what}: the policy decides all the same`, async () => {
    const source = scripted([1, 2]), letters: { headers: readonly (readonly [string, unknown])[] }[] = [];
    const sink = {
      [openDeadLetters]: () => ({
        accept: (letter: typeof letters[number]) => void letters.push(letter),
        settle() {},
        close() {},
      }),
    };
    const app = new Slipstream();
    for (const onError of ["skip", sink] as const) {
      app.handle(source, { onError }, () => {
        throw thrown;
      });
    }
    await app.stream(QUIET);
    assert.deepEqual(source.done, [1, 2]);
    assert.equal(letters.length, 2);
  });
}

Deno.test("a handler that is removed gets none of the messages that wait for their keys; other handlers get all", async () => {
  const seen: number[] = [], others: number[] = [];
  const source = scripted([together(...Array.from({ length: 20 }, (_, n) => n))]);
  const app = new Slipstream();
  const binding = app.handle(source, { concurrency: 2 }, async (n) => {
    seen.push(n);
    if (n === 3) binding.stop();
    await sleep(1);
  });
  app.handle(source, (n) => void others.push(n));
  await app.stream(QUIET);
  assert.deepEqual(seen, [0, 1, 2, 3]);
  assert.equal(others.length, 20);
  assert.equal(source.done.length, 20);
});

Deno.test("a value that a pipe emits by itself lets no message begin after a stop", async () => {
  const seen: unknown[] = [], aborter = new AbortController(), own = Promise.withResolvers<void>();
  const source = scripted([together(...Array.from({ length: 20 }, () => ({ key: "busy" })))], { then: "stayOpen" });
  // The stage emits a value when all messages wait for the first one of their key.
  const app = new Slipstream();
  app.handle(source, {
    concurrency: 2,
    pipe: [async function* (messages: AsyncIterable<{ key?: string }>) {
      const iterator = messages[Symbol.asyncIterator]();
      for (let n = 0; n < 20; n++) yield (await iterator.next()).value!;
      const next = iterator.next();
      await sleep(5);
      yield {};
      await next;
    }],
  }, async (message) => {
    seen.push(message.key ?? "own");
    if (message.key === undefined) own.resolve();
    else await own.promise.then(() => sleep(20));
  });
  const running = app.stream({ ...QUIET, signal: aborter.signal });
  await own.promise;
  aborter.abort();
  await running;
  assert.deepEqual(seen, ["busy", "own"]);
  assert.equal(source.done.length, 1);
});

Deno.test("a Topic that is closed while a run writes to it ends the run under every policy", async () => {
  using kafka = new MemoryKafka();
  const topic = new Topic("closed", { "bootstrap.servers": kafka.bootstrapServers }), source = scripted([1, 2, 3]);
  const app = new Slipstream();
  app.handle(source, { sink: topic, onError: "skip" }, async (n) => {
    if (n === 2) await topic.close();
    return { value: String(n) };
  });
  await assert.rejects(app.stream(QUIET), { name: "HandlerError", message: /is closed: make a new one/ });
  assert.deepEqual(source.done, [1]);
});

Deno.test(
  "a stop that comes in an exit hook leaves no timer behind",
  { sanitizeOps: true, sanitizeResources: true },
  async () => {
    const app = new Slipstream();
    app.handle([1], () => {});
    app.onExit(async () => {
      Deno.kill(Deno.pid, "SIGTERM");
      await sleep(50);
    });
    await app.stream();
  },
);

Deno.test(
  "an end that takes too long leaves no timer behind",
  { sanitizeOps: true, sanitizeResources: true },
  async () => {
    const app = new Slipstream(), aborter = new AbortController();
    app.handle([1], () => {
      aborter.abort();
      return new Promise(() => {});
    });
    const running = app.stream({ ...QUIET, signal: aborter.signal, shutdownTimeoutMs: 0 });
    await assert.rejects(running, /did not end within 0 ms/);
  },
);

Deno.test("a stage that waits for nothing lets timers fire", async () => {
  let emitted = 0;
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), 5);
  const app = new Slipstream();
  app.handle([1], {
    pipe: [async function* (messages: AsyncIterable<number>) {
      for await (const _ of messages) while (!aborter.signal.aborted && emitted < 3_000_000) yield emitted++;
    }],
  }, () => {});
  await app.stream(QUIET);
  clearTimeout(timer);
  assert.equal(aborter.signal.aborted, true);
});

Deno.test("a message that becomes readable after its handler was removed is not done", async () => {
  const again = Promise.withResolvers<number>(), asked = Promise.withResolvers<void>(), done: unknown[] = [];
  const batch = {
    messages: [0],
    done: (handled?: number) => void done.push(handled),
    unreadable: new Map([[0, {
      error: new Error("not yet"),
      again: () => {
        asked.resolve();
        return again.promise;
      },
    }]]),
  };
  const source = {
    [openSource]: () => ({ batches: ReadableStream.from([batch]), stop() {}, close: () => Promise.resolve() }),
  };
  const seen: number[] = [];
  const app = new Slipstream();
  const binding = app.handle(source, { retry: { minTimeout: 1 } }, (n) => void seen.push(n));
  const running = app.stream(QUIET);
  await asked.promise;
  binding.stop();
  again.resolve(1);
  await running;
  assert.deepEqual({ seen, done }, { seen: [], done: [] });
});

Deno.test("a value that a pipe emits by itself settles before its sinks are closed, though its source has ended", async () => {
  const log: string[] = [], first = scripted([1]), deliveries = new Set<unknown>();
  const sink = {
    [openSink]: () => ({
      accept: (_: unknown, delivery: unknown) => void deliveries.add(delivery),
      settle: async (delivery: unknown) => {
        if (!deliveries.has(delivery)) return;
        await sleep(30);
        log.push("settled");
        throw new Error("not delivered");
      },
      close: () => void log.push("closed"),
    }),
  };
  const emitted = Promise.withResolvers<void>();
  const second = new ReadableStream<number>({
    pull: async (controller) => {
      await emitted.promise;
      controller.close();
    },
  });
  const app = new Slipstream();
  app.handle([first, second], {
    sink,
    pipe: [async function* (messages: AsyncIterable<number>) {
      const iterator = messages[Symbol.asyncIterator]();
      await iterator.next();
      const next = iterator.next();
      await sleep(10);
      yield 1;
      emitted.resolve();
      await next;
    }],
  }, (n) => n);
  await assert.rejects(app.stream(QUIET), /not delivered/);
  assert.deepEqual(log, ["settled", "closed"]);
});

Deno.test("cancelling Topic.readable before it is read disturbs no run that reads the Topic", async () => {
  using kafka = new MemoryKafka();
  kafka.createTopic("shared");
  await using topic = new Topic("shared", { "bootstrap.servers": kafka.bootstrapServers }, { offset: "beginning" });
  const aborter = new AbortController(), seen: unknown[] = [];
  const unused = topic.readable;
  const app = new Slipstream();
  app.handle(topic, ({ value }) => {
    seen.push(value);
    aborter.abort();
  });
  const running = app.stream({ ...QUIET, signal: aborter.signal });
  await unused.cancel();
  kafka.append({ topic: "shared", partition: 0 }, { value: "one" });
  await running;
  assert.deepEqual(seen, ["one"]);
});

Deno.test("a stage may ask for several messages ahead", async () => {
  const seen: number[] = [];
  const app = new Slipstream();
  app.handle([1, 2, 3, 4, 5], {
    pipe: [async function* (messages: AsyncIterable<number>) {
      const iterator = messages[Symbol.asyncIterator]();
      for (;;) {
        const both = await Promise.all([iterator.next(), iterator.next()]);
        for (const { done, value } of both) if (!done) yield value;
        if (both.some(({ done }) => done)) return;
      }
    }],
  }, (n) => void seen.push(n));
  await Promise.race([app.stream({ ...QUIET, signal: AbortSignal.timeout(1000), shutdownTimeoutMs: 0 })]);
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
});

for (const kind of ["function", "generator"]) {
  Deno.test(`a stage that fails before it asks for anything fails the message that it was made for: ${kind}`, async () => {
    let made = 0;
    const fail = (): never => {
      // A run that makes the stage again and again lets no timer fire: this ends the test instead.
      if (++made > 10) Deno.exit(1);
      throw new Error("no stage");
    };
    const stage = kind === "function" ? fail : async function* (messages: AsyncIterable<number>) {
      fail();
      yield* messages;
    };
    for (const onError of ["fail", "skip"] as const) {
      made = 0;
      const source = scripted([1, 2, 3]);
      const app = new Slipstream();
      app.handle(source, { pipe: [stage], onError, retry: { maxAttempts: 2, minTimeout: 1 } }, () => {});
      const running = app.stream(QUIET);
      if (onError === "skip") await running;
      else await assert.rejects(running, { name: "HandlerError", message: /failed on script\[0\]: no stage/ });
      assert.deepEqual([made, source.done], onError === "skip" ? [6, [1, 2, 3]] : [2, []]);
    }
  });
}

Deno.test("a Topic.writable that failed takes nothing from the next one, though it fails once more", async () => {
  using kafka = new MemoryKafka();
  await using topic = new Topic("failing", { "bootstrap.servers": kafka.bootstrapServers });
  const second = Promise.withResolvers<void>();
  kafka.faults.produce = async ({ value }) => {
    // The second write begins before the first one has failed.
    await (new TextDecoder().decode(value!) === "1" ? sleep(10) : second.promise);
    return { code: 10 };
  };
  const writer = topic.writable.getWriter();
  void writer.write({ value: "1" }).catch(() => {});
  void writer.write({ value: "2" }).catch(() => {});
  await assert.rejects(writer.closed, { name: "KafkaError" });
  const next = topic.writable;
  second.resolve();
  await sleep(10);
  assert.equal(topic.writable, next);
});
