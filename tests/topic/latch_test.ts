import { deepEqual, equal, rejects } from "node:assert/strict";
import { Latch } from "../../src/topic/latch.ts";

Deno.test("Latch.race() gives what the promise gives, until the latch fires", async () => {
  const latch = new Latch();
  equal(await latch.race(Promise.resolve(1)), 1);
  await rejects(latch.race(Promise.reject(new Error("no"))), /no/);
  const pending = latch.race(new Promise(() => {}));
  latch.fire();
  equal(await pending, undefined);
  equal(await latch.race(new Promise(() => {})), undefined);
  latch.reset();
  equal(await latch.race(Promise.resolve(2)), 2);
});

Deno.test("Latch.race() swallows a rejection after the latch has fired", async () => {
  const latch = new Latch(), late = Promise.withResolvers<void>();
  const raced = latch.race(late.promise);
  latch.fire();
  late.reject(new Error("late"));
  equal(await raced, undefined);
});

/** Races twice against something lasting, and says how many of the results the collector could free. */
async function freed(race: string): Promise<number> {
  const script = `
    import { Latch } from ${JSON.stringify(import.meta.resolve("../../src/topic/latch.ts"))};
    const latch = new Latch(), lasting = new Promise(() => {});
    const refs = [];
    async function once() {
      const result = { large: new Uint8Array(1000) };
      refs.push(new WeakRef(result));
      await ${race};
    }
    await once();
    await once();
    await new Promise((resolve) => setTimeout(resolve, 10));
    gc();
    console.log(refs.filter((ref) => ref.deref() === undefined).length);
    latch.fire();
    setTimeout(() => lasting, 0);`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-read",
      "--v8-flags=--expose-gc",
      `data:text/typescript,${encodeURIComponent(script)}`,
    ],
  }).output();
  return Number(new TextDecoder().decode(stdout));
}

Deno.test("Latch.race() keeps no result alive, as Promise.race() against a lasting promise does", async () => {
  deepEqual([
    await freed("latch.race(Promise.resolve(result))"),
    await freed("Promise.race([Promise.resolve(result), lasting])"),
  ], [2, 0]);
});
