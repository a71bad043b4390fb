import assert from "node:assert/strict";
import { HandlerError, Slipstream } from "@slipstream/slipstream";
import { openSource } from "@slipstream/slipstream/protocol";
import { loggedSource, manualSink, QUIET, turns } from "../support/logged_stream.ts";

Deno.test("stream() marks a batch as done only when its sinks have settled, in order, and closes them at the end", async () => {
  const log: string[] = [];
  const sink = manualSink(log);
  const app = new Slipstream();
  app.handle(loggedSource([[1], [2]], log), { sink }, (n) => n);
  const running = app.stream(QUIET);
  await turns();
  assert.deepEqual(log, ["accept 1", "accept 2"]);
  sink.settling[1]!.resolve();
  await turns();
  assert.deepEqual(log.filter((line) => line.startsWith("done")), []);
  sink.settling[0]!.resolve();
  await running;
  assert.deepEqual(log, ["accept 1", "accept 2", "done 0", "done 1", "closed source", "closed sink"]);
});

Deno.test("stream() marks no batch as done that failed to settle, nor one after it", async () => {
  const log: string[] = [];
  const sink = manualSink(log);
  const app = new Slipstream();
  app.handle(loggedSource([[1], [2], [3]], log), { sink }, (n) => n);
  const running = app.stream(QUIET);
  await turns();
  // The run still awaits the batch before. The rejection of this one must not count as unhandled.
  sink.settling[1]!.reject(new Error("disk full"));
  await turns();
  sink.settling[0]!.resolve();
  sink.settling[2]!.resolve();
  await assert.rejects(running, /disk full/);
  assert.deepEqual(log.filter((line) => line.startsWith("done")), ["done 0"]);
  assert.ok(log.includes('closed sink: handler "handler" failed: disk full'));
});

Deno.test("stream() accepts a bounded number of batches that have not settled", async () => {
  const log: string[] = [];
  const sink = manualSink(log);
  const app = new Slipstream();
  app.handle(loggedSource(Array.from({ length: 100 }, (_, n) => [n]), log), { sink }, (n) => n);
  const running = app.stream(QUIET);
  await turns();
  const accepted = log.length;
  assert.ok(accepted >= 2 && accepted <= 40, `${accepted} accepted`);
  // Settle everything as it comes.
  const settling = setInterval(() => sink.settling.forEach(({ resolve }) => resolve()), 1);
  await running;
  clearInterval(settling);
  assert.equal(log.filter((line) => line.startsWith("done")).length, 100);
});

Deno.test("stream() runs the handlers of a message in the order of binding, and reads the source once", async () => {
  const log: string[] = [];
  let opened = 0;
  const source = loggedSource([[1, 2]]);
  const once = { [openSource]: () => (opened++, source[openSource]()) };
  const app = new Slipstream();
  app.handle(once, { sink: (line: string) => void log.push(line) }, async (n) => {
    await turns();
    return `slow ${n}`;
  });
  app.handle(once, { sink: (line: string) => void log.push(line) }, (n) => `fast ${n}`);
  await app.stream(QUIET);
  assert.deepEqual(log, ["slow 1", "fast 1", "slow 2", "fast 2"]);
  assert.equal(opened, 1);
});

Deno.test("stream() reads several sources for one handler and opens a shared sink once", async () => {
  const log: string[] = [];
  const sink = manualSink(log);
  const settling = setInterval(() => sink.settling.forEach(({ resolve }) => resolve()), 1);
  const app = new Slipstream();
  app.handle([loggedSource([[1]]), loggedSource([[2]])], { sink }, (n) => n);
  app.handle(loggedSource([[3]]), { sink }, (n) => n);
  await app.stream(QUIET);
  clearInterval(settling);
  assert.equal(sink.opened(), 1);
  assert.deepEqual(log.filter((line) => line.startsWith("accept")).sort(), ["accept 1", "accept 2", "accept 3"]);
});

Deno.test("handle() emits what handlers return and yield; undefined is nothing, null and arrays are values", async () => {
  const emitted: unknown[] = [];
  const sink = (value: unknown) => void emitted.push(value);
  const app = new Slipstream<{ readonly name: string }>();
  app.handle([1], { sink }, () => undefined);
  app.handle([1], { sink }, () => null);
  app.handle([1], { sink }, () => [1, 2]);
  app.handle([1], { sink }, async () => await Promise.resolve("later"));
  app.handle([1], { sink }, function* () {
    yield "a";
    yield undefined;
    yield "b";
  });
  app.handle([1], { sink }, async function* () {
    await turns();
    yield "c";
  });
  app.handle([1], { sink }, (_n, args) => args.name);
  await app.stream({ ...QUIET, args: { name: "args" } });
  assert.deepEqual(
    new Set(emitted.map((value) => JSON.stringify(value))),
    new Set(["null", "[1,2]", '"later"', '"a"', '"b"', '"c"', '"args"']),
  );
  assert.equal(emitted.length, 7);
});

