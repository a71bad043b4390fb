import assert from "node:assert/strict";
import { type HandlerError, Slipstream } from "@slipstream/slipstream";
import { type Batch, type Delivery, openDeadLetters, openSink, openSource } from "@slipstream/slipstream/protocol";
import { Settlements } from "../../src/protocol/settlement.ts";
import { loggedSource, QUIET, turns } from "../support/logged_stream.ts";

/** How a run ends: `"resolved"`, `"rejected: …"`, or `"hangs"` if it takes longer than a time. */
async function outcome(running: Promise<void>, withinMs = 3000): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => timer = setTimeout(() => resolve("hangs"), withinMs));
  const ended = running.then(() => "resolved", (error: Error) => `rejected: ${error.message}`);
  return await Promise.race([ended, late]).finally(() => clearTimeout(timer));
}

/** A sink that several handlers share. The test delivers its values one by one. */
function shared() {
  const settlements = new Settlements();
  const waiting = new Map<unknown, (failure?: { readonly error: unknown }) => void>();
  return {
    deliver: (value: unknown) => waiting.get(value)!(),
    fail: (value: unknown, error: unknown) => waiting.get(value)!({ error }),
    waiting,
    [openSink]: () => ({
      accept: (value: unknown, delivery: Delivery) => {
        const account = settlements.of(delivery);
        account.accepted();
        waiting.set(value, (failure) => account.settled(failure));
      },
      settle: (delivery: Delivery) => settlements.outcome(delivery),
      close() {},
    }),
  };
}

Deno.test("two sources share a sink: each batch is done when its own values are delivered, in any order", async () => {
  const log: string[] = [];
  const sink = shared();
  const app = new Slipstream();
  app.handle([loggedSource([["a1", "a2"], ["a3"]], log), loggedSource([["b1"]], log)], { sink }, (value) => value);
  const running = app.stream(QUIET);
  await turns();
  sink.deliver("b1");
  await turns();
  assert.deepEqual(log, ["done 0", "closed source"]);
  sink.deliver("a3");
  sink.deliver("a2");
  await turns();
  assert.deepEqual(log, ["done 0", "closed source"]);
  sink.deliver("a1");
  await running;
  assert.deepEqual(log, ["done 0", "closed source", "done 0", "done 1", "closed source"]);
});

Deno.test("a failure belongs to its batch, though another batch and another source settle first", async () => {
  const a: string[] = [], b: string[] = [];
  const sink = shared();
  const app = new Slipstream();
  app.handle(
    [loggedSource([["a1"], ["a2"], ["a3"]], a), loggedSource([["b1"]], b)],
    { name: "copy", sink },
    (value) => value,
  );
  const running = outcome(app.stream(QUIET));
  await turns();
  sink.fail("a2", new Error("disk full"));
  await turns();
  sink.deliver("b1");
  sink.deliver("a3");
  sink.deliver("a1");
  assert.equal(await running, 'rejected: handler "copy" failed: disk full');
  assert.deepEqual([a, b], [["done 0", "closed source"], ["done 0", "closed source"]]);
});

for (const kind of ["generator", "TransformStream"]) {
  Deno.test(`a ${kind} that ends early ends its source: what it did not get is not done`, async () => {
    const two = kind === "generator"
      ? async function* (numbers: AsyncIterable<number>) {
        let count = 0;
        for await (const n of numbers) {
          yield n;
          if (++count === 2) return;
        }
      }
      : () => {
        let count = 0;
        return new TransformStream<number, number>({
          transform(n, out) {
            out.enqueue(n);
            if (++count === 2) out.terminate();
          },
        });
      };
    for (const batches of [[[1], [2], [3], [4]], [[1, 2, 3], [4]]]) {
      const source = loggedSource(batches), seen: number[] = [];
      const app = new Slipstream();
      app.handle(source, { pipe: [two] }, (n) => void seen.push(n));
      assert.equal(await outcome(app.stream(QUIET)), "resolved");
      assert.deepEqual([seen, source.done], [[1, 2], [1, 2]]);
    }
    // Another handler of the source goes on when the pipe of this one has ended.
    const one = loggedSource([[1], [2], [3]]), seen: number[] = [], others: number[] = [];
    const app = new Slipstream();
    app.handle(one, { pipe: [two] }, (n) => void seen.push(n));
    app.handle(one, (n) => void others.push(n));
    assert.equal(await outcome(app.stream(QUIET)), "resolved");
    assert.deepEqual([seen, others, one.done], [[1, 2], [1, 2, 3], [1, 2, 3]]);
  });
}

