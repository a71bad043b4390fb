import { deepEqual, equal, rejects } from "node:assert/strict";
import { ResettableSignal } from "../../src/async/resettable_signal.ts";

Deno.test("ResettableSignal.race() settles as its promise does, unless the signal fires first", async () => {
  const signal = new ResettableSignal();
  equal(await signal.race(Promise.resolve(1)), 1);
  await rejects(signal.race(Promise.reject(new Error("no"))), /no/);
  const pending = signal.race(new Promise(() => {}));
  signal.fire();
  equal(await pending, undefined);
  equal(await signal.race(new Promise(() => {})), undefined);
  signal.reset();
  equal(await signal.race(Promise.resolve(2)), 2);
});

Deno.test("ResettableSignal.race() swallows a rejection after the signal has fired", async () => {
  const signal = new ResettableSignal(), late = Promise.withResolvers<void>();
  const raced = signal.race(late.promise);
  signal.fire();
  late.reject(new Error("late"));
  equal(await raced, undefined);
});

/** Races twice against something lasting, and says how many of the results the collector could free. */
async function freed(race: string): Promise<number> {
  const script = `
    import { ResettableSignal } from ${JSON.stringify(import.meta.resolve("../../src/async/resettable_signal.ts"))};
    const signal = new ResettableSignal(), lasting = new Promise(() => {});
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
    signal.fire();
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

Deno.test("ResettableSignal.race() keeps no result alive, unlike Promise.race() against a pending promise", async () => {
  deepEqual([
    await freed("signal.race(Promise.resolve(result))"),
    await freed("Promise.race([Promise.resolve(result), lasting])"),
  ], [2, 0]);
});
