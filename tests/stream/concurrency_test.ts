import assert from "node:assert/strict";
import { Slipstream } from "@slipstream/slipstream";
import { openSink } from "@slipstream/slipstream/protocol";
import { loggedSource, QUIET, turns } from "../support/logged_stream.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

interface Keyed {
  readonly key: string;
  readonly n: number;
}

const keyed = (count: number, keys: number): Keyed[] =>
  Array.from({ length: count }, (_, n) => ({ key: `k${n % keys}`, n }));

Deno.test("concurrency handles as many messages at a time as it says, one of each key, and keeps a key's outputs in order", async () => {
  const running = new Map<string, number>(), random = new Random(SEED, "handlers");
  let now = 0, most = 0;
  const out = new Map<string, number[]>();
  const app = new Slipstream();
  app.handle([...keyed(500, 20)].values(), {
    concurrency: 7,
    sink: ({ key, n }: Keyed) => void out.set(key, [...out.get(key) ?? [], n]),
  }, async (message) => {
    assert.equal(running.get(message.key) ?? 0, 0);
    running.set(message.key, 1);
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, random.next() * 3));
    now--;
    running.set(message.key, 0);
    return message;
  });
  await app.stream(QUIET);
  assert.equal(most, 7);
  assert.equal([...out.values()].flat().length, 500);
  for (const ns of out.values()) assert.deepEqual(ns, ns.toSorted((a, b) => a - b));
});

Deno.test("concurrency keeps order by the key that `by` returns, and compares bytes by content", async () => {
  for (
    const [by, message] of [
      [({ id }: { id: number }) => id % 2, (n: number) => ({ id: n })],
      [undefined, (n: number) => ({ id: n, key: new Uint8Array([n % 2]) })],
    ] as const
  ) {
    const seen: number[][] = [[], []];
    const app = new Slipstream();
    const messages = Array.from({ length: 40 }, (_, n) => message(n));
    app.handle(messages.values(), { concurrency: 10, ...(by === undefined ? {} : { by }) }, async ({ id }) => {
      await new Promise((resolve) => setTimeout(resolve, id < 4 ? 10 : 1));
      seen[id % 2]!.push(id);
    });
    await app.stream(QUIET);
    for (const ids of seen) assert.deepEqual(ids, ids.toSorted((a, b) => a - b));
  }
});

Deno.test("a batch is done when all its messages are handled, and batches in order", async () => {
  const log: string[] = [];
  const first = Promise.withResolvers<void>();
  const app = new Slipstream();
  app.handle(loggedSource([[1, 2], [3], [4]], log), { concurrency: 4 }, async (n) => {
    if (n === 1) await first.promise;
    log.push(`handled ${n}`);
  });
  const running = app.stream(QUIET);
  await turns();
  assert.deepEqual(log, ["handled 2", "handled 3", "handled 4"]);
  first.resolve();
  await running;
  assert.deepEqual(log.slice(3), ["handled 1", "done 0", "done 1", "done 2", "closed source"]);
});

Deno.test("a handler that fails while others go on keeps its batch, and those after it, from being done", async () => {
  const log: string[] = [];
  const app = new Slipstream();
  const sink = new WritableStream<number>({
    write: (n) => void log.push(`out ${n}`),
    abort: () => void log.push("abort"),
  });
  app.handle(loggedSource([[1], [2, 3], [4]], log), { name: "check", concurrency: 2, sink }, async (n) => {
    await new Promise((resolve) => setTimeout(resolve, n * 2));
    if (n === 2) throw new Error("on purpose");
    return n;
  });
  await assert.rejects(app.stream(QUIET), /handler "check" failed on scripted@2: on purpose/);
  assert.deepEqual(log.filter((line) => line.startsWith("done")), ["done 0"]);
  assert.ok(log.indexOf("abort") > log.indexOf("out 1"));
});

