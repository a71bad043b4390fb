import assert from "node:assert/strict";
import { FakeClock } from "@slipstream/slipstream/testing";
import { BatchSize } from "../../../src/topic/read/batch_size.ts";

/** Hands out full batches, whose messages take `messageMs` each to handle; returns the sizes of the batches. */
async function sizes(batchSize: BatchSize, clock: FakeClock, batches: number, messageMs: number): Promise<number[]> {
  const seen: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const count = batchSize.maxMessages;
    seen.push(count);
    batchSize.onHandedOut(count, 0);
    await clock.advance(count * messageMs);
    batchSize.onRequested();
  }
  return seen;
}

Deno.test("BatchSize doubles up to 1,000 messages while they are handled at once", async () => {
  using clock = FakeClock.install();
  assert.deepEqual(await sizes(new BatchSize(), clock, 8, 0), [16, 32, 64, 128, 256, 512, 1000, 1000]);
});

Deno.test("BatchSize is what a slow handler handles in 100 ms, and at least one message", async () => {
  using clock = FakeClock.install();
  const batchSize = new BatchSize();
  assert.deepEqual(await sizes(batchSize, clock, 3, 20), [16, 5, 5]);
  assert.deepEqual(await sizes(batchSize, clock, 3, 5000), [5, 1, 1]);
  assert.deepEqual(await sizes(batchSize, clock, 4, 0), [1, 2, 4, 8]);
});

Deno.test("BatchSize is no more than fits into 16 MiB, at the recent mean size of messages", async () => {
  using clock = FakeClock.install();
  const batchSize = new BatchSize();
  await sizes(batchSize, clock, 8, 0);
  batchSize.onHandedOut(1000, 100_000);
  assert.equal(batchSize.maxMessages, 1000);
  batchSize.onHandedOut(1000, 1000 * 1024 * 1024);
  assert.equal(batchSize.maxMessages, 16);
  batchSize.onHandedOut(1, 32 * 1024 * 1024);
  assert.equal(batchSize.maxMessages, 1);
  for (let batch = 0; batch < 20; batch++) batchSize.onHandedOut(1, 100);
  assert.equal(batchSize.maxMessages, 1000, "the large messages are long past");
});
