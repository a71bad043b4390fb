import assert from "node:assert/strict";
import { HandlerError, Slipstream } from "@slipstream/slipstream";
import { type Job, jobsOf, startQueue } from "../../examples/custom_source.ts";
import { example } from "../support/example.ts";

const TASKS = ["a", "b", "c", "d", "e"];
const QUIET = { handleSignals: false } as const;

Deno.test("custom_source.ts acknowledges what is handled, and goes on behind it in the next run", async () => {
  const { code, out, err } = await example("custom_source.ts");
  const lines = [
    "1: wash",
    "2: rinse",
    "3: spin",
    "3 acknowledged, then stopped",
    "4: dry",
    "5: fold",
    "5 acknowledged",
  ];
  assert.deepEqual([code, out.trim().split("\n"), err], [0, lines, ""]);
});

Deno.test("custom_source.ts repeats a page with a job that failed after a sink had accepted its value", async () => {
  const queue = startQueue(TASKS, 2);
  const app = new Slipstream();
  const handled: number[] = [];
  let hasFailed = false;
  const sink = new WritableStream<Job>({
    write({ id }) {
      if (id === 4 && !hasFailed) throw hasFailed = true, new Error("no room");
      handled.push(id);
    },
  }, { highWaterMark: 10 });
  const first = app.handle(jobsOf(queue.url), { sink }, (job) => job);
  await assert.rejects(app.stream(QUIET), (error) => error instanceof HandlerError && /no room/.test(error.message));
  assert.equal(queue.acknowledged, 2);
  first.stop();
  app.handle(jobsOf(queue.url), { sink: ({ id }: Job) => handled.push(id) }, (job) => job);
  await app.stream(QUIET);
  assert.deepEqual(handled, [1, 2, 3, 3, 4, 5]);
  assert.equal(queue.acknowledged, 5);
  await queue.close();
});

Deno.test("custom_source.ts acknowledges the first jobs of a page when a stop comes in the middle", async () => {
  const queue = startQueue(TASKS, 5);
  const app = new Slipstream();
  const enough = new AbortController();
  app.handle(jobsOf(queue.url), ({ id }) => {
    if (id === 3) enough.abort();
  });
  await app.stream({ ...QUIET, signal: enough.signal });
  assert.equal(queue.acknowledged, 3);
  await queue.close();
});

Deno.test("custom_source.ts ends its wait for a page when the run is stopped", async () => {
  const asked = Promise.withResolvers<void>(), answer = Promise.withResolvers<Response>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    asked.resolve();
    return answer.promise;
  });
  const app = new Slipstream();
  const enough = new AbortController();
  app.handle(jobsOf(`http://127.0.0.1:${server.addr.port}`), () => {});
  const running = app.stream({ ...QUIET, signal: enough.signal });
  await asked.promise;
  enough.abort();
  await running; // The server has not answered.
  answer.resolve(new Response());
  await server.shutdown();
});

Deno.test("custom_source.ts fails the run when the queue refuses a page or an acknowledgement", async () => {
  for (const refused of ["/jobs", "/acknowledge"]) {
    const queue = startQueue(TASKS, 2);
    const proxy = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { pathname, search } = new URL(request.url);
      if (pathname === refused) return new Response("maintenance", { status: 503 });
      return fetch(`${queue.url}${pathname}${search}`, { method: request.method });
    });
    const app = new Slipstream();
    app.handle(jobsOf(`http://127.0.0.1:${proxy.addr.port}`), () => {});
    const message = refused === "/jobs" ? /answered 503: maintenance/ : /did not take the acknowledgement of job 2/;
    await assert.rejects(app.stream(QUIET), { message });
    assert.equal(queue.acknowledged, 0);
    await proxy.shutdown();
    await queue.close();
  }
});
