import assert from "node:assert/strict";
import { Slipstream } from "@slipstream/slipstream";
import { loggedSource, QUIET, turns } from "../support/logged_stream.ts";

async function* pairwise(numbers: AsyncIterable<number>): AsyncGenerator<readonly [number, number]> {
  let last: number | undefined;
  for await (const n of numbers) {
    if (last !== undefined) yield [last, n] as const;
    last = n;
  }
}

async function* accumulate(numbers: AsyncIterable<number>): AsyncGenerator<number> {
  let sum = 0;
  for await (const n of numbers) yield sum += n;
}

const doubled = () => new TransformStream<number, number>({ transform: (n, out) => out.enqueue(n * 2) });

Deno.test("pipe composes generators and streams in order, before the handler", async () => {
  const out: string[] = [];
  const app = new Slipstream();
  app.handle(
    [1, 2, 3].values(),
    { pipe: [accumulate, doubled(), pairwise], sink: (line: string) => void out.push(line) },
    ([a, b]) => `${a}-${b}`,
  );
  await app.stream(QUIET);
  assert.deepEqual(out, ["2-6", "6-12"]);
});

Deno.test("a batch is done when the values that a pipe made of its messages are handled, TransformStreams included", async () => {
  for (const pipe of [accumulate, doubled()]) {
    const log: string[] = [];
    const app = new Slipstream();
    app.handle(loggedSource([[1, 2], [3]], log), { pipe: [pipe] }, async (n) => {
      await turns();
      log.push(`handled ${n}`);
    });
    await app.stream(QUIET);
    assert.deepEqual(log.map((line) => line.split(" ")[0]), [
      "handled",
      "handled",
      "done",
      "handled",
      "done",
      "closed",
    ]);
  }
});

Deno.test("a TransformStream that makes many values of a message is read before the next message, however slow the handler", async () => {
  const many = new TransformStream<number, string>({
    async transform(n, out) {
      await turns();
      for (const letter of "abc") out.enqueue(`${letter}${n}`);
    },
    flush: (out) => out.enqueue("end"),
  });
  const log: string[] = [];
  const app = new Slipstream();
  app.handle(loggedSource([[1], [2]], log), { pipe: [many] }, async (line) => {
    await turns();
    log.push(line);
  });
  await app.stream(QUIET);
  assert.deepEqual(log, ["a1", "b1", "c1", "done 0", "a2", "b2", "c2", "done 1", "end", "closed source"]);
});

Deno.test("values that a pipe holds back are handled and settled at its end", async () => {
  async function* inTwos(numbers: AsyncIterable<number>) {
    let some: number[] = [];
    for await (const n of numbers) {
      some.push(n);
      if (some.length === 2) {
        yield some;
        some = [];
      }
    }
    if (some.length > 0) yield some;
  }
  const out: string[] = [];
  const sink = new WritableStream<string>({
    write: (line) => void out.push(line),
    close: () => void out.push("closed"),
  });
  const app = new Slipstream();
  app.handle([1, 2, 3].values(), { pipe: [inTwos], sink }, (some) => some.join());
  await app.stream(QUIET);
  assert.deepEqual(out, ["1,2", "3", "closed"]);
});

Deno.test("retry and onError apply to a stage that fails, and the pipe goes on with a new generator", async () => {
  let made = 0;
  async function* checked(numbers: AsyncIterable<number>) {
    made++;
    for await (const n of numbers) {
      if (n === 2) throw new Error("no twos");
      yield n;
    }
  }
  const seen: number[] = [], errors: string[] = [];
  const app = new Slipstream();
  app.handle(
    loggedSource([[1, 2, 3]]),
    { name: "check", pipe: [checked], onError: ({ message }) => errors.push(message) },
    (n) => void seen.push(n),
  );
  await app.stream(QUIET);
  assert.deepEqual([seen, errors, made], [[1, 3], ['handler "check" failed on scripted@2: no twos'], 2]);
});

Deno.test("retry and onError apply to a handler behind a pipe, and the pipe goes on", async () => {
  const seen: number[] = [];
  const app = new Slipstream();
  app.handle([1, 2, 3].values(), { pipe: [accumulate], onError: "skip" }, (n) => {
    if (n === 3) throw new Error("no threes");
    seen.push(n);
  });
  await app.stream(QUIET);
  assert.deepEqual(seen, [1, 6]);
  const failing = new Slipstream();
  let ended = false;
  failing.handle([1, 2].values(), {
    pipe: [async function* (numbers: AsyncIterable<number>) {
      try {
        yield* numbers;
      } finally {
        ended = true;
      }
    }],
  }, () => {
    throw new Error("on purpose");
  });
  await assert.rejects(failing.stream(QUIET), /on purpose/);
  assert.ok(ended);
});

const checked = () =>
  new TransformStream<number, number>({
    transform(n, out) {
      if (n === 2) throw new Error("no twos");
      out.enqueue(n);
    },
  });

Deno.test("a TransformStream that failed ends the run at the next message under every policy", async () => {
  const log: string[] = [], seen: number[] = [];
  const app = new Slipstream();
  app.handle(
    loggedSource([[1], [2], [3], [4]], log),
    { name: "check", pipe: [checked()], onError: "skip", retry: { minTimeout: 1 } },
    (n) => void seen.push(n),
  );
  await assert.rejects(app.stream(QUIET), (error: Error) => {
    assert.match(
      error.message,
      /handler "check" failed on scripted@3: the pipe can't go on, since its TransformStream/,
    );
    return true;
  });
  assert.deepEqual([seen, log], [[1], ["done 0", "done 1", "closed source"]]);
});

Deno.test("a function that makes a TransformStream makes another after an error, and in the next run", async () => {
  const seen: number[] = [];
  const app = new Slipstream();
  app.handle([1, 2, 3], { pipe: [checked, doubled], onError: "skip" }, (n) => void seen.push(n));
  await app.stream(QUIET);
  await app.stream(QUIET);
  assert.deepEqual(seen, [2, 6, 2, 6]);
});

Deno.test("a TransformStream that is in use, or was in an earlier run, is refused before anything is read", async () => {
  const app = new Slipstream();
  const seen: number[] = [];
  app.handle([1, 2], { pipe: [doubled()], onError: "skip" }, (n) => void seen.push(n));
  await app.stream(QUIET);
  await assert.rejects(app.stream(QUIET), /a TransformStream of a pipe is in use, or was in an earlier run/);
  assert.deepEqual(seen, [2, 4]);
  const locked = doubled();
  locked.readable.getReader();
  assert.throws(() => app.handle([1], { pipe: [locked] }, () => {}), /is in use/);
});
