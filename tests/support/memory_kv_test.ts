import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryKv } from "./memory_kv.ts";
import { SEED } from "./seed.ts";

const PART: fc.Arbitrary<Deno.KvKeyPart> = fc.oneof(
  fc.constantFrom<Deno.KvKeyPart>("", "\0", "\0\xff", "a", "a\0", "a\0b", "b", "\uffff", "😀", "é"),
  fc.constantFrom<Deno.KvKeyPart>(0, 1, -1, 1.5, -1.5, Infinity, -Infinity, true, false, 0n, 255n, 256n, -255n, -256n),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array({ maxLength: 4 }),
  fc.double({ noNaN: true }),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
);
const KEY = fc.array(PART, { minLength: 1, maxLength: 3 });

/** The answers of both; an error is compared by its class. */
async function answers<T>(sides: readonly Deno.Kv[], ask: (kv: Deno.Kv) => Promise<T>): Promise<unknown[]> {
  return await Promise.all(sides.map((kv) => ask(kv).catch((error) => error.constructor.name)));
}

Deno.test("MemoryKv gives the answers of Deno KV: order, ranges, pages, checks", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(KEY, { maxLength: 30 }),
      fc.array(
        fc.record({
          prefix: fc.option(fc.array(PART, { maxLength: 1 }), { nil: undefined }),
          start: fc.option(KEY, { nil: undefined }),
          end: fc.option(KEY, { nil: undefined }),
          reverse: fc.boolean(),
          limit: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
          batchSize: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
        }),
        { maxLength: 10 },
      ),
      async (keys, lists) => {
        using real = await Deno.openKv(":memory:");
        using imitation = new MemoryKv().open();
        const sides = [real, imitation];
        const same = async (ask: (kv: Deno.Kv) => Promise<unknown>) => {
          const [one, other] = await answers(sides, ask);
          assert.deepEqual(other, one);
        };
        for (const [n, key] of keys.entries()) {
          await same(async (kv) => {
            const before = await kv.get(keys[n >> 1]!);
            const atomic = kv.atomic().check({ key: keys[n >> 1]!, versionstamp: n % 5 ? before.versionstamp : null });
            return (await (n % 4 === 3 ? atomic.delete(keys[n >> 2]!) : atomic).set(key, { n }).commit()).ok;
          });
        }
        const all = async (kv: Deno.Kv, selector: Deno.KvListSelector, options = {}) =>
          (await Array.fromAsync(kv.list(selector, options))).map(({ key, value }) => [key, value]);
        await same((kv) => all(kv, { prefix: [] }));
        for (const { prefix, start, end, reverse, limit, batchSize } of lists) {
          const selector = prefix === undefined
            ? { start: start ?? [""], end: end ?? [true] }
            // Beside a prefix, Deno takes only one of the two.
            : start !== undefined
            ? { prefix, start: [...prefix, ...start] }
            : end !== undefined
            ? { prefix, end: [...prefix, ...end] }
            : { prefix };
          const options = { reverse, ...(limit && { limit }), ...(batchSize && { batchSize }) };
          await same((kv) => all(kv, selector, options));
          await same(async (kv) => {
            const some = kv.list(selector, options);
            if ((await some.next()).done) return;
            return await all(kv, selector, { ...options, cursor: some.cursor });
          });
        }
        await same(async (kv) => (await kv.getMany(keys.slice(0, 10))).map(({ value }) => value));
      },
    ),
    { seed: SEED, numRuns: 100 },
  );
});

Deno.test("MemoryKv refuses what Deno KV refuses", async () => {
  using real = await Deno.openKv(":memory:");
  using imitation = new MemoryKv().open();
  const many = (count: number, add: (atomic: Deno.AtomicOperation, n: number) => void) => (kv: Deno.Kv) => {
    const atomic = kv.atomic();
    for (let n = 0; n < count; n++) add(atomic, n);
    return atomic.commit().then(({ ok }) => ok);
  };
  const asked: ((kv: Deno.Kv) => Promise<unknown>)[] = [
    async (kv) => await kv.getMany(Array.from({ length: 11 }, (_, n) => [n])),
    async (kv) => await kv.set(["a".repeat(2047)], 1),
    async (kv) => await kv.set(["a"], new Uint8Array(65_600)),
    async (kv) => await kv.set([], 1),
    async (kv) => await kv.set(["a"], () => 1),
    async (kv) => await kv.get([[]] as never),
    many(1000, (atomic, n) => atomic.delete([n])),
    many(1001, (atomic, n) => atomic.delete([n])),
    many(100, (atomic, n) => atomic.check({ key: [n], versionstamp: null })),
    many(101, (atomic, n) => atomic.check({ key: [n], versionstamp: null })),
    many(13, (atomic, n) => atomic.set([n], new Uint8Array(62_000))),
    many(14, (atomic, n) => atomic.set([n], new Uint8Array(62_000))),
    many(40, (atomic, n) => atomic.set([n, "a".repeat(2000)], 1)),
    many(45, (atomic, n) => atomic.set([n, "a".repeat(2000)], 1)),
    async (kv) => await Array.fromAsync(kv.list({ prefix: [] }, { batchSize: 1001 })),
    async (kv) => await Array.fromAsync(kv.list({ prefix: ["a"], start: ["b"] })),
    async (kv) => await Array.fromAsync(kv.list({ start: ["b"], end: ["a"] })),
  ];
  for (const ask of asked) {
    const [one, other] = await answers([real, imitation], ask);
    assert.deepEqual(typeof other === "object" ? "" : other, typeof one === "object" ? "" : one, `${ask}`);
  }
});

Deno.test("MemoryKv lets a test decide the fate of each commit, and open the disk again after a crash", async () => {
  const fates = ["made", { error: new Error("lost") }, { error: new Error("made"), made: true }, "never"] as const;
  const disk: MemoryKv = new MemoryKv({ onCommit: () => fates[disk.commits - 1]! });
  const kv = disk.open();
  await kv.set(["a"], new Uint8Array([1]));
  await assert.rejects(kv.set(["b"], 2), /lost/);
  await assert.rejects(kv.set(["c"], 3), /made/);
  let answered = false;
  void kv.set(["d"], 4).then(() => answered = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(answered, false);
  disk.crash();
  const again = new MemoryKv({ from: disk.snapshot() });
  assert.deepEqual(again.entries().map(({ key }) => key), [["a"], ["c"]]);
  using reopened = again.open();
  const { versionstamp } = await reopened.get(["c"]);
  assert.ok((await reopened.set(["a"], 5)).versionstamp > versionstamp!);
  assert.deepEqual(disk.entries()[0]!.value, new Uint8Array([1]));
});
