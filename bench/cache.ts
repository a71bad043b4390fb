/**
 * How fast a Cache is, against bare calls to Deno KV in the same run.
 *
 * `deno run -A bench/cache.ts [--count 100000]`. It never fails by timing: read the ratios.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Cache, Slipstream } from "../mod.ts";
import { rateText } from "./report.ts";

const { values } = parseArgs({ args: Deno.args, options: { count: { type: "string", default: "100000" } } });
const count = Number(values.count);
if (!Number.isSafeInteger(count) || count < 1000) throw new RangeError(`--count must be 1000 or more: ${values.count}`);

const folder = await Deno.makeTempDir();
const rows: [string, number, number | undefined][] = [];

/** How many a second. */
async function rate(times: number, run: (n: number) => unknown, inFlight = 1): Promise<number> {
  const started = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (next < times) await run(next++);
  }));
  return times / (performance.now() - started) * 1000;
}

async function measure(name: string, ours: () => Promise<number>, bare?: () => Promise<number>): Promise<void> {
  rows.push([name, await ours(), await bare?.()]);
}

{
  const kv = await Deno.openKv(`${folder}/bare`);
  await using cache = new Cache<number>(`${folder}/ours`);
  await cache.has("open");
  const few = Math.ceil(count / 50);
  const key = (n: number) => `key-${n}`;
  await measure(
    "set, one by one",
    () => rate(few, (n) => cache.set(key(n), n)),
    () => rate(few, (n) => kv.set([key(n)], n)),
  );
  await measure(
    "set, 1,000 in flight",
    () => rate(count, (n) => cache.set(key(n), n), 1000),
    () => rate(few, (n) => kv.set([key(n)], n), 1000),
  );
  await measure(
    "get, hot",
    () => rate(count, (n) => cache.get(key(n))),
    () => rate(few, (n) => kv.get([key(n % few)])),
  );
  await measure(
    "update, distinct keys, 1,000 in flight",
    () => rate(count, (n) => cache.update(key(n), (value = 0) => value + 1), 1000),
    () =>
      rate(few, async (n) => {
        const entry = await kv.get<number>([key(n)]);
        await kv.atomic().check(entry).set([key(n)], (entry.value ?? 0) + 1).commit();
      }, 1000),
  );
  await measure("update, one key", () => rate(few, () => cache.update("one", (value = 0) => value + 1), 16));
  for (const keys of [1000, 10_000]) {
    await measure(`handle(), counting ${keys.toLocaleString("en")} keys`, async () => {
      const app = new Slipstream();
      app.handle(Array.from({ length: count }, (_, n) => key(n % keys)), { sink: cache }, async function* (some) {
        yield [some, (await cache.get(some) ?? 0) + 1] as const;
      });
      const started = performance.now();
      await app.stream();
      return count / (performance.now() - started) * 1000;
    });
  }
  kv.close();
}
{
  // As others left it: nothing is in memory.
  await using cache = new Cache<number>(`${folder}/ours`);
  await cache.has("open");
  const kv = await Deno.openKv(`${folder}/ours`);
  const few = Math.ceil(count / 20);
  await measure(
    "get, cold, 100 in flight",
    () => rate(few, (n) => cache.get(`key-${n}`), 100),
    () => rate(few, (n) => kv.get(["", "v", `key-${n}`]), 100),
  );
  const scan = async (listed: AsyncIterable<unknown>) => {
    const started = performance.now();
    let found = 0;
    for await (const _ of listed) found++;
    return found / (performance.now() - started) * 1000;
  };
  await measure("scan", () => scan(cache.entries()), () => scan(kv.list({ prefix: ["", "v"] }, { batchSize: 500 })));
  kv.close();
}
await Deno.remove(folder, { recursive: true });

console.log("| what | Cache | Deno KV | ratio |\n| --- | --- | --- | --- |");
for (const [name, ours, bare] of rows) {
  console.log(
    `| ${name} | ${rateText(ours)} | ${bare ? rateText(bare) : ""} | ${bare ? (ours / bare).toFixed(1) : ""} |`,
  );
}