async function* debounced(numbers: AsyncIterable<number>): AsyncGenerator<number[]> {
  const iterator = numbers[Symbol.asyncIterator]();
  let next = iterator.next(), held: number[] = [];
  for (;;) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const result = await Promise.race([
      next,
      new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), 20)),
    ]);
    clearTimeout(timer);
    if (result !== undefined && !result.done) {
      held.push(result.value);
      next = iterator.next();
      continue;
    }
    if (held.length > 0) yield held;
    held = [];
    if (result?.done) return;
  }
}

async function* thenQuiet(...numbers: number[]): AsyncGenerator<number> {
  yield* numbers;
  await new Promise((resolve) => setTimeout(resolve, 100));
}

Deno.test("retry and onError apply to what a pipe emits at its end, and it settles before the run ends", async () => {
  const refuse = (numbers: number[]) => {
    throw new Error(`can't handle ${numbers}`);
  };
  const failing = new Slipstream();
  failing.handle(thenQuiet(1, 2), { name: "late", pipe: [debounced] }, refuse);
  assert.equal(await outcome(failing.stream(QUIET)), `rejected: handler "late" failed: can't handle 1,2`);

  const told: HandlerError[] = [];
  const telling = new Slipstream();
  telling.handle([thenQuiet(1, 2), thenQuiet(3)], { pipe: [debounced], onError: (error) => told.push(error) }, refuse);
  assert.equal(await outcome(telling.stream(QUIET)), "resolved");
  assert.deepEqual(told.flatMap(({ value }) => value as number[]).toSorted(), [1, 2, 3]);

  const sink = shared();
  const settling = new Slipstream();
  settling.handle(thenQuiet(1), { name: "late", pipe: [debounced], sink }, ([n]) => n);
  const running = outcome(settling.stream(QUIET));
  while (sink.waiting.size === 0) await turns();
  sink.fail(1, new Error("refused"));
  assert.equal(await running, 'rejected: handler "late" failed: refused');
});

Deno.test("a stage that fails between messages fails with no message as its value", async () => {
  async function* failsLater(numbers: AsyncIterable<number>): AsyncGenerator<number> {
    const iterator = numbers[Symbol.asyncIterator]();
    const { value } = await iterator.next();
    yield value;
    void iterator.next();
    await turns();
    throw new Error("lost its connection");
  }
  async function* slowly() {
    for (const n of [1, 2, 3]) {
      yield n;
      await turns();
      await turns();
    }
  }
  const seen: number[] = [], told: unknown[] = [];
  const app = new Slipstream();
  app.handle(slowly(), { pipe: [failsLater], onError: ({ value }) => told.push(value) }, (n) => void seen.push(n));
  assert.equal(await outcome(app.stream(QUIET)), "resolved");
  assert.deepEqual([seen, told], [[1, 2, 3], [undefined, undefined, undefined]]);
});

Deno.test("a stage that is retried emits nothing twice", async () => {
  let attempts = 0;
  const seen: string[] = [];
  const app = new Slipstream();
  app.handle([1, 2].values(), {
    pipe: [async function* (numbers: AsyncIterable<number>) {
      for await (const n of numbers) {
        yield `${n}a`;
        if (attempts++ < 2) throw new Error("flaky stage");
        yield `${n}b`;
      }
    }],
    retry: { maxAttempts: 5, minTimeout: 1, maxTimeout: 2 },
    sink: (text: string) => void seen.push(text),
  }, (text) => text);
  await app.stream(QUIET);
  assert.deepEqual(seen, ["1a", "1b", "2a", "2b"]);
});

Deno.test("dead letters of values that a pipe emits by itself hold these values", async () => {
  const letters: string[] = [];
  const deadLetters = {
    [openDeadLetters]: () => ({
      accept: ({ value }: { value: Uint8Array | null }) => void letters.push(new TextDecoder().decode(value!)),
      settle() {},
      close() {},
    }),
  };
  const app = new Slipstream();
  app.handle(thenQuiet(1, 2), { pipe: [debounced], onError: deadLetters }, () => {
    throw new Error("no");
  });
  app.handle([3, 4], {
    pipe: [async function* (numbers: AsyncIterable<number>) {
      yield await Array.fromAsync(numbers);
    }],
    onError: deadLetters,
  }, () => {
    throw new Error("no");
  });
  await app.stream(QUIET);
  assert.deepEqual(letters.toSorted(), ["[1,2]", "[3,4]"]);
});

Deno.test("a stop in a synchronous handler leaves the rest of the batch to the next run", async () => {
  const source = loggedSource([[1, 2, 3, 4, 5], [6]]), other = loggedSource([[1], [2]]);
  const seen: number[] = [];
  const app = new Slipstream();
  const binding = app.handle(source, (n) => {
    seen.push(n);
    if (n === 3) binding.stop();
  });
  app.handle(other, () => {});
  await app.stream(QUIET);
  assert.deepEqual([seen, source.done, other.done], [[1, 2, 3], [1, 2, 3], [1, 2]]);
});

