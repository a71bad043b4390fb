/**
 * How fast a Cache writes to few keys and to many: operations a second, as JSON.
 *
 * `deno run -A --unstable-kv bench/cache_keys.ts [ROOT]` measures the checkout in ROOT, this one by default: run two in
 * turns and compare. Sets and updates are 1,000 in flight; the sink takes deliveries of 1,000 values, 10 in flight.
 *
 * @module
 */

import { openSink } from "../src/protocol/protocol.ts"; // the same symbol in every checkout

const root = Deno.args[0] ?? new URL("..", import.meta.url).pathname;
const { Cache } = await import(`${root}/src/cache/cache.ts`) as typeof import("../src/cache/cache.ts");

const COUNT = 100_000;
const rates: Record<string, number> = {};

for (const keys of [1, 10, 1_000, 100_000]) {
  for (const kind of ["set", "update", "sink"] as const) {
    const folder = await Deno.makeTempDir();
    const cache = new Cache<number>(`${folder}/cache`);
    await cache.has("open");
    let [next, seed] = [0, 1];
    const key = () => `key-${((seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) >> 8) % keys}`;
    const began = performance.now();
    if (kind === "sink") {
      const writer = cache[openSink]();
      const open: { undelivered(): void }[] = [];
      while (next < COUNT) {
        const delivery = { undelivered() {} };
        for (let n = 0; n < 1_000; n++) {
          const room = writer.accept([key(), next++], delivery);
          if (room !== undefined) await room;
        }
        if (open.push(delivery) > 10) await writer.settle(open.shift()!);
      }
      for (const delivery of open) await writer.settle(delivery);
    } else {
      await Promise.all(Array.from({ length: 1_000 }, async () => {
        while (next++ < COUNT) {
          await (kind === "set" ? cache.set(key(), next) : cache.update(key(), (value = 0) => value + 1));
        }
      }));
    }
    rates[`${kind}, ${keys} keys`] = Math.round(COUNT / (performance.now() - began) * 1000);
    await cache.close();
    await Deno.remove(folder, { recursive: true });
  }
}
console.log(JSON.stringify(rates, undefined, 2));