Deno.test("one busy key fills the room for waiting messages and does not hold up other keys that wait", async () => {
  let pulled = 0;
  const hot = Promise.withResolvers<void>();
  const cold: number[] = [];
  function* messages() {
    for (let n = 0; n < 10_000; n++, pulled++) yield { key: n % 2 === 0 ? "hot" : `cold ${n}`, n };
  }
  const app = new Slipstream();
  app.handle(messages(), { concurrency: 4 }, async ({ key, n }) => {
    if (key === "hot") await hot.promise;
    else cold.push(n);
  });
  const running = app.stream(QUIET);
  await turns();
  assert.ok(pulled <= 2 * 4 * 17 + 2, `${pulled} pulled`);
  assert.ok(cold.length >= 50, `${cold.length} of the others handled`);
  hot.resolve();
  await running;
  assert.equal(pulled, 10_000);
});

Deno.test("concurrency starts a handler whenever another has ended", async () => {
  for (const concurrency of [1, 10, 100]) {
    const count = 10 * concurrency, rounds: number[] = [];
    const waiting: (() => void)[] = [];
    const app = new Slipstream();
    app.handle(keyed(count, count).values(), { concurrency }, () => new Promise<void>((end) => waiting.push(end)));
    const running = app.stream(QUIET);
    for (let handled = 0; handled < count; handled += rounds.at(-1)!) {
      await turns();
      rounds.push(waiting.length);
      for (const end of waiting.splice(0)) end();
    }
    await running;
    assert.deepEqual(rounds, Array(10).fill(concurrency));
  }
});

Deno.test("a sink is offered the next value only when it has room, though several handlers emit at once", async () => {
  let full = false;
  const got: number[] = [];
  const sink = {
    [openSink]: () => ({
      async accept(n: number) {
        assert.ok(!full);
        full = true;
        await turns();
        full = false;
        got.push(n);
      },
      settle() {},
      close() {},
    }),
  };
  const app = new Slipstream();
  app.handle([[1, 2, 3].values(), [4, 5].values()], { sink, concurrency: 3 }, (n) => n);
  app.handle([6, 7], { sink }, (n) => n);
  await app.stream(QUIET);
  assert.deepEqual(got.toSorted(), [1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("a source of single messages keeps as many handlers busy as concurrency says", async () => {
  async function* messages() {
    for (const message of keyed(300, 300)) yield await Promise.resolve(message);
  }
  const app = new Slipstream();
  const all = Promise.withResolvers<void>();
  let now = 0, most = 0;
  app.handle(messages(), { concurrency: 100 }, async () => {
    most = Math.max(most, ++now);
    if (now === 100) all.resolve();
    // Handlers that have begun wait for the hundredth one. With a limit below that, they go on after a while.
    await Promise.race([all.promise, new Promise((resolve) => setTimeout(resolve, 500))]);
    now--;
  });
  await app.stream(QUIET);
  assert.equal(most, 100);
});

Deno.test("concurrency takes long bytes as keys", async () => {
  const seen: number[] = [];
  const app = new Slipstream();
  const key = () => new Uint8Array(1_000_000).fill(7);
  app.handle([{ key: key(), n: 0 }, { key: key(), n: 1 }].values(), { concurrency: 2 }, async ({ n }) => {
    await new Promise((resolve) => setTimeout(resolve, n === 0 ? 10 : 0));
    seen.push(n);
  });
  await app.stream(QUIET);
  assert.deepEqual(seen, [0, 1]);
});

Deno.test("no message of a key begins after a stop has interrupted the retry of the one before it", async () => {
  const stop = new AbortController(), begun: number[] = [];
  const app = new Slipstream();
  const keys = ["a", "b", "a", "b", "c", "a", "c"];
  app.handle(
    loggedSource(
      [keys.slice(0, 4), keys.slice(4)].map((some, batch) => some.map((key, n) => ({ key, n: batch * 4 + n }))),
    ),
    {
      concurrency: 3,
      retry: { maxAttempts: 3, minTimeout: 60_000 },
    },
    ({ n }: Keyed) => {
      begun.push(n);
      if (n === 0) throw new Error("not yet");
    },
  );
  const running = app.stream({ ...QUIET, signal: stop.signal });
  await turns();
  // The first message waits for its next attempt, and two of its key wait for it; all others are handled.
  assert.deepEqual(begun, [0, 1, 3, 4, 6]);
  stop.abort();
  await running;
  assert.deepEqual(begun, [0, 1, 3, 4, 6]);
});
