import assert from "node:assert/strict";
import { type ErrorPolicy, type HandlerError, Slipstream } from "@slipstream/slipstream";
import { type DeadLetterSink, openDeadLetters, type RawMessage } from "@slipstream/slipstream/protocol";
import { loggedSource, QUIET, turns } from "../support/logged_stream.ts";

/** Runs a handler that throws for 2; returns what the sink got and which messages are done. */
async function refusing(options: { readonly onError: ErrorPolicy }) {
  const log: string[] = [], out: number[] = [];
  const app = new Slipstream();
  app.handle(
    loggedSource([[1, 2], [3]], log),
    { ...options, name: "check", sink: (n: number) => void out.push(n) },
    (n) => {
      if (n === 2) throw new Error("no good");
      return n;
    },
  );
  const error = await app.stream(QUIET).then(() => undefined, (error: HandlerError) => error);
  return { out, error, done: log.filter((line) => line.startsWith("done")) };
}

Deno.test('onError "fail" ends the run before the message is done', async () => {
  const { out, error, done } = await refusing({ onError: "fail" });
  assert.deepEqual([out, done, error?.message], [[1], [], 'handler "check" failed on scripted@2: no good']);
});

Deno.test('onError "skip" goes on with the next message', async () => {
  assert.deepEqual(await refusing({ onError: "skip" }), { out: [1, 3], error: undefined, done: ["done 0", "done 1"] });
});

Deno.test("onError as a function receives the error, is awaited, and fails the run when it throws", async () => {
  const errors: HandlerError[] = [];
  const { out, error } = await refusing({
    onError: async (error) => {
      await turns();
      errors.push(error);
    },
  });
  assert.deepEqual([out, error, errors.map(({ value, handler }) => [value, handler])], [[1, 3], undefined, [[
    2,
    "check",
  ]]]);
  const failing = await refusing({
    onError: () => {
      throw new Error("no help");
    },
  });
  assert.match(failing.error!.message, /handler "check" failed on scripted@2: no help/);
  assert.deepEqual(failing.done, []);
});

Deno.test("a batch is done only when its dead letters have settled", async () => {
  const letters: RawMessage[] = [];
  const settling = Promise.withResolvers<void>();
  const sink: DeadLetterSink = {
    [openDeadLetters]: () => ({
      accept: (letter) => void letters.push(letter),
      settle: () => letters.length === 0 ? undefined : settling.promise,
      close() {},
    }),
  };
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(loggedSource([["ok"], ["bad"]], log), { onError: sink }, (word) => {
    if (word === "bad") throw new Error("no good");
  });
  const running = app.stream(QUIET);
  await turns();
  assert.deepEqual([log, letters.map(({ value }) => new TextDecoder().decode(value!))], [["done 0"], ["bad"]]);
  settling.resolve();
  await running;
  assert.deepEqual(log, ["done 0", "done 1", "closed source"]);
});

Deno.test("retry tries a handler and a sink again, and emits nothing twice", async () => {
  const out: string[] = [];
  let handled = 0, refused = 0;
  const app = new Slipstream();
  app.handle([1], {
    retry: { minTimeout: 1, maxAttempts: 3 },
    sink: [(line: string) => void out.push(line), (line: string) => {
      if (line === "b" && refused++ === 0) throw new Error("busy");
      out.push(line.toUpperCase());
    }],
  }, function* () {
    yield "a";
    if (handled++ < 2) throw new Error("not yet");
    yield "b";
  });
  await app.stream(QUIET);
  assert.deepEqual([handled, out], [3, ["a", "A", "b", "B"]]);
});

Deno.test("retry gives up after maxAttempts, or at once for an error that is not retriable, with that error", async () => {
  for (const [isRetriable, expected] of [[() => true, 3], [() => false, 1]] as const) {
    let attempts = 0;
    const failure = new Error("on purpose");
    const app = new Slipstream();
    app.handle([1], { retry: { minTimeout: 1, maxAttempts: 3, isRetriable } }, () => {
      attempts++;
      throw failure;
    });
    await assert.rejects(app.stream(QUIET), (error: HandlerError) => error.cause === failure);
    assert.equal(attempts, expected);
  }
});

Deno.test("other handlers of the source get a message that one handler skips", async () => {
  const seen: number[] = [];
  const app = new Slipstream();
  const source = loggedSource([[1, 2]]);
  app.handle(source, { onError: "skip" }, () => {
    throw new Error("never");
  });
  app.handle(source, (n) => void seen.push(n));
  await app.stream(QUIET);
  assert.deepEqual(seen, [1, 2]);
});

Deno.test("handle() refuses policies and options that are wrong or contradict each other", () => {
  const app = new Slipstream();
  const source = Object.assign(loggedSource([[1]]), {
    [openDeadLetters]: () => ({ accept() {}, settle() {}, close() {} }),
  });
  const bad = (options: unknown, expected: RegExp) =>
    assert.throws(() => app.handle(source, options as Record<never, never>, () => {}), expected);
  bad({ onError: "ignore" }, /onError must be "fail", "skip", a Topic.*got "ignore"/);
  bad({ onError: source }, /onError can't be a source of the handler/);
  bad({ retry: { maxAttempts: 0 } }, /retry: maxAttempts must be a whole number from 1 on: got 0/);
  bad({ retry: { minTimeout: 10, maxTimeout: 5 } }, /retry: minTimeout must be at most maxTimeout: got 10 and 5/);
  bad({ retry: { times: 3 } }, /retry: there is no option "times"/);
  bad({ concurrency: 0 }, /concurrency must be a whole number from 1 on: got 0/);
  bad({ concurrency: 1.5 }, /concurrency must be/);
  bad({ by: () => 1 }, /set concurrency above 1/);
  bad({ pipe: [5] }, /a stage of a pipe must be a TransformStream/);
});

Deno.test("handle() refuses to bind while the app runs", async () => {
  const app = new Slipstream();
  let refused: unknown;
  app.handle([1], () => {
    try {
      app.handle([2], () => {});
    } catch (error) {
      refused = error;
    }
  });
  await app.stream(QUIET);
  assert.match(String(refused), /can't bind while stream\(\) runs/);
});