for (const concurrency of [1, 3]) {
  Deno.test(`a stop cuts the wait for another attempt short, ${concurrency} at a time: the message is not done`, async () => {
    for (const how of ["signal", "binding"]) {
      for (const onError of ["fail", "skip"] as const) {
        const source = loggedSource([[1, 2, 3], [4]]), seen: number[] = [];
        const abort = new AbortController(), waits = Promise.withResolvers<void>();
        const app = new Slipstream();
        const retry = { minTimeout: 60_000, jitter: 0 };
        const binding = app.handle(source, { concurrency, retry, onError }, (n) => {
          seen.push(n);
          if (n === 2) {
            waits.resolve();
            throw new Error("service down");
          }
        });
        const running = app.stream({ ...QUIET, signal: abort.signal });
        await waits.promise;
        await turns();
        how === "signal" ? abort.abort() : binding.stop();
        assert.equal(await outcome(running), "resolved");
        assert.deepEqual(source.done, [1]);
        if (concurrency === 1) assert.deepEqual(seen, [1, 2]);
      }
    }
  });
}

Deno.test("retry.signal makes no message done: the run ends with the handler's error under every policy", async () => {
  for (const onError of ["fail", "skip", () => {}] as const) {
    const source = loggedSource([[1], [2], [3]]);
    const abort = new AbortController();
    const app = new Slipstream();
    const retry = { minTimeout: 60_000, jitter: 0, signal: abort.signal };
    app.handle(source, { name: "call", retry, onError }, (n) => {
      if (n !== 2) return;
      setTimeout(() => abort.abort());
      throw new Error("service down");
    });
    assert.equal(
      await outcome(app.stream(QUIET)),
      'rejected: handler "call" failed on scripted@2: service down',
    );
    assert.deepEqual(source.done, [1]);
  }
});

Deno.test("a run rejects with its first failure in time, whatever fails second", async () => {
  const never = () => new Promise<void>(() => {});
  const later = (message: string) => new Promise<void>((_, reject) => setTimeout(() => reject(new Error(message)), 30));
  const settles: [string, () => Promise<void>][] = [["never", never], ["later", () => later("second")]];
  for (const [, settle] of settles) {
    for (const close of [() => {}, never, () => later("third")]) {
      const log: string[] = [];
      const sink = { [openSink]: () => ({ accept() {}, settle, close }) };
      const app = new Slipstream();
      app.handle(loggedSource([[1], [2], [3], [4]], log), { name: "first", sink }, async (n) => {
        await turns();
        if (n === 3) throw new Error("on purpose");
        return n;
      });
      app.handle(loggedSource([[1], [2]], log), { sink }, (n) => n);
      const running = app.stream({ ...QUIET, shutdownTimeoutMs: 200 });
      const ended = await outcome(running, 8000);
      assert.match(ended, /^rejected: handler "(first|handler)" failed( on scripted@3)?: (on purpose|second)$/);
      assert.ok(!log.includes("done 0"), log.join());
    }
  }
});

Deno.test("stream() rejects when a stop takes longer than shutdownTimeoutMs, names what still runs, and marks nothing as done later", async () => {
  const source = loggedSource([[1], [2]]), end = Promise.withResolvers<void>();
  const abort = new AbortController();
  const app = new Slipstream();
  app.handle(source, { name: "stuck" }, async () => {
    abort.abort();
    await end.promise;
  });
  const running = app.stream({ ...QUIET, signal: abort.signal, shutdownTimeoutMs: 50 });
  assert.match(await outcome(running), /^rejected: stream\(\) did not end within 50 ms .*: stuck: 1 source, 0 sinks;/);
  end.resolve();
  await turns();
  assert.deepEqual(source.done, []);
});

Deno.test("a stop ends the wait for a sink's room within a second, and the message is not done", async () => {
  const abort = new AbortController();
  const source = loggedSource([[1, 2, 3]]);
  const full = {
    [openSink]: () => ({
      accept: (n: unknown) => n === 2 ? new Promise<void>(() => {}) : undefined,
      settle() {},
      close() {},
    }),
  };
  const app = new Slipstream();
  app.handle(source, { sink: full }, (n) => n);
  const running = app.stream({ ...QUIET, signal: abort.signal });
  await turns();
  abort.abort();
  assert.equal(await outcome(running, 2000), "resolved");
  assert.deepEqual(source.done, [1]);
});

