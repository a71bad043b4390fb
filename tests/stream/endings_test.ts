import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { type Batch, HandlerError, openSink, openSource, Slipstream } from "@slipstream/slipstream";
import { QUIET, scripted, turn } from "./scripted.ts";

/** A sink that takes a while to settle, and writes down that it is closed. */
function slow(log: string[], settle: () => Promise<void> = turn) {
  return { [openSink]: () => ({ accept() {}, settle, close: () => void log.push("closed sink") }) };
}

/** The first batches take long to settle: whatever comes next comes before they are done. */
function settlesLate(batches: number) {
  return () => batches-- > 0 ? new Promise<void>((resolve) => setTimeout(resolve, 50)) : Promise.resolve();
}

Deno.test("stream() does the batches before one whose handler fails", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(scripted([[1], [2], [3], [4]], log), { sink: slow(log, settlesLate(2)) }, (n) => {
    if (n === 3) throw new Error("on purpose");
    return n;
  });
  await assert.rejects(app.stream(undefined, QUIET), /on purpose/);
  assert.deepEqual(log, ["done 0", "done 1", "closed source", "closed sink"]);
});

Deno.test("stream() does the batches before an error of the source, and passes the error as it is", async () => {
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
  await assert.rejects(app.stream(undefined, QUIET), (error) => error === failure);
  assert.deepEqual(log, ["done 0", "done 1", "done 2", "closed sink"]);
});

Deno.test("stream() lets other sources settle what is in flight when one fails", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(scripted([[1, 2]], log), { sink: slow(log) }, async (n) => {
    await turn();
    return n;
  });
  app.handle([1], () => {
    throw new Error("on purpose");
  });
  await assert.rejects(app.stream(undefined, QUIET), /on purpose/);
  assert.deepEqual(log, ["done 0", "closed source", "closed sink"]);
});

Deno.test("stream() closes sinks only when no handler runs any more, also when settling failed", async () => {
  const log: string[] = [];
  const settle = async () => {
    await turn();
    throw new Error("disk full");
  };
  const app = new Slipstream();
  app.handle(scripted([[1], [2, 3]]), { name: "count", sink: slow(log, settle) }, async (n) => {
    if (n > 1) await new Promise((resolve) => setTimeout(resolve, 50));
    log.push(`handled ${n}`);
    return n;
  });
  await assert.rejects(app.stream(undefined, QUIET), (error: unknown) => {
    assert.ok(error instanceof HandlerError);
    assert.equal(error.message, 'handler "count" failed: disk full');
    return true;
  });
  // The batch in hand would never be done: the rest of it is not begun.
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
  app.handle(scripted([[7]]), { name: "count", sink }, (n) => n);
  await assert.rejects(app.stream(undefined, QUIET), {
    message: 'handler "count" failed on scripted@7: want [key, value]',
    value: 7,
  });
});

Deno.test("stream() closes a source when it has ended, not when all have", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(scripted([[1]], log), () => {});
  app.handle(
    (async function* () {
      yield await new Promise((resolve) => setTimeout(resolve, 50));
      log.push("other ended");
    })(),
    () => {},
  );
  await app.stream(undefined, QUIET);
  assert.deepEqual(log, ["done 0", "closed source", "other ended"]);
});

Deno.test("stream() cancels a ReadableStream that never answers, and leaves a generator that never does", async () => {
  let cancelled = false;
  async function* stuck() {
    yield await new Promise<number>(() => {});
  }
  const abort = new AbortController();
  const app = new Slipstream();
  app.handle(new ReadableStream({ cancel: () => void (cancelled = true) }), () => {});
  app.handle(stuck(), () => {});
  const running = app.stream(undefined, { ...QUIET, signal: abort.signal });
  await turn();
  abort.abort();
  await turn();
  assert.ok(cancelled);
  await running;
});

Deno.test("stream() can be ended by the generator it reads", async () => {
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
  await app.stream(undefined, { ...QUIET, signal: abort.signal });
  assert.deepEqual([seen, ended], [[1, 2], true]);
});

Deno.test("stream() rejects with what a stopped generator's finally block throws", async () => {
  const abort = new AbortController();
  async function* numbers() {
    try {
      for (;;) yield await Promise.resolve(1);
    } finally {
      // deno-lint-ignore no-unsafe-finally -- what is tested
      throw new Error("can't clean up");
    }
  }
  const app = new Slipstream();
  app.handle(numbers(), () => abort.abort());
  await assert.rejects(app.stream(undefined, { ...QUIET, signal: abort.signal }), /can't clean up/);
});

Deno.test("stream() runs the finally blocks of a handler's generator when a sink refuses, now or later", async () => {
  for (const later of [false, true]) {
    let ended = false;
    const app = new Slipstream();
    const refuse = async () => {
      await turn();
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
    await assert.rejects(app.stream(undefined, QUIET), /refused/);
    assert.ok(ended);
  }
});

Deno.test("stream() releases what it has opened when something else can't be", async () => {
  const free = new WritableStream();
  const locked = new WritableStream();
  locked.getWriter();
  const app = new Slipstream();
  app.handle([1], { sink: [free, locked] }, (n) => n);
  await assert.rejects(app.stream(undefined, QUIET), /locked/);
  assert.ok(!free.locked);
});

Deno.test("stream() awaits nothing between the messages of a batch when nothing is to be awaited", async () => {
  let turns = 0;
  const seen: number[] = [];
  const app = new Slipstream();
  app.handle(scripted([[1, 2, 3]]), { sink: () => void seen.push(turns) }, function* (n) {
    queueMicrotask(() => turns++);
    yield n;
  });
  await app.stream(undefined, QUIET);
  assert.deepEqual(seen, [0, 0, 0]);
});

Deno.test("stream() runs again after it has ended", async () => {
  let count = 0;
  const app = new Slipstream();
  app.handle([1, 2], () => void count++);
  await app.stream(undefined, QUIET);
  await app.stream(undefined, QUIET);
  assert.equal(count, 4);
});

Deno.test("handle() reads streams of Node.js, and takes arrays and bytes in an array for messages", async () => {
  const seen: unknown[] = [];
  const app = new Slipstream();
  app.handle(Readable.from(["node"]), (value) => void seen.push(value));
  app.handle([["a", 1]], (value) => void seen.push(value));
  app.handle([new Uint8Array([1])], (value) => void seen.push(value.length));
  await app.stream(undefined, QUIET);
  assert.deepEqual(new Set(seen.map((value) => JSON.stringify(value))), new Set(['"node"', '["a",1]', "1"]));
});
