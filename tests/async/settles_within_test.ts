import assert from "node:assert/strict";
import { settlesWithin } from "../../src/async/settles_within.ts";

Deno.test("settlesWithin() tells whether a promise settles in time, and throws no rejection", async () => {
  assert.equal(await settlesWithin(Promise.resolve(1), 10_000), true);
  assert.equal(await settlesWithin(Promise.reject(new Error("no")), 10_000), true);
  assert.equal(await settlesWithin(new Promise(() => {}), 1), false);
});

Deno.test("settlesWithin() leaves no timer running", { sanitizeOps: true, sanitizeResources: true }, async () => {
  await settlesWithin(Promise.resolve(), 10_000);
});

Deno.test("settlesWithin() sets its timer with the functions that it gets", async () => {
  const asked: number[] = [];
  const timers = {
    setTimeout: ((fire: () => void, ms: number) => (asked.push(ms), fire(), 1)) as unknown as typeof setTimeout,
    clearTimeout: () => {},
  };
  assert.equal(await settlesWithin(new Promise(() => {}), 60_000, timers), false);
  assert.deepEqual(asked, [60_000]);
});
