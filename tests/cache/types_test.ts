import assert from "node:assert/strict";
import { Cache, type CacheInput, type CacheKey, type CacheTransaction, type CacheUpdate } from "@slipstream/slipstream";
import { handle, type KeyPrefix, type KeyRead, sse } from "@slipstream/slipstream";

/** Compiles only if both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => {};

/** Never run: the compiler is what is tested. Each `@ts-expect-error` fails `deno check` when there is no error. */
export async function keysArePairs(visits: Cache<number, [user: string, day: number]>): Promise<void> {
  await visits.set(["ann", 1], 5);
  const value = await visits.get(["ann", 1]);
  same<typeof value, number | undefined>(true);
  await visits.getMany([["ann", 1], ["bob", 2]]);
  await visits.update(["ann", 1], (n = 0) => n + 1);
  await visits.emit(["ann", 1], 5);
  await visits.delete(["ann", 1]);
  for await (const [[user, day], n] of visits.entries()) {
    same<[typeof user, typeof day, typeof n], [string, number, number]>(true);
  }
  for await (const key of visits.keys({ prefix: "ann", start: ["ann", 1] })) {
    same<typeof key, [user: string, day: number]>(true);
  }
  for await (const [key, n] of visits.updates({ prefix: ["ann"] })) {
    same<typeof key, [user: string, day: number]>(true);
    same<typeof n, number | undefined>(true);
  }
  for await (const change of visits.changes({ prefix: ["ann", 1] })) {
    if (change.type === "entry") same<(typeof change.update)[0], [user: string, day: number]>(true);
  }
  await visits.transaction(["ann", 1], (tx) => tx.set(["ann", 1], 1));
  await visits.transaction([["ann", 1], ["bob", 1]], async (tx) => tx.set(["ann", 1], await tx.get(["bob", 1]) ?? 0));
  handle([{ user: "ann", day: 1 }], { sink: visits }, ({ user, day }) => [[user, day], 1]);
  handle(
    visits,
    ([[user, day], n]) => same<[typeof user, typeof day, typeof n], [string, number, number | undefined]>(true),
  );
  sse(visits, { prefix: "ann", data: ([[user, day], n]) => `${user.trim()} ${day.toFixed()} ${n?.toFixed()}` });

  // @ts-expect-error: the day is missing
  await visits.get(["ann"]);
  // @ts-expect-error: the key has two parts
  await visits.set("ann", 5);
  // @ts-expect-error: the day is a number
  await visits.set(["ann", "1"], 5);
  // @ts-expect-error: the first part is a string
  visits.entries({ prefix: 1 });
  // @ts-expect-error: the second part is a number
  visits.keys({ start: ["ann", "1"] });
  // @ts-expect-error: the first part is a string
  sse(visits, { prefix: 5 });
  // @ts-expect-error: one of the keys has no day
  await visits.transaction([["ann", 1], ["bob"]], () => {});
  // @ts-expect-error: the handler emits a key without a day
  handle([{ user: "ann" }], { sink: visits }, ({ user }) => [user, 1]);
}

/** Never run, as above. */
export async function keysAreStrings(counts: Cache<bigint, string>): Promise<void> {
  await counts.set("a", 1n);
  for await (const [key, n] of counts.entries({ start: "a" })) same<[typeof key, typeof n], [string, bigint]>(true);
  for await (const [key] of counts) same<typeof key, string>(true);
  await counts.transaction([["a"], ["b"]], async (tx) => tx.set("a", await tx.get("b") ?? 0n));
  await counts.transaction("a", (tx: CacheTransaction<bigint, string>) => tx.delete("a"));
  const input: CacheInput<bigint, string> = ["a", 1n];
  handle([input], { sink: counts }, (pair) => pair);
  sse(counts, { prefix: "a" });
  // @ts-expect-error: the key is a string
  await counts.get(1);
  // @ts-expect-error: the key has one part
  await counts.set(["a", "b"], 1n);
  // @ts-expect-error: the update has a string for its key
  const update: CacheUpdate<bigint, string> = [["a", "b"], 1n, undefined];
  return void update;
}

/** Never run, as above. */
export async function keysAreAnything(cache: Cache<string>): Promise<void> {
  const parts = ["user", 5];
  await cache.set(parts, "ann");
  await cache.set("a", "b");
  for await (const key of cache.keys({ prefix: parts })) same<typeof key, CacheKey>(true);
  await cache.transaction([["a"], parts], (tx) => tx.set("a", "b"));
  // @ts-expect-error: a Date is no part of a key
  await cache.get(new Date());
}

/** Never run, as above: a part of the key is generic, as in a window of any key. */
export async function keysAreGeneric<P extends string>(windows: Cache<number, [key: P, from: number]>, key: P) {
  await windows.set([key, 1], await windows.get([key, 1]) ?? 0);
  await windows.deleteRange({ prefix: [key], end: [key, 1] });
  for await (const [[part, from], n] of windows.entries({ prefix: key })) await windows.set([part, from + 1], n);
}

/** Never run, as above: the whole key is generic, as in a join. */
export async function wholeKeysAreGeneric<K extends CacheKey>(left: Cache<number, K>, right: Cache<number, K>, key: K) {
  await left.set(key, await right.get(key) ?? 0);
  for await (const [key, n] of left.entries()) await right.set(key, n);
  for await (const [key, n] of left) if (n !== undefined) await right.emit(key, n);
  await left.update(key, (n = 0) => n + 1);
  await left.transaction(key, (tx) => tx.delete(key));
}

same<KeyRead<[string]>, string>(true);
same<KeyRead<[string, number]>, [string, number]>(true);
same<KeyRead<CacheKey>, CacheKey>(true);
same<KeyPrefix<string>, string | readonly [string]>(true);

Deno.test("a key of one part comes back as the part, however it was given", async () => {
  await using cache = new Cache<number, [string]>(":memory:");
  await cache.set(["a"], 1);
  await cache.set("b", 2);
  const keys: string[] = await Array.fromAsync(cache.keys());
  assert.deepEqual(keys, ["a", "b"]);
  assert.equal(await cache.get("a"), 1);
});

Deno.test("the compiler's error about a key names the parts of the key", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/wrong_key.ts`;
  const cache = new URL("../../src/cache/cache.ts", import.meta.url).href;
  await Deno.writeTextFile(
    file,
    `import { Cache } from ${JSON.stringify(cache)};
const visits = new Cache<number, [user: string, day: string]>(":memory:");
await visits.get("ann");
await visits.set(["ann"], 1);
visits.keys({ prefix: 5 });
`,
  );
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--no-lock", `--config=${config}`, file],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert.equal(success, false);
  assert.match(text, /'string' is not assignable to parameter of type 'KeyInput<\[user: string, day: string\]>'/);
  assert.match(text, /'\[string\]' is not assignable to parameter of type 'KeyInput<\[user: string, day: string\]>'/);
  assert.match(
    text,
    /'number' is not assignable to type 'string \| readonly \[string\] \| readonly \[string, string\] \| undefined'/,
  );
  await Deno.remove(folder, { recursive: true });
});
