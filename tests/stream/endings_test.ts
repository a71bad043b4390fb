import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { HandlerError, Slipstream } from "@slipstream/slipstream";
import { type Batch, openSink, openSource } from "@slipstream/slipstream/protocol";
import { loggedSource, QUIET, turns } from "../support/logged_stream.ts";

/** A sink that takes a while to settle, and logs that it is closed. */
function slow(log: string[], settle: () => Promise<void> = turns) {
  return { [openSink]: () => ({ accept() {}, settle, close: () => void log.push("closed sink") }) };
}

/** Settles the first batches late: later ones are handled before these are done. */
function settlesLate(batches: number) {
  return () => batches-- > 0 ? new Promise<void>((resolve) => setTimeout(resolve, 50)) : Promise.resolve();
}

Deno.test("stream() marks the batches as done before one whose handler fails", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(loggedSource([[1], [2], [3], [4]], log), { sink: slow(log, settlesLate(2)) }, (n) => {
    if (n === 3) throw new Error("on purpose");
    return n;
  });
  await assert.rejects(app.stream(QUIET), /on purpose/);
  assert.deepEqual(log, ["done 0", "done 1", "closed source", "closed sink"]);
});

Deno.test("stream() marks the batches as done before an error of the source, and rejects with that error unchanged", async () => {
  const log: string[] = [];
  const failure = new Error("connection lost");
  let read = 0;
  const batches = new ReadableStream<Batch<number>>({
    pull(controller) {
      if (read === 3) return controller.error(failure);
      const n = read++;
      controller.enqueue({ messages: [n], done: () => void log.push(`done ${n}`) });
    },
  }, { highWaterMark: 0 });
  const app = new Slipstream();
  const source = { [openSource]: () => ({ batches, stop() {}, close: () => Promise.resolve() }) };
  app.handle(source, { sink: slow(log, settlesLate(3)) }, (n) => n);
  await assert.rejects(app.stream(QUIET), (error) => error === failure);
  assert.deepEqual(log, ["done 0", "done 1", "done 2", "closed sink"]);
});

Deno.test("stream() lets the batches of other sources settle when one source fails", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(loggedSource([[1, 2]], log), { sink: slow(log) }, async (n) => {
    await turns();
    return n;
  });
  app.handle([1], () => {
    throw new Error("on purpose");
  });
  await assert.rejects(app.stream(QUIET), /on purpose/);
  assert.deepEqual(log, ["done 0", "closed source", "closed sink"]);
});

Deno.test("stream() closes sinks only when no handler runs any more, though settling has failed", async () => {
  const log: string[] = [];
  const handling = Promise.withResolvers<void>(), failed = Promise.withResolvers<void>();
  const settle = async () => {
    await handling.promise;
    turns().then(failed.resolve);
    throw new Error("disk full");
  };
  const app = new Slipstream();
  app.handle(loggedSource([[1], [2, 3]]), { name: "count", sink: slow(log, settle) }, async (n) => {
    if (n === 2) {
      handling.resolve();
      await failed.promise;
    }
    log.push(`handled ${n}`);
    return n;
  });
  await assert.rejects(app.stream(QUIET), (error: unknown) => {
    assert.ok(error instanceof HandlerError);
    assert.equal(error.message, 'handler "count" failed: disk full');
    return true;
  });
  // The batch that is being handled would never be done, so the rest of it is not handled.
  assert.deepEqual(log, ["handled 1", "handled 2", "closed sink"]);
});

Deno.test("stream() names the handler whose value a sink refuses", async () => {
  const sink = {
    [openSink]: () => ({
      accept: () => {
        throw new TypeError("want [key, value]");
      },
      settle() {},
      close() {},
    }),
  };
  const app = new Slipstream();
  app.handle(loggedSource([[7]]), { name: "count", sink }, (n) => n);
  await assert.rejects(app.stream(QUIET), {
    message: 'handler "count" failed on scripted@7: want [key, value]',
    value: 7,
  });
});

Deno.test("stream() closes a source when it has ended, not when all have", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(loggedSource([[1]], log), () => {});
  app.handle(
    (async function* () {
      yield await new Promise((resolve) => setTimeout(resolve, 50));
      log.push("other ended");
    })(),
    () => {},
  );
  await app.stream(QUIET);
  assert.deepEqual(log, ["done 0", "closed source", "other ended"]);
});

Deno.test("stream() cancels a ReadableStream that never answers a read, and gives up a generator that never does", async () => {
  let cancelled = false;
  async function* stuck() {
    yield await new Promise<number>(() => {});
  }
  const abort = new AbortController();
  const app = new Slipstream();
  app.handle(new ReadableStream({ cancel: () => void (cancelled = true) }), () => {});
  app.handle(stuck(), () => {});
  const running = app.stream({ ...QUIET, signal: abort.signal });
  await turns();
  abort.abort();
  await turns();
  assert.ok(cancelled);
  await running;
});

