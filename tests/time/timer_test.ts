import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { Slipstream, type Tick, timer } from "@slipstream/slipstream";

Deno.test("timer() does not drift, and merges the ticks that a slow handler missed", async () => {
  const clock = FakeTimers.install({ now: 1000, toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  try {
    const ticks: Tick[] = [];
    const app = new Slipstream();
    const ended = new AbortController();
    app.handle(timer(100), async (tick) => {
      ticks.push(tick);
      // The second takes the time of two and a half.
      await new Promise((resolve) => setTimeout(resolve, ticks.length === 2 ? 250 : 30));
      if (ticks.length === 5) ended.abort();
    });
    const running = app.stream({ signal: ended.signal, handleSignals: false });
    await clock.tickAsync(1000);
    await running;
    assert.deepEqual(ticks.map(({ time, skipped }) => [time - 1000, skipped]), [
      [100, 0],
      [200, 0],
      [400, 1],
      [500, 0],
      [600, 0],
    ]);
    assert.equal(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

// Deno's sanitizers are off unless a test asks for them.
Deno.test("timer() stops at once when the run is aborted", { sanitizeOps: true, sanitizeResources: true }, async () => {
  const app = new Slipstream();
  const ended = new AbortController();
  app.handle(timer(1_000_000), () => {});
  const running = app.stream({ signal: ended.signal, handleSignals: false });
  setTimeout(() => ended.abort(), 1);
  await running; // and the sanitizer sees that no timer is left
});

Deno.test("timer() ends a pending next() when the loop is left", async () => {
  const ticks = timer(1_000_000)[Symbol.asyncIterator]();
  const next = ticks.next();
  await ticks.return!();
  assert.equal((await next).done, true);
});

Deno.test("timer() refuses a time that is out of range, of the wrong type, or that comes with options", () => {
  for (const ms of [0, -1, NaN, Infinity, 2 ** 31]) {
    assert.throws(() => timer(ms), { name: "RangeError", message: new RegExp(`above 0 and at most.*: got ${ms}$`) });
  }
  assert.throws(() => timer("5" as never), {
    name: "TypeError",
    message: "timer(): the time between ticks must be a number: got a string",
  });
  assert.throws(() => (timer as (...args: unknown[]) => unknown)("5", { signal: 1 }), {
    name: "TypeError",
    message: `timer(): 2 problems
  - the time between ticks must be a number: got a string
  - it takes the time between ticks alone: got 2 parameters`,
  });
});
