/**
 * What bench/cache.ts measures of Cache, and of Deno KV called by itself.
 *
 * `deno run -A bench/cache_ours.ts cache|kv FOLDER COUNT` prints operations a second by row, as JSON.
 *
 * @module
 */

import { Cache, Slipstream } from "../mod.ts";

const [who, folder, given] = Deno.args as [string, string, string];
const count = Number(given);
const path = `${folder}/cache`;
const rows: Record<string, number> = {};
const key = (n: number) => `key-${n}`;

async function measure(name: string, times: number, run: (n: number) => unknown, inFlight = 1): Promise<void> {
  const began = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (next < times) await run(next++);
  }));
  rows[name] = times / (performance.now() - began) * 1000;
}

function same(found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`found ${found} instead of ${expected}`);
}

/** What either can do. */
interface Store {
  get(key: string): Promise<number | undefined>;
  set(key: string, value: number): Promise<unknown>;
  increment(key: string): Promise<unknown>;
  entries(): AsyncIterable<unknown>;
  close(): unknown;
}

async function open(path: string): Promise<Store> {
  if (who === "cache") {
    const cache = new Cache<number>(path);
    await cache.has("open");
    return Object.assign(cache, { increment: (some: string) => cache.update(some, (value = 0) => value + 1) });
  }
  const kv = await Deno.openKv(path);
  const increment = async (some: string) => {
    for (;;) {
      const entry = await kv.get<number>([some]);
      if ((await kv.atomic().check(entry).set([some], (entry.value ?? 0) + 1).commit()).ok) return;
    }
  };
  return {
    get: async (some) => (await kv.get<number>([some])).value ?? undefined,
    set: (some, value) => kv.set([some], value),
    increment,
    entries: () => kv.list({ prefix: [] }, { batchSize: 500 }),
    close: () => kv.close(),
  };
}

/** Each promise of a write settles when others can read it from the file. */
async function checkSettled(): Promise<void> {
  const file = `${folder}/settled`;
  const [store, kv] = [await open(file), await Deno.openKv(file)];
  const stored = (some: string) => who === "cache" ? ["", "v", some] : [some];
  await Promise.all(Array.from({ length: 1000 }, async (_, n) => {
    await store.set(key(n), -n);
    if (n % 50 === 0) same((await kv.get(stored(key(n)))).value, -n);
    await store.increment(key(n));
    if (n % 50 === 0) same((await kv.get(stored(key(n)))).value, 1 - n);
  }));
  kv.close();
  await store.close();
}

async function scan(name: string, store: Store): Promise<void> {
  const began = performance.now();
  let found = 0;
  for await (const _ of store.entries()) found++;
  rows[name] = found / (performance.now() - began) * 1000;
}

/** So that what is slow does not take for ever. */
const few = Math.ceil(count / 50);
const most = who === "cache" ? count : few;

await checkSettled();
{
  const store = await open(path);
  await measure("set, 1,000 in flight", most, (n) => store.set(key(n), n), 1000);
  await measure("set, one by one", few, (n) => store.set(key(n), n));
  let found = 0;
  await measure("get, hot", most, async (n) => {
    if (await store.get(key(n)) === n) found++;
  });
  same(found, most);
  await measure("transactions, distinct keys", most, (n) => store.increment(key(n)), 1000);
  await measure("transactions, one key", few, () => store.increment("one"), 16);
  same(await store.get("one"), few);

  const app = new Slipstream();
  const messages = Array.from({ length: most }, (_, n) => `sink-${n % 10_000}`);
  const sink = store instanceof Cache ? store : ([some, value]: readonly [string, number]) => store.set(some, value);
  app.handle(messages, { sink: sink as Cache<number> }, async (some) => {
    return [some, (await store.get(some) ?? 0) + 1];
  });
  const began = performance.now();
  await app.stream();
  rows["sink in handle()"] = most / (performance.now() - began) * 1000;
  same(await store.get("sink-0"), Math.ceil(most / 10_000));
  await scan("scan", store);
  await store.close();
}
{
  const store = await open(path);
  await measure("get, cold", Math.ceil(most / 2), async (n) => same(await store.get(key(n)), n + 1), 100);
  await store.close();
}
{
  const store = await open(path);
  await scan("scan, cold", store);
  await store.close();
}
console.log(JSON.stringify(rows));
