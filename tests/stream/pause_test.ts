import assert from "node:assert/strict";
import { Slipstream } from "@slipstream/slipstream";
import { loggedSource, QUIET, turns } from "../support/logged_stream.ts";

Deno.test("pause() holds back the messages from the next one on, and resume() goes on at once", async () => {
  const log: string[] = [];
  const source = loggedSource([[1, 2], [3]], log);
  const app = new Slipstream();
  app.handle(source, (n) => {
    log.push(`handled ${n}`);
    if (n === 1) app.pause(source);
  });
  const running = app.stream(QUIET);
  await turns();
  assert.deepEqual(log, ["handled 1"]);
  app.resume(source);
  await running;
  assert.deepEqual(log, ["handled 1", "handled 2", "done 0", "handled 3", "done 1", "closed source"]);
});

Deno.test("pause() before a run holds back every message, other sources go on, and a stop handles none of them", async () => {
  const log: string[] = [];
  const held = loggedSource([[1]], log);
  const abort = new AbortController();
  const app = new Slipstream();
  app.handle(held, (n) => void log.push(`handled ${n}`));
  app.handle([2], (n) => void log.push(`handled ${n}`));
  app.pause(held);
  const running = app.stream({ ...QUIET, signal: abort.signal });
  await turns();
  abort.abort();
  await running;
  assert.deepEqual(log, ["handled 2", "closed source"]);
  assert.throws(() => app.pause([3]), /pause\(\): no handler is bound to this source \(an Array\)/);
});

Deno.test("pause() and resume() reach an async generator through its yield, and a source through its methods", async () => {
  const told: unknown[] = [];
  async function* numbers(): AsyncGenerator<number | undefined, void, unknown> {
    for (let n = 0; n < 3; n++) {
      let signal = yield await Promise.resolve(n);
      while (signal !== undefined) {
        told.push(signal);
        signal = yield undefined;
      }
    }
  }
  const source = numbers();
  const methods = Object.assign([10].values(), {
    pause: () => told.push("paused"),
    resume: () => told.push("resumed"),
  });
  const seen: unknown[] = [];
  const app = new Slipstream();
  app.handle(source, (n) => {
    seen.push(n);
    if (n === 1) {
      app.pause(source);
      app.pause(methods);
      turns().then(() => {
        assert.deepEqual(seen.filter((n) => n !== 10), [0, 1]);
        app.resume(source);
        app.resume(methods);
      });
    }
  });
  app.handle(methods, (n) => void seen.push(n));
  await app.stream(QUIET);
  assert.deepEqual(seen.filter((n) => n !== 10), [0, 1, 2]);
  assert.ok(told.includes("pause") && told.includes("paused") && told.includes("resumed"), told.join());
});

Deno.test("stop() of a binding removes its handler, and ends a source that has no other", async () => {
  const seen: string[] = [];
  const app = new Slipstream();
  function* endless() {
    for (let n = 0;; n++) yield n;
  }
  const source = endless();
  const first = app.handle(source, { name: "first" }, async (n) => {
    seen.push(`first ${n}`);
    await turns();
    if (n === 1) first.stop();
  });
  const second = app.handle(source, { name: "second" }, (n) => {
    seen.push(`second ${n}`);
    if (n === 2) second.stop();
  });
  assert.deepEqual([first.name, first.describe()], ["first", "first: 1 source, 0 sinks"]);
  await app.stream(QUIET);
  assert.deepEqual(seen, ["first 0", "second 0", "first 1", "second 1", "second 2"]);
});
