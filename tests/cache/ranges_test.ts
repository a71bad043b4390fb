import assert from "node:assert/strict";
import fc from "fast-check";
import { Cache, type CacheKey, type CacheListOptions, type KeyPart } from "@slipstream/slipstream";
import { freshStore } from "../support/stores.ts";
import { SEED } from "../support/seed.ts";

/** Few keys, so that writes and ranges meet. */
const PART = fc.constantFrom<KeyPart>("a", "b", "a\0", 1, 2, 10, 3n, true, new Uint8Array([97]));
const PARTS = fc.array(PART, { minLength: 1, maxLength: 3 });
const partsOf = (key: CacheKey) => (Array.isArray(key) ? key : [key]) as readonly KeyPart[];
const nameOf = (key: CacheKey) => Deno.inspect(partsOf(key));

const CHANGE = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), key: PARTS, value: fc.nat(), wait: fc.boolean() }),
  fc.record({ kind: fc.constant("delete" as const), key: PARTS, wait: fc.boolean() }),
  fc.record({ kind: fc.constant("clear" as const), prefix: PARTS }),
  fc.record({ kind: fc.constant("list" as const), reverse: fc.boolean(), wait: fc.boolean() }),
  fc.record({ kind: fc.constant("reopen" as const) }),
);
const RANGE = fc.record({
  prefix: fc.option(fc.array(PART, { maxLength: 2 }), { nil: undefined }),
  start: fc.option(PARTS, { nil: undefined }),
  end: fc.option(PARTS, { nil: undefined }),
  reverse: fc.boolean(),
  limit: fc.option(fc.nat(5), { nil: undefined }),
});

/** A model of a Cache: a Map whose keys are listed in the order of KV. */
class Model {
  readonly values = new Map<string, number>();

  constructor(readonly order: readonly string[]) {}

  list(): [string, number][] {
    return [...this.values].sort(([a], [b]) => this.order.indexOf(a) - this.order.indexOf(b));
  }
}

async function orderOf(keys: readonly (readonly KeyPart[])[]): Promise<string[]> {
  const kv = await Deno.openKv(":memory:");
  for (const key of keys) await kv.set([...key], 1);
  const order = (await Array.fromAsync(kv.list({ prefix: [] }))).map(({ key }) => nameOf(key as KeyPart[]));
  kv.close();
  return order;
}

const begins = (name: string, prefix: readonly KeyPart[]) =>
  prefix.length === 0 || name.startsWith(nameOf(prefix).slice(0, -2) + ",");

for (const memoryBytes of [0, 1_500, 1_000_000]) {
  Deno.test(`ranges have the entries of a model in the order of KV, with ${memoryBytes} bytes of memory`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(CHANGE, { maxLength: 25 }),
        fc.array(RANGE, { maxLength: 6 }),
        async (changes, ranges) => {
          await using store = await freshStore();
          const { path } = store;
          const given = [
            ...changes.flatMap((change) => "key" in change ? [change.key] : []),
            ...ranges
              .flatMap(({ prefix, start, end }) =>
                [prefix, start, end].filter((key) => key !== undefined && key.length > 0) as KeyPart[][]
              ),
          ];
          const model = new Model(await orderOf(given));
          let cache = new Cache<number>(path, { memoryBytes });
          const list = async (options: CacheListOptions) =>
            (await Array.fromAsync(cache.entries(options))).map(([key, value]) => [nameOf(key), value]);
          const pending: Promise<void>[] = [];
          for (const change of changes) {
            const { kind } = change;
            if (kind === "set") {
              model.values.set(nameOf(change.key), change.value);
              pending.push(cache.set(change.key, change.value));
            } else if (kind === "delete") {
              model.values.delete(nameOf(change.key));
              pending.push(cache.delete(change.key));
            } else if (kind === "clear") {
              for (const [name] of model.list()) if (begins(name, change.prefix)) model.values.delete(name);
              await cache.deleteRange({ prefix: change.prefix });
            } else if (kind === "reopen") {
              await cache.close();
              cache = new Cache<number>(path, { memoryBytes });
            } else {
              const expected = model.list();
              assert.deepEqual(await list({ reverse: change.reverse }), change.reverse ? expected.reverse() : expected);
            }
            if ("wait" in change && change.wait) await Promise.all(pending.splice(0));
          }
          for (const { prefix, start, end, reverse, limit } of ranges) {
            const options: CacheListOptions = {
              ...(prefix && prefix.length > 0 && { prefix }),
              ...(start && { start: [...prefix ?? [], ...start] }),
              ...(end && { end: [...prefix ?? [], ...end] }),
              reverse,
              limit: limit ?? Infinity,
            };
            const bounds = [options.start, options.end].filter((key) => key !== undefined) as KeyPart[][];
            const order = await orderOf([...given, ...bounds]);
            const at = (name: string) => order.indexOf(name);
            const expected = model.list().filter(([name]) =>
              begins(name, prefix ?? []) &&
              (options.start === undefined || at(name) >= at(nameOf(options.start))) &&
              (options.end === undefined || at(name) < at(nameOf(options.end)))
            );
            if (reverse) expected.reverse();
            assert.deepEqual(await list(options), expected.slice(0, limit));
          }
          await Promise.all(pending);
          await cache.close();
        },
      ),
      { seed: SEED, numRuns: 30 },
    );
  });
}

Deno.test("a range that starts or ends at its own prefix does not include the prefix itself", async () => {
  for (const memoryBytes of [0, 1_000_000]) {
    await using store = await freshStore("memory");
    await using cache = new Cache<number>(store.path, { memoryBytes });
    await Promise.all([["a"], ["a", 1], ["a", 2], ["b"]].map((key, n) => cache.set(key, n)));
    assert.deepEqual(await Array.fromAsync(cache.values({ prefix: "a", start: "a" })), [1, 2]);
    assert.deepEqual(await Array.fromAsync(cache.values({ prefix: "a", start: "a", end: ["a", 2] })), [1]);
    assert.deepEqual(await Array.fromAsync(cache.values({ prefix: "a", end: "a" })), []);
    assert.deepEqual(await Array.fromAsync(cache.values({ prefix: "a", start: ["a", 2], end: ["a", 1] })), []);
    assert.deepEqual(await Array.fromAsync(cache.values({ start: "a", end: "b", limit: 2 })), [0, 1]);
    assert.deepEqual(await Array.fromAsync(cache.values({ limit: 0 })), []);
    assert.throws(() => cache.values({ prefix: "a", start: "b" }), /must begin with the prefix/);
    assert.throws(() => cache.values({ limit: -1 }), TypeError);
  }
});
