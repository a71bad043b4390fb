import assert from "node:assert/strict";
import { FakeClock } from "@slipstream/slipstream/testing";
import { Pace } from "../../../src/topic/read/pace.ts";

/** The sizes of so many batches in a row, each full, of messages that take so long. */
async function sizes(pace: Pace, clock: FakeClock, batches: number, messageMs: number): Promise<number[]> {
  const seen: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const { size } = pace;
    seen.push(size);
    pace.handed(size);
    await clock.advance(size * messageMs);
    pace.asked();
  }
  return seen;
}

Deno.test("Pace doubles up to 1,000 while messages are handled at once", async () => {
  using clock = FakeClock.install();
  assert.deepEqual(await sizes(new Pace(), clock, 8, 0), [16, 32, 64, 128, 256, 512, 1000, 1000]);
});

Deno.test("Pace takes what a slow handler does in a tenth of a second, and one message at least", async () => {
  using clock = FakeClock.install();
  const pace = new Pace();
  assert.deepEqual(await sizes(pace, clock, 3, 20), [16, 5, 5]);
  assert.deepEqual(await sizes(pace, clock, 3, 5000), [5, 1, 1]);
  assert.deepEqual(await sizes(pace, clock, 4, 0), [1, 2, 4, 8]);
});

Deno.test("Pace takes no more than fits into 16 MiB, as large as messages were lately", () => {
  const pace = new Pace();
  for (let size = 16; size < 1000; size = pace.size) {
    pace.handed(size);
    pace.asked();
  }
  pace.read(1000, 100_000);
  assert.equal(pace.size, 1000);
  pace.read(1000, 1000 * 1024 * 1024);
  assert.equal(pace.size, 16);
  pace.read(1, 32 * 1024 * 1024);
  assert.equal(pace.size, 1);
  for (let batch = 0; batch < 20; batch++) pace.read(1, 100);
  assert.equal(pace.size, 1000, "large messages are over");
});
