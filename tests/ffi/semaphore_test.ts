import assert from "node:assert/strict";
import { Semaphore } from "../../src/ffi/semaphore.ts";

Deno.test("Semaphore.run() makes at most so many calls at once, in the order in which they came", async () => {
  let running = 0, most = 0;
  const order: number[] = [], semaphore = new Semaphore(8);
  await Promise.all(Array.from({ length: 20 }, (_, n) =>
    semaphore.run(async () => {
      order.push(n);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running--;
    })));
  assert.equal(most, 8);
  assert.deepEqual(order, Array.from({ length: 20 }, (_, n) => n));
});