Deno.test("a sink that can't take anything any more ends the run under every policy, before and after it accepts a value", async () => {
  const fatal = Object.assign(new Error("fenced"), { fatal: true });
  const refusing = { [openSink]: () => ({ accept: () => Promise.reject(fatal), settle() {}, close() {} }) };
  const failing = {
    [openSink]: () => {
      const settlements = new Settlements();
      return {
        accept(_: unknown, delivery: Delivery, message?: unknown) {
          const account = settlements.of(delivery);
          account.accepted();
          (async () => await delivery.undelivered(fatal, message))()
            .then(() => account.settled(), (error) => account.settled({ error }));
        },
        settle: (delivery: Delivery) => settlements.outcome(delivery),
        close() {},
      };
    },
  };
  for (const sink of [refusing, failing]) {
    for (const onError of ["skip", () => {}] as const) {
      const source = loggedSource([[1], [2]]);
      const app = new Slipstream();
      app.handle(source, { name: "copy", sink, onError, retry: { minTimeout: 60_000 } }, (n) => n);
      assert.match(await outcome(app.stream(QUIET)), /^rejected: handler "copy" failed on .*: fenced$/);
      assert.deepEqual(source.done, []);
    }
  }
});

Deno.test("a source is read on only while its batches that are not done stay below a size", async () => {
  let read = 0;
  const settle = Promise.withResolvers<void>();
  const source = {
    [openSource]: () => ({
      batches: new ReadableStream<Batch<number>>({
        pull(controller) {
          if (read === 12) return controller.close();
          controller.enqueue({ messages: [read++], bytes: 20_000_000, done() {} });
        },
      }, { highWaterMark: 0 }),
      stop() {},
      close: () => Promise.resolve(),
    }),
  };
  const app = new Slipstream();
  app.handle(
    source,
    { sink: { [openSink]: () => ({ accept() {}, settle: () => settle.promise, close() {} }) } },
    (n) => n,
  );
  const running = app.stream(QUIET);
  await turns();
  assert.equal(read, 4);
  settle.resolve();
  await running;
  assert.equal(read, 12);
});

for (const halves of [false, true]) {
  const what = halves ? "two halves of a TransformStream" : "a TransformStream";
  Deno.test(`${what} between handlers ends when what feeds it has ended, and survives a stop`, async () => {
    for (const stops of [false, true]) {
      const between = new TransformStream<number, number>();
      const abort = new AbortController();
      const first = loggedSource(stops ? [[1, 2], [3], [4]] : [[1, 2], [3]]), out: number[] = [];
      const app = new Slipstream();
      app.handle(halves ? between.readable : between, { sink: (n: number) => void out.push(n) }, async (n) => {
        await turns();
        return n * 10;
      });
      app.handle(first, { sink: halves ? between.writable : between }, (n) => {
        if (n === 3 && stops) abort.abort();
        return n;
      });
      assert.equal(await outcome(app.stream({ ...QUIET, signal: abort.signal })), "resolved");
      assert.deepEqual([out, first.done], [[10, 20, 30], [1, 2, 3]]);
    }
  });
}

Deno.test("two TransformStreams in a circle of handlers end at a stop", async () => {
  const [there, back] = [new TransformStream<number, number>(), new TransformStream<number, number>()];
  const abort = new AbortController();
  let laps = 0;
  const app = new Slipstream();
  app.handle(there, { sink: back }, (n) => n + 1);
  app.handle([back, [0].values()], { sink: there }, (n) => {
    if (++laps === 10) abort.abort();
    return n;
  });
  assert.notEqual(await outcome(app.stream({ ...QUIET, signal: abort.signal })), "hangs");
  assert.ok(laps >= 10);
});

Deno.test("a stop does not wait for the retries of a handler whose source another handler writes to: the policy applies", async () => {
  const between = new TransformStream<number, number>(), abort = new AbortController();
  const told: unknown[] = [], waits = Promise.withResolvers<void>();
  const app = new Slipstream();
  const retry = { minTimeout: 60_000, jitter: 0 };
  app.handle(between, { retry, onError: ({ value }) => told.push(value) }, (n) => {
    if (n !== 2) return;
    waits.resolve();
    throw new Error("service down");
  });
  app.handle(loggedSource([[1, 2, 3]]), { sink: between }, (n) => n);
  const running = app.stream({ ...QUIET, signal: abort.signal });
  await waits.promise;
  await turns();
  abort.abort();
  assert.equal(await outcome(running), "resolved");
  assert.deepEqual(told, [2]);
});

Deno.test("a sink that can't be closed ends the run, though another source goes on", async () => {
  const closing = { [openSink]: () => ({ accept() {}, settle() {}, close: () => Promise.reject(new Error("lost")) }) };
  async function* endless() {
    for (let n = 0;; n++) yield await new Promise<number>((resolve) => setTimeout(() => resolve(n), 1));
  }
  const app = new Slipstream();
  app.handle(loggedSource([[1], [2]]), { sink: closing }, (n) => n);
  app.handle(endless(), () => {});
  assert.equal(await outcome(app.stream(QUIET)), "rejected: lost");
});
