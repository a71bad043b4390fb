import assert from "node:assert/strict";
import fc from "fast-check";
import { Cache, type CacheKey, type KeyPart } from "@slipstream/slipstream";
import { freshStore } from "../support/stores.ts";
import { SEED } from "../support/seed.ts";

/** Parts that look alike, are escaped alike or sort side by side, and arbitrary ones. */
const PART: fc.Arbitrary<KeyPart> = fc.oneof(
  fc.constantFrom<KeyPart>("", "\0", "\0\xff", "a", "a\0", "a\0b", "user", "user:1", "user:10", "1", "true", "s1:a"),
  fc.constantFrom<KeyPart>("\ud800", "a\udfff", "\uffff", "😀", "é", "e\u0301", "null", "\x01", "\x02a", "n1;"),
  fc.constantFrom<KeyPart>(0, -0, NaN, 1, -1, 1.5, Infinity, -Infinity, 2 ** 53, 0n, 1n, -1n, 2n ** 64n, -(2n ** 64n)),
  fc.constantFrom<KeyPart>(true, false),
  fc.string({ unit: "binary" }),
  fc.array(fc.constantFrom("\0", "\ud800", "\udc00", "a", "\xff"), { maxLength: 4 }).map((some) => some.join("")),
  fc.uint8Array({ maxLength: 6 }),
  fc.constantFrom(...["", "\0", "a", "a\0", "user:1"].map((text) => new TextEncoder().encode(text))),
  fc.double(),
  fc.bigInt({ min: -(2n ** 130n), max: 2n ** 130n }),
);
const KEY: fc.Arbitrary<CacheKey> = fc.oneof(PART, fc.array(PART, { maxLength: 4 }));

const partsOf = (key: CacheKey): readonly KeyPart[] => Array.isArray(key) ? key : [key as KeyPart];

/** A name for each key, made in another way than the Cache's ids. */
const nameOf = (key: CacheKey) =>
  JSON.stringify(
    partsOf(key).map((part) => [typeof part, part instanceof Uint8Array ? [...part] : JSON.stringify(`${part}`)]),
  );

Deno.test("each key is refused, or found exactly where it was set, and under no other prefix", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(KEY, { maxLength: 30 }), KEY, async (keys, prefix) => {
      // Nothing is remembered, so entries on disk are read from there.
      await using store = await freshStore("memory");
      await using cache = new Cache<number>(store.path, { memoryBytes: 0 });
      await cache.has("open");
      const model = new Map<string, { key: CacheKey; n: number }>();
      const check = async () => {
        for (const { key, n } of model.values()) assert.equal(await cache.get(key), n, nameOf(key));
        assert.deepEqual(
          new Map((await Array.fromAsync(cache.entries())).map(([key, n]) => [nameOf(key), n])),
          new Map(Array.from(model, ([name, { n }]) => [name, n])),
        );
      };
      const writing: Promise<void>[] = [];
      for (const [n, key] of keys.entries()) {
        const setting = cache.set(key, n);
        const refused = partsOf(key).length === 0 ||
          partsOf(key).some((part) =>
            typeof part === "string" ? !part.isWellFormed() : Number.isNaN(part) || Object.is(part, -0)
          );
        if (refused) await assert.rejects(setting, TypeError);
        else {
          writing.push(setting);
          model.set(nameOf(key), { key, n });
        }
      }
      await check();
      await Promise.all(writing);
      await check();
      const parts = partsOf(prefix);
      const under = (async () => await Array.fromAsync(cache.keys({ prefix })))();
      await under.then((found) => {
        const expected = [...model.values()].map(({ key }) => key).filter((key) =>
          partsOf(key).length > parts.length && nameOf(partsOf(key).slice(0, parts.length)) === nameOf(parts)
        );
        assert.deepEqual(found.map(nameOf).sort(), expected.map(nameOf).sort());
      }, (error) => assert.ok(error instanceof TypeError));
    }),
    { seed: SEED, numRuns: 200 },
  );
});

Deno.test("the overlay is listed in the order of KV", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(KEY, { maxLength: 30 }), async (keys) => {
      await using store = await freshStore("memory");
      await using cache = new Cache<number>(store.path);
      await cache.has("open");
      const writing = Promise.allSettled(keys.map((key) => cache.set(key, 1)));
      const pending = await Array.fromAsync(cache.keys());
      await writing;
      assert.deepEqual(pending.map(nameOf), (await Array.fromAsync(cache.keys())).map(nameOf));
      const reverse = await Array.fromAsync(cache.keys({ reverse: true }));
      assert.deepEqual(reverse.map(nameOf), pending.map(nameOf).reverse());
    }),
    { seed: SEED, numRuns: 100 },
  );
});

Deno.test("groups with many long keys under a long prefix fit into atomics", async () => {
  for (const log of [undefined, { limit: 100 }]) {
    for (const prefix of ["p".repeat(64), "\0".repeat(64), ""]) {
      await using store = await freshStore("memory");
      await using cache = new Cache<number>(store.path, { prefix, ...(log && { log }) });
      await cache.has("open");
      const keys = [
        ...Array.from({ length: 3000 }, (_, n) => `${"k".repeat(50)}${n}`),
        ...Array.from({ length: 100 }, (_, n) => `${"é".repeat(850)}${n}`),
      ];
      await Promise.all(keys.map((key, n) => cache.emit(key, n)));
      assert.deepEqual(await cache.getMany(keys), keys.map((_, n) => n));
    }
  }
});