Deno.test("stream() wraps a handler's error with its name, source and message, and ends the other sources in order", async () => {
  const log: string[] = [];
  let finished = false;
  async function* endless() {
    try {
      for (let n = 0;; n++) {
        yield n;
        await turns();
      }
    } finally {
      finished = true;
    }
  }
  const app = new Slipstream();
  app.handle(endless(), () => {});
  app.handle(loggedSource([["ok", "bad"]], log), { name: "check" }, (value) => {
    if (value === "bad") throw new Error("no good");
  });
  await assert.rejects(app.stream(QUIET), (error: unknown) => {
    assert.ok(error instanceof HandlerError);
    assert.equal(error.message, 'handler "check" failed on scripted@bad: no good');
    assert.equal(error.value, "bad");
    return true;
  });
  assert.ok(finished);
  assert.deepEqual(log, ["closed source"]);
});

Deno.test("stream() resolves when its signal aborts, and generators run their finally blocks", async () => {
  const ended: string[] = [];
  function* sync() {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      ended.push("sync");
    }
  }
  async function* stuck() {
    try {
      yield 0;
      await new Promise((resolve) => setTimeout(resolve, 100));
      yield 1;
    } finally {
      ended.push("async");
    }
  }
  const abort = new AbortController();
  const app = new Slipstream();
  let pulled = 0;
  app.handle(sync(), async () => {
    if (++pulled === 3) abort.abort();
    await turns();
  });
  app.handle(stuck(), () => {});
  await app.stream({ ...QUIET, signal: abort.signal });
  // A handler that is slow does not let the source run ahead.
  assert.ok(pulled <= 4, `${pulled} pulled`);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.deepEqual(ended.sort(), ["async", "sync"]);
});

Deno.test("handle() writes to WritableStreams with backpressure, closes them at the end and aborts them on failure", async () => {
  const log: string[] = [];
  const stream = () =>
    new WritableStream<number>({
      async write(n) {
        await turns();
        log.push(`wrote ${n}`);
      },
      close: () => void log.push("closed"),
      abort: (reason) => void log.push(`aborted: ${reason.message}`),
    });
  const app = new Slipstream();
  app.handle([1, 2], { sink: stream() }, (n) => n);
  await app.stream(QUIET);
  assert.deepEqual(log.splice(0), ["wrote 1", "wrote 2", "closed"]);
  const failing = new Slipstream();
  failing.handle([1], { sink: { writable: stream() } }, () => {
    throw new Error("on purpose");
  });
  await assert.rejects(failing.stream(QUIET), /on purpose/);
  assert.match(log.join(), /aborted: handler .* on purpose/);
});

Deno.test("handle() refuses arguments that are not a source, a sink or a handler, and binds nothing then", async () => {
  const app = new Slipstream();
  assert.throws(
    () => app.handle("text" as never, () => {}),
    /got a string, which would be read character by character/,
  );
  assert.throws(() => app.handle(5 as never, () => {}), /a source must be .*: got a number/);
  assert.throws(() => app.handle([1], { sink: {} as never }, () => {}), /a sink must be .*: got an object/);
  assert.throws(
    () => app.handle([1], 3 as never),
    /^TypeError: handle\(\): the handler must be a function: got undefined$/,
  );
  assert.throws(() => app.handle((function* () {}) as never, () => {}), /got a function: .* pass what it returns/);
  assert.throws(
    () => app.handle([1], (() => {}) as never, { sink: console.log } as never),
    /options go before the handler/,
  );
  assert.throws(
    () => app.handle([1], { snik: console.log } as never, () => {}),
    /^TypeError: handle\(\): there is no option "snik": did you mean "sink"\?$/,
  );
  assert.throws(() => new Slipstream({ name: "app" } as never), /^TypeError: new Slipstream\(\): it takes no options/);
  await assert.rejects(app.stream(QUIET), /nothing to run/);
  app.handle([1], () => {});
  const running = app.stream(QUIET);
  await assert.rejects(app.stream(QUIET), /stream\(\) runs already/);
  await running;
});

