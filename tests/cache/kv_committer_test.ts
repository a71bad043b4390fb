import assert from "node:assert/strict";
import { KvCommitter } from "../../src/cache/store/kv_committer.ts";
import { RetryingKv } from "../../src/cache/store/retrying_kv.ts";
import { encode } from "../../src/cache/store/stored_value.ts";

Deno.test("chunks that can't be removed are removed after a later commit", async () => {
  const kv = await Deno.openKv(":memory:");
  let failing = true;
  const faulty = new Proxy(kv, {
    get(target, name) {
      if (name === "delete" && failing) return () => Promise.reject(new Error("database or disk is full"));
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const committer = new KvCommitter(
    new RetryingKv(faulty, ":memory:", false),
    { prefix: "", shared: false, remote: false },
    undefined,
  );
  const write = (value: unknown) => [{ id: "a", key: ["a"], keyBytes: 3, stored: encode(value, "a") }];
  const left = async () => (await Array.fromAsync(kv.list({ prefix: ["", "b"] }))).length;
  await committer.commit(write(new Uint8Array(200_000)), []);
  await committer.commit(write("small"), []);
  assert.equal(await left(), 1);
  failing = false;
  await committer.commit(write("small again"), []);
  assert.equal(await left(), 0);
  kv.close();
});
