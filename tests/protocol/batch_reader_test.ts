import assert from "node:assert/strict";
import { Slipstream } from "@slipstream/slipstream";
import { type Batch, batchReader, type BatchSource, openSource } from "@slipstream/slipstream/protocol";
import { QUIET } from "../support/logged_stream.ts";

type Generate = (signal: AbortSignal) => AsyncGenerator<Batch<number>>;

function source(generate: Generate, close?: (reason?: unknown) => void | Promise<void>): BatchSource<number> {
  return { [openSource]: () => batchReader(generate, close) };
}

/** Rejects with the reason of the signal when it aborts. */
function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

/** Runs an app that is stopped when it has handled a message. */
async function stoppedAtFirst(generate: Generate, close?: (reason?: unknown) => void): Promise<void> {
  const app = new Slipstream();
  const enough = new AbortController();
  app.handle(source(generate, close), () => void setTimeout(() => enough.abort()));
  await app.stream({ ...QUIET, signal: enough.signal });
}

Deno.test("batchReader() asks its generator for a batch only when the run asks for one", async () => {
  let made = 0;
  const reader = batchReader<number>(async function* () {
    for (;;) yield { messages: [made++], done() {} };
  });
  const batches = reader.batches.getReader();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(made, 0);
  await batches.read();
  await batches.read();
  assert.equal(made, 2);
  reader.stop();
  assert.equal((await batches.read()).done, true);
  await reader.close();
});

Deno.test("batchReader() closes after the last batch is done, once, and after the generator's finally block", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(
    source(async function* () {
      try {
        yield { messages: [1], done: () => void log.push("done") };
        yield { messages: [2], done: () => void log.push("done") };
      } finally {
        log.push("finally");
      }
    }, () => void log.push("close")),
    (n) => void log.push(`${n}`),
  );
  await app.stream(QUIET);
  assert.deepEqual(log, ["1", "done", "2", "done", "finally", "close"]);
});

Deno.test("batchReader() aborts its signal at a stop, and takes the error of the wait for the end", async () => {
  let reason: unknown;
  await stoppedAtFirst(async function* (signal) {
    yield { messages: [1], done() {} };
    try {
      await forever(signal);
    } catch (error) {
      reason = error;
      throw error;
    }
  });
  assert.equal((reason as Error).name, "AbortError");
});

Deno.test("batchReader() ends its batches at a stop though the generator waits for something else", async () => {
  const answer = Promise.withResolvers<void>();
  let isClosed = false;
  await stoppedAtFirst(async function* () {
    yield { messages: [1], done() {} };
    await answer.promise;
  }, () => void (isClosed = true));
  assert.ok(isClosed);
  answer.resolve();
});

Deno.test("batchReader() fails the run with an error of the generator, before and after a stop", async () => {
  const app = new Slipstream();
  const reasons: unknown[] = [];
  app.handle(
    source(async function* () {
      yield { messages: [1], done() {} };
      throw new Error("cut off");
    }, (reason) => void reasons.push(reason)),
    () => {},
  );
  await assert.rejects(app.stream(QUIET), { message: "cut off" });
  assert.equal((reasons[0] as Error).message, "cut off");
  const atItsEnd = stoppedAtFirst(async function* () {
    try {
      for (let n = 0;; n++) {
        yield { messages: [n], done() {} };
        await new Promise((resolve) => setTimeout(resolve));
      }
    } finally {
      // deno-lint-ignore no-unsafe-finally
      throw new Error("can't log out");
    }
  });
  await assert.rejects(atItsEnd, { message: "can't log out" });
});