Deno.test("handle() reports all problems of its arguments at once", () => {
  const { readable, writable } = new TransformStream();
  readable.getReader();
  assert.throws(
    () =>
      new Slipstream().handle(
        5 as never,
        {
          sinks: [],
          sink: [console.log, 1, null],
          pipe: [2, { readable, writable }],
          name: 3,
          concurrency: 0.5,
          by: 4,
          retry: { maxAttempt: 2, maxAttempts: 0, minTimeout: 9, maxTimeout: 8, jitter: 2, isRetriable: 5, signal: 6 },
          onError: "skipp",
        } as never,
        7 as never,
      ),
    {
      name: "TypeError",
      message: [
        "handle(): 17 problems",
        "a source must be iterable, async iterable, a ReadableStream, or have .readable (such as a Topic): got a number",
        "the handler must be a function: got a number",
        'there is no option "sinks": did you mean "sink"?',
        "a sink must be a function, a WritableStream, or have .writable (such as a Topic): got a number",
        "a sink must be a function, a WritableStream, or have .writable (such as a Topic): got null",
        "a stage of a pipe must be a TransformStream, a function that makes one, or a function of an async iterable " +
        "that returns one: got a number",
        "a TransformStream of a pipe is in use, or was in an earlier run: pass a function that makes one",
        "name must be a string: got a number",
        "concurrency must be a whole number from 1 on: got 0.5",
        "by must be a function: got a number",
        'retry: there is no option "maxAttempt": did you mean "maxAttempts"?',
        "retry: maxAttempts must be a whole number from 1 on: got 0",
        "retry: minTimeout must be at most maxTimeout: got 9 and 8",
        "retry: jitter must be from 0 to 1: got 2",
        "retry: isRetriable must be a function: got a number",
        "retry: signal must be an AbortSignal: got a number",
        'onError must be "fail", "skip", a Topic for dead letters or a function: got "skipp": did you mean "skip"?',
      ].join("\n  - "),
    },
  );
  const app = new Slipstream();
  const loose = app.handle.bind(app) as (...args: unknown[]) => unknown;
  assert.throws(() => loose([1]), /handle\(\): the handler must be a function: got undefined$/);
  assert.throws(() => loose([1], { sink: console.log }), /handle\(\): the handler must be a function: got undefined$/);
  assert.throws(() => loose([1], 5, () => {}), /handle\(\): the options must be an object: got a number$/);
  assert.throws(() => loose([1], null, () => {}), /handle\(\): the options must be an object: got null$/);
  assert.throws(() => loose([1], { pipe: (numbers: unknown) => numbers }, () => {}), /pipe must be an array of stages/);
  assert.throws(() => loose([1], { retry: 3 }, () => {}), /retry must be an object .*: got a number$/);
});

Deno.test("stream() takes one object of known options, and reports all problems of it at once", async () => {
  const app = new Slipstream();
  let handled = 0;
  app.handle([1], () => void handled++);
  const call = (...parameters: unknown[]) => app.stream(...parameters as []);
  const rejects = (parameters: readonly unknown[], message: string) =>
    assert.rejects(call(...parameters), { name: "TypeError", message: `stream(): ${message}` });

  const form = "it takes one object of options, such as stream({ args, signal })";
  await rejects([undefined, QUIET], `${form}: got 2 parameters`);
  await rejects([{ name: "args" }, {}], `${form}: got 2 parameters`);
  await rejects(["args"], `${form}: got a string`);
  await rejects([null], `${form}: got null`);
  await rejects([{ handleSignal: false }], 'there is no option "handleSignal": did you mean "handleSignals"?');
  await rejects(
    [{ name: "args" }],
    'there is no option "name": the options are args, signal, handleSignals, shutdownTimeoutMs',
  );
  await rejects(
    [{ singal: 1, signal: {}, handleSignals: 1, shutdownTimeoutMs: -1 }],
    [
      "4 problems",
      'there is no option "singal": did you mean "signal"?',
      "signal must be an AbortSignal: got an object",
      "handleSignals must be true or false: got a number",
      "shutdownTimeoutMs must be a number of milliseconds from 0 on: got -1",
    ].join("\n  - "),
  );
  assert.equal(handled, 0);
  await call({ args: undefined, signal: undefined, handleSignals: undefined, shutdownTimeoutMs: undefined });
  assert.equal(handled, 1);
});
