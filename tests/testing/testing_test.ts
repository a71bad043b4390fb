import assert from "node:assert/strict";
import { cron, handle, HandlerError, Slipstream, stream, timer } from "@slipstream/slipstream";
import {
  type BatchSource,
  type DeadLetterSink,
  openDeadLetters,
  openSource,
  type RawMessage,
} from "@slipstream/slipstream/protocol";
import { delay, fail, FakeClock, runUntilIdle, scripted, together } from "@slipstream/slipstream/testing";

Deno.test("scripted() starts after the last batch that was done when it is read again", async () => {
  const source = scripted([1, together(2, 3), 4]);
  const seen: number[] = [];
  let broken = true;
  const app = new Slipstream();
  app.handle(source, { sink: (n: number) => seen.push(n) }, (n) => {
    if (n === 3 && broken) throw new Error("broken");
    return n;
  });
  await assert.rejects(
    app.stream({ handleSignals: false }),
    (error) => error instanceof HandlerError && error.source === "script[1]",
  );
  assert.deepEqual(source.done, [1]);
  broken = false;
  await app.stream({ handleSignals: false });
  assert.deepEqual([seen, source.done], [[1, 2, 2, 3, 4], [1, 2, 3, 4]]);
});

Deno.test("scripted() throws the error of a script once, and can be iterated", async () => {
  const source = scripted<string>(["a", fail(new Error("gone")), "b"]);
  const seen: string[] = [];
  await assert.rejects(async () => {
    for await (const one of source) seen.push(one);
  }, /gone/);
  for await (const one of source) seen.push(one);
  assert.deepEqual(seen, ["a", "b"]);
});

Deno.test('scripted() stops at once, in a delay and at the end of a script with then: "stayOpen"', async () => {
  for (const source of [scripted([1, delay(1_000_000), 2]), scripted([1], { then: "stayOpen" })]) {
    const app = new Slipstream();
    const ended = new AbortController();
    app.handle(source, { sink: () => void setTimeout(() => ended.abort()) }, (n) => n);
    await app.stream({ signal: ended.signal, handleSignals: false });
    assert.deepEqual([source.done, source.stopped], [[1], true]);
  }
});

Deno.test("delay() refuses a time out of range", () => {
  for (const ms of [-1, NaN, Infinity]) assert.throws(() => delay(ms), RangeError);
});

Deno.test("runUntilIdle() ends an app whose sources stay open when every batch has settled", async () => {
  const source = scripted(["a", delay(100), "b"], { then: "stayOpen" });
  const settled: string[] = [];
  const app = new Slipstream();
  const sink = async (value: string) => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    settled.push(value);
  };
  app.handle(source, { sink }, (value) => value);
  await runUntilIdle(app, { quietMs: 20 });
  assert.deepEqual([settled, source.done], [["a", "b"], ["a", "b"]]);
});

Deno.test("runUntilIdle() rejects with the app's error, and when the app is not idle in time", async () => {
  const failing = new Slipstream();
  failing.handle([1], { name: "work" }, () => {
    throw new Error("no");
  });
  await assert.rejects(runUntilIdle(failing), HandlerError);
  const busy = new Slipstream();
  busy.handle(scripted([1, delay(1_000_000)]), () => {});
  await assert.rejects(runUntilIdle(busy, { timeoutMs: 50 }), /not idle within 50 ms: 1 of 1 sources are busy/);
  const waiting = new Slipstream();
  waiting.handle(scripted([1], { then: "stayOpen" }), () => {});
  await assert.rejects(runUntilIdle(waiting, { until: () => false, timeoutMs: 100 }), /until\(\) returns false/);
  await assert.rejects(runUntilIdle(waiting, { quietMs: -1 }), RangeError);
  const wrong = () => {
    throw new TypeError("until what?");
  };
  await assert.rejects(runUntilIdle(waiting, { until: wrong }), /until what/);
  await runUntilIdle(waiting); // so it was ended
  await assert.rejects(runUntilIdle(new Slipstream()), /nothing to run/);
});

Deno.test("runUntilIdle() passes on every part of a batch and every call of a reader", async () => {
  const calls: unknown[] = [];
  const raw = { key: null, value: new Uint8Array([1]), headers: [] };
  const source: BatchSource<string> = {
    [openSource]: () => ({
      batches: ReadableStream.from([{
        messages: ["fine", "unreadable", "late"],
        unreadable: new Map([[1, { error: new Error("no text"), again: () => "" }]]),
        raw: () => raw,
        done: (handled?: number) => void calls.push(["done", handled]),
      }]),
      pause: () => void calls.push("pause"),
      resume: () => void calls.push("resume"),
      stop() {},
      close: () => Promise.resolve(),
    }),
  };
  const letters: RawMessage[] = [];
  const sink: DeadLetterSink = {
    [openDeadLetters]: () => ({ accept: (letter) => void letters.push(letter), settle() {}, close() {} }),
  };
  const app = new Slipstream();
  app.handle(source, { onError: sink }, (word) => {
    calls.push(word);
    app.pause(source);
    app.resume(source);
  });
  await runUntilIdle(app);
  assert.deepEqual(calls, ["fine", "pause", "resume", "late", "pause", "resume", ["done", undefined]]);
  assert.deepEqual(letters.map(({ value }) => value), [raw.value]);
  const stopped = new Slipstream();
  calls.length = 0;
  stopped.handle(source, { onError: sink }, () => stopped.pause(source));
  await assert.rejects(runUntilIdle(stopped, { timeoutMs: 50 }), /not idle/);
  assert.deepEqual(calls, ["pause", ["done", 1]]);
});