Deno.test("stream() can be stopped by the generator that it reads", async () => {
  const abort = new AbortController();
  let ended = false;
  function* numbers() {
    try {
      yield 1;
      abort.abort();
      yield 2;
      yield 3;
    } finally {
      ended = true;
    }
  }
  const app = new Slipstream();
  const seen: number[] = [];
  app.handle(numbers(), (n) => void seen.push(n));
  await app.stream({ ...QUIET, signal: abort.signal });
  assert.deepEqual([seen, ended], [[1, 2], true]);
});

Deno.test("stream() rejects with the error of a stopped generator's finally block", async () => {
  const abort = new AbortController();
  async function* numbers() {
    try {
      for (;;) yield await Promise.resolve(1);
    } finally {
      // deno-lint-ignore no-unsafe-finally -- the test is about it
      throw new Error("can't clean up");
    }
  }
  const app = new Slipstream();
  app.handle(numbers(), () => abort.abort());
  await assert.rejects(app.stream({ ...QUIET, signal: abort.signal }), /can't clean up/);
});

Deno.test("stream() runs the finally blocks of a handler's generator when a sink refuses a value, at once or later", async () => {
  for (const later of [false, true]) {
    let ended = false;
    const app = new Slipstream();
    const refuse = async () => {
      await turns();
      throw new Error("refused");
    };
    const sink = later ? refuse : () => {
      throw new Error("refused");
    };
    app.handle([1], { sink }, function* () {
      try {
        yield 1;
        yield 2;
      } finally {
        ended = true;
      }
    });
    await assert.rejects(app.stream(QUIET), /refused/);
    assert.ok(ended);
  }
});

Deno.test("stream() closes the sources and sinks that it has opened when another can't be opened", async () => {
  const free = new WritableStream();
  const locked = new WritableStream();
  locked.getWriter();
  const app = new Slipstream();
  app.handle([1], { sink: [free, locked] }, (n) => n);
  await assert.rejects(app.stream(QUIET), /locked/);
  assert.ok(!free.locked);
});

Deno.test("stream() handles the messages of a batch synchronously when handlers and sinks are synchronous", async () => {
  let turns = 0;
  const seen: number[] = [];
  const app = new Slipstream();
  app.handle(loggedSource([[1, 2, 3]]), { sink: () => void seen.push(turns) }, function* (n) {
    queueMicrotask(() => turns++);
    yield n;
  });
  await app.stream(QUIET);
  assert.deepEqual(seen, [0, 0, 0]);
});

Deno.test("stream() runs again after it has ended", async () => {
  let count = 0;
  const app = new Slipstream();
  app.handle([1, 2], () => void count++);
  await app.stream(QUIET);
  await app.stream(QUIET);
  assert.equal(count, 4);
});

Deno.test("handle() reads streams of Node.js, and takes arrays and bytes in an array for messages", async () => {
  const seen: unknown[] = [];
  const app = new Slipstream();
  app.handle(Readable.from(["node"]), (value) => void seen.push(value));
  app.handle([["a", 1]], (value) => void seen.push(value));
  app.handle([new Uint8Array([1])], (value) => void seen.push(value.length));
  await app.stream(QUIET);
  assert.deepEqual(new Set(seen.map((value) => JSON.stringify(value))), new Set(['"node"', '["a",1]', "1"]));
});

/** Endless numbers; they end after a while if the test fails, so that it does not hang. */
function* numbers(ended: () => void) {
  const until = performance.now() + 5000;
  try {
    for (let n = 0; performance.now() < until; n++) yield n;
  } finally {
    ended();
  }
}

async function* laterNumbers(ended: () => void) {
  yield* numbers(ended);
}

/** A stream of numbers whose reads are answered at once. */
function numbersStream(ended: () => void) {
  const from = numbers(ended);
  return new ReadableStream<number>({
    pull(controller) {
      const { done, value } = from.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => void from.return(),
  });
}

for (
  const [kind, endless] of [
    ["a generator", numbers],
    ["an async generator", laterNumbers],
    ["a ReadableStream", numbersStream],
    ["{ readable }", (ended: () => void) => ({ readable: numbersStream(ended) })],
  ] as const
) {
  Deno.test(`stream() ends ${kind} that never waits for anything, when its signal aborts`, async () => {
    const app = new Slipstream(), abort = new AbortController();
    let ended = false, count = 0;
    const began = performance.now();
    setTimeout(() => abort.abort(), 50);
    app.handle(endless(() => ended = true), { sink: () => void count++ }, (n: number) => n);
    await app.stream({ ...QUIET, signal: abort.signal });
    assert.ok(ended && count > 0);
    assert.ok(performance.now() - began < 4000, "it had ended by itself");
  });
}

Deno.test("stream() lets timers fire within a batch whose handlers wait for nothing, or for a promise", async () => {
  for (const wait of [false, true]) {
    const app = new Slipstream();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const until = performance.now() + 300;
    const busy = () => {
      const over = performance.now() + 1;
      while (performance.now() < over);
      return wait ? Promise.resolve() : undefined;
    };
    app.handle(loggedSource([Array.from({ length: 300 }, (_, n) => n)]), busy);
    await app.stream(QUIET);
    clearInterval(timer);
    assert.ok(performance.now() >= until - 1);
    assert.ok(turns >= 3, `${turns} turns`);
  }
});

Deno.test("onExit() hooks run once a run, in order, after sources and sinks are closed, also when the run failed; a hook can be removed", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  let fail = false;
  app.handle(loggedSource([[1], [2]], log), { sink: slow(log) }, (n) => {
    if (fail && n === 2) throw new Error("on purpose");
  });
  const hook = async () => {
    await turns();
    log.push("first");
  };
  app.onExit(hook);
  app.onExit(hook);
  const remove = app.onExit(() => void log.push("second"));
  await app.stream(QUIET);
  assert.deepEqual(log.splice(0), ["done 0", "done 1", "closed source", "closed sink", "first", "second"]);
  remove();
  fail = true;
  app.handle([1], () => {});
  const again = new Slipstream();
  again.onExit(() => log.push("other app's"));
  again.handle(loggedSource([[1]]), () => {
    throw new Error("on purpose");
  });
  await assert.rejects(again.stream(QUIET), /on purpose/);
  assert.deepEqual(log, ["other app's"]);
});

Deno.test("onExit() hooks that fail do not keep the others from running, and hide no error of the run", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  let broken = false;
  app.handle(loggedSource([[1]]), () => {
    if (broken) throw new Error("the run's");
  });
  app.onExit(() => Promise.reject(new Error("the hook's")));
  app.onExit(() => void log.push("after"));
  await assert.rejects(app.stream(QUIET), /the hook's/);
  broken = true;
  const failing = new Slipstream();
  failing.handle([1], () => {
    throw new Error("the run's");
  });
  failing.onExit(() => {
    log.push("called");
    throw new Error("the hook's");
  });
  await assert.rejects(failing.stream(QUIET), /the run's/);
  assert.deepEqual(log, ["after", "called"]);
  assert.throws(() => app.onExit(5 as never), /onExit\(\): the hook must be a function: got a number/);
});

Deno.test("two apps share no run, pause, hook or end", async () => {
  const log: string[] = [];
  const [one, other] = [new Slipstream(), new Slipstream()];
  const abort = new AbortController();
  const held = loggedSource([["held"]], log);
  one.handle(held, (word) => void log.push(word));
  one.pause(held);
  one.onExit(() => void log.push("one is over"));
  other.handle(loggedSource([["other"]]), (word) => void log.push(word));
  other.onExit(() => void log.push("other is over"));
  assert.throws(() => other.pause(held), /pause\(\): no handler is bound to this source/);
  const running = one.stream({ ...QUIET, signal: abort.signal });
  await other.stream(QUIET);
  // While one app runs, the other can bind and run again.
  other.handle(["more"], (word) => void log.push(word));
  await other.stream(QUIET);
  assert.deepEqual(log, ["other", "other is over", "more", "other is over"]);
  abort.abort();
  await running;
  assert.deepEqual(log.slice(4), ["closed source", "one is over"]);
});

Deno.test("a stop ends a batch after the message whose handling has begun; the next run reads the rest again", async () => {
  const abort = new AbortController();
  const source = loggedSource([[1, 2, 3, 4]]);
  const seen: number[] = [];
  const app = new Slipstream();
  app.handle(source, async (n) => {
    if (n === 2) abort.abort();
    await turns();
    seen.push(n);
  });
  await app.stream({ ...QUIET, signal: abort.signal });
  assert.deepEqual([seen, source.done], [[1, 2], [1, 2]]);
  await app.stream(QUIET);
  assert.deepEqual(seen, [1, 2, 3, 4]);
});

Deno.test("stream() marks no batch as done that comes after one that a stop has interrupted", async () => {
  const abort = new AbortController();
  const done: unknown[] = [], seen: number[] = [];
  const source = {
    [openSource]: () => ({
      batches: ReadableStream.from([[1, 2, 3], [4, 5]].map((messages, batch) => ({
        messages,
        done: (handled?: number) => void done.push([batch, handled]),
      }))),
      stop() {}, // goes on all the same
      close: () => Promise.resolve(),
    }),
  };
  const app = new Slipstream();
  app.handle(source, async (n) => {
    seen.push(n);
    await turns();
    abort.abort();
  });
  await app.stream({ ...QUIET, signal: abort.signal });
  assert.deepEqual([seen, done], [[1], [[0, 1]]]);
});
