import assert from "node:assert/strict";
import { cron, HandlerError, Slipstream } from "@slipstream/slipstream";

type Due = () => Promise<void>;

/** Puts a Deno.cron of the test's own into place: its ticks come when the test says so. */
async function withCron(body: (registered: Map<string, Due>) => Promise<void>): Promise<void> {
  const original = Deno.cron;
  const registered = new Map<string, Due>();
  const fake = (name: string, _schedule: unknown, { signal }: { signal: AbortSignal }, due: Due) => {
    registered.set(name, due);
    signal.addEventListener("abort", () => registered.delete(name));
    return Promise.resolve();
  };
  Object.defineProperty(Deno, "cron", { value: fake, configurable: true, writable: true });
  try {
    await body(registered);
  } finally {
    Object.defineProperty(Deno, "cron", { value: original, configurable: true, writable: true });
  }
}

Deno.test("cron() registers when it is called, and its run lasts until the sinks have settled the tick", () =>
  withCron(async (registered) => {
    const source = cron("drain", "* * * * *");
    const run = registered.get("drain")!();
    let over = false;
    run.then(() => over = true);
    const app = new Slipstream();
    const ended = new AbortController();
    const sinking = Promise.withResolvers<void>(), begun = Promise.withResolvers<void>();
    app.handle(source, { sink: () => (begun.resolve(), sinking.promise) }, ({ time }) => time);
    const streaming = app.stream({ signal: ended.signal, handleSignals: false });
    await begun.promise;
    assert.equal(over, false);
    sinking.resolve();
    await run;
    ended.abort();
    await streaming;
    assert.equal(registered.size, 0);
  }));

Deno.test("cron() fails its run when the handler failed, with the handler's error", () =>
  withCron(async (registered) => {
    const app = new Slipstream();
    app.handle(cron("bad", "* * * * *"), { name: "work" }, () => {
      throw new Error("no");
    });
    const run = registered.get("bad")!();
    const failed = assert.rejects(run, (error) => error instanceof HandlerError && error.handler === "work");
    await assert.rejects(app.stream({ handleSignals: false }), HandlerError);
    await failed;
  }));

Deno.test("cron() refuses a schedule that can't be parsed, and says when Deno.cron is missing", async () => {
  assert.throws(() => cron("wrong", "every now and then"), /cron "wrong": can't be registered on "every now and then"/);
  const original = Deno.cron;
  Object.defineProperty(Deno, "cron", { value: undefined, configurable: true, writable: true });
  try {
    assert.throws(() => cron("none", "* * * * *"), /needs --unstable-cron/);
  } finally {
    Object.defineProperty(Deno, "cron", { value: original, configurable: true, writable: true });
  }
  await Promise.resolve();
});

Deno.test("cron() reports all problems of its parameters at once, and registers nothing", () =>
  withCron((registered) => {
    for (const name of ["", "a/b", "x".repeat(65), 5 as never]) {
      assert.throws(() => cron(name, "* * * * *"), /the name must be 1 to 64 letters.*: got/);
    }
    for (const schedule of [5, null, undefined, [], true]) {
      assert.throws(() => cron("wrong", schedule as never), /the schedule must be a string or an object: got/);
    }
    const wrong = { hours: 3, minute: "5", month: { evry: 2 }, dayOfWeek: { exact: ["1"], every: null } };
    assert.throws(() => (cron as (...args: unknown[]) => unknown)("a/b", wrong, { backoffSchedule: [] }), {
      name: "TypeError",
      message: `cron(): 7 problems
  - the name must be 1 to 64 letters, digits, spaces, "-" and "_": got "a/b"
  - schedule: there is no option "hours": did you mean "hour"?
  - schedule: minute must be a number or an object such as { every: 10 }: got a string
  - schedule: month: there is no option "evry": did you mean "every"?
  - schedule: dayOfWeek: exact must be a number or an array of numbers: got an Array
  - schedule: dayOfWeek: every must be a number: got null
  - it takes a name and a schedule: got 3 parameters`,
    });
    assert.equal(registered.size, 0);
    return Promise.resolve();
  }));

Deno.test("cron() takes each form of a schedule that Deno.cron takes", () =>
  withCron((registered) => {
    const schedules: Deno.CronSchedule[] = [
      {},
      { minute: 5, hour: { exact: [1, 2] }, dayOfMonth: { exact: 1 } },
      { month: { start: 1, end: 6, every: 2 }, dayOfWeek: { every: 2 } },
    ];
    for (const [n, schedule] of schedules.entries()) cron(`job ${n}`, schedule);
    assert.equal(registered.size, schedules.length);
    return Promise.resolve();
  }));