Deno.test("runUntilIdle() passes on whether a stale message was accepted before", async () => {
  const asked: unknown[] = [];
  const source: BatchSource<number> = {
    [openSource]: () => ({
      batches: ReadableStream.from([{
        messages: [1],
        stale: (message: number, isAccepted?: boolean) => (asked.push([message, isAccepted]), false),
        done() {},
      }]),
      stop() {},
      close: () => Promise.resolve(),
    }),
  };
  const app = new Slipstream();
  app.handle(source, { concurrency: 2 }, async () => {});
  await runUntilIdle(app);
  assert.deepEqual(asked, [[1, undefined], [1, true]]);
});

Deno.test("runUntilIdle() takes the stream() of the default app, and passes args", async () => {
  const seen: unknown[] = [];
  handle(scripted([1], { then: "stayOpen" }), { sink: (value: unknown) => seen.push(value) }, (n, args) => [n, args]);
  await runUntilIdle(stream, { args: "args" });
  assert.deepEqual(seen, [[1, "args"]]);
});

Deno.test("FakeClock runs timers and crons when advance() passes their times", async () => {
  using clock = FakeClock.install({ now: Date.UTC(2026, 0, 1, 0, 0) });
  const app = new Slipstream();
  const log: string[] = [];
  const at = ({ time }: { time: number }) => new Date(time).toISOString().slice(5, 16);
  const sink = (line: string) => log.push(line);
  app.handle(timer(40 * 60_000), { sink }, (tick) => `timer ${at(tick)}`);
  app.handle(cron("hourly", "0 * * * *"), { sink }, (tick) => `hourly ${at(tick)}`);
  // 1 January 2026 is a Thursday: the fifth day.
  app.handle(cron("fridays", { hour: 1, dayOfWeek: 6 }), { sink }, (tick) => `fridays ${at(tick)}`);
  const ended = new AbortController();
  const running = app.stream({ signal: ended.signal, handleSignals: false });
  await clock.advance(2 * 3_600_000);
  assert.deepEqual(log, [
    "timer 01-01T00:40",
    "hourly 01-01T01:00",
    "timer 01-01T01:20",
    "hourly 01-01T02:00",
    "timer 01-01T02:00",
  ]);
  await clock.advance(24 * 3_600_000);
  assert.deepEqual(log.filter((line) => line.startsWith("fridays")), ["fridays 01-02T01:00"]);
  ended.abort();
  await running;
  assert.deepEqual(clock.crons, []);
});

Deno.test("FakeClock rejects advance() with the error of a cron, and refuses a second clock and unknown crons", async () => {
  using clock = FakeClock.install();
  assert.throws(() => FakeClock.install(), /installed already/);
  await assert.rejects(clock.runCron("none"), /There is no cron "none"/);
  assert.throws(() => cron("wrong", "now and then"), TypeError);
  const app = new Slipstream();
  app.handle(cron("bad", "* * * * *"), () => {
    throw new Error("no");
  });
  const running = assert.rejects(app.stream({ handleSignals: false }), HandlerError);
  await assert.rejects(clock.advance(60_000), HandlerError);
  await running;
});

Deno.test("FakeClock.uninstall() restores the globals", () => {
  const before = [setTimeout, Date, Deno.cron];
  FakeClock.install().uninstall();
  assert.ok([setTimeout, Date, Deno.cron].every((one, index) => one === before[index]));
});

Deno.test("runUntilIdle() under a FakeClock rejects in real time while a retry or a handler waits for the clock", async () => {
  using _clock = FakeClock.install();
  const retrying = new Slipstream();
  const source = scripted([1, 2], { then: "stayOpen" });
  retrying.handle(source, { retry: { minTimeout: 5000, jitter: 0 }, onError: "skip" }, () => {
    throw new Error("service down");
  });
  await assert.rejects(
    runUntilIdle(retrying, { timeoutMs: 100 }),
    /^Error: runUntilIdle\(\): the app was not idle within 100 ms: 1 of 1 sources are busy, 1 batches are not settled$/,
  );
  assert.deepEqual(source.done, []);

  const waiting = new Slipstream();
  waiting.handle(scripted([1]), () => new Promise<void>((resolve) => setTimeout(resolve, 1000)));
  await assert.rejects(runUntilIdle(waiting, { timeoutMs: 100 }), /within 100 ms, nor did it end within 2000 ms after/);
});
