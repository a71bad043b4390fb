import assert from "node:assert/strict";
import { transform } from "@slipstream/slipstream";

Deno.test("transform() emits what the handler returns or yields, and nothing for undefined", async () => {
  const out = ReadableStream.from([1, 2, 3]).pipeThrough(transform(function* (n: number) {
    if (n !== 2) {
      yield n;
      yield n * 10;
    }
  }));
  assert.deepEqual(await Array.fromAsync(out), [1, 10, 3, 30]);
});

Deno.test("transform() runs an endless generator only as far as the stream is read", async () => {
  let yielded = 0;
  const reader = ReadableStream.from(["go"]).pipeThrough(transform(function* () {
    for (;;) yield ++yielded;
  })).getReader();
  assert.deepEqual([(await reader.read()).value, (await reader.read()).value], [1, 2]);
  assert.ok(yielded <= 4, `${yielded} yielded`);
  await reader.cancel();
});

Deno.test("transform() passes errors on, both ways", async () => {
  let cancelled: unknown;
  const source = new ReadableStream<number>({
    pull: (controller) => controller.enqueue(1),
    cancel: (reason) => void (cancelled = reason),
  });
  const failing = source.pipeThrough(transform((): number => {
    throw new Error("on purpose");
  }));
  await assert.rejects(Array.fromAsync(failing), /on purpose/);
  assert.match(String(cancelled), /on purpose/);
});

Deno.test("transform() passes a cancel on to a source that emits nothing", async () => {
  let cancelled: unknown;
  const quiet = new ReadableStream<number>({ cancel: (reason) => void (cancelled = reason) });
  await quiet.pipeThrough(transform((n: number) => n)).cancel("enough");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(cancelled, "enough");
});

Deno.test("transform() ends a generator that waits for a reader when the writer aborts", async () => {
  let ended = false;
  const { readable, writable } = transform(function* () {
    try {
      for (;;) yield 1;
    } finally {
      ended = true;
    }
  });
  const writer = writable.getWriter();
  writer.write(undefined).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 5));
  await writer.abort(new Error("enough"));
  assert.ok(ended);
  await assert.rejects(readable.getReader().read(), /enough/);
});
