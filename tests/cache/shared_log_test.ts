import assert from "node:assert/strict";
import { Cache } from "../../src/cache/cache.ts";
import { registerStore } from "../support/registered_store.ts";
import { MemoryKv } from "../support/memory_kv.ts";

const LOG = { limit: 10_000 };

/** Makes another process emit updates 0, 1, 2, … of the key "child". */
async function emitElsewhere(path: string, count: number): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      new URL("../support/cache_program.ts", import.meta.url).pathname,
      "emit",
      path,
      `${count}`,
    ],
    stdout: "null",
  }).output();
  assert.ok(success);
}

/** The numbers of the updates that a stream reads, until the update of the key "end". */
async function numbersUntilEnd(stream: ReadableStream<readonly [unknown, unknown, number | undefined]>) {
  const numbers: (number | undefined)[] = [];
  for await (const [key, , sequence] of stream) {
    numbers.push(sequence);
    if (key === "end") break;
  }
  return numbers;
}

Deno.test("a reader of a shared log reads what another process emits, with and without a number to begin at", async () => {
  const path = `${await Deno.makeTempDir()}/cache`;
  await using one = new Cache<number>(path, { shared: true, log: LOG });
  await using two = new Cache<number>(path, { shared: true, log: LOG, prefix: "other" });
  await Promise.all([one.has("open"), two.has("open")]); // both have the store open
  await emitElsewhere(path, 20);
  const reading = [
    numbersUntilEnd(one.updates({ from: 21 })),
    numbersUntilEnd(one.updates()),
    numbersUntilEnd(one.updates({ from: 19 })),
    numbersUntilEnd(two.updates({ from: 1 })),
  ];
  await new Promise((resolve) => setTimeout(resolve, 300)); // time in which a faulty reader would read
  await emitElsewhere(path, 2);
  await one.emit("end", 0);
  await two.emit("end", 0);
  assert.deepEqual(await Promise.all(reading), [[21, 22, 23], [21, 22, 23], [19, 20, 21, 22, 23], [1]]);
});

Deno.test("processes with different limits of the log remove the oldest updates and leave no gap", async () => {
  const disk = new MemoryKv();
  using storeOfOne = registerStore("many are kept", () => disk.open());
  using storeOfTwo = registerStore("few are kept", () => disk.open());
  await using one = new Cache<number>(storeOfOne.path, { shared: true, log: LOG });
  await using two = new Cache<number>(storeOfTwo.path, { shared: true, log: { limit: 3 } });
  await Promise.all([one.has("open"), two.has("open")]);
  for (let n = 0; n < 10; n++) await one.emit("one", n);
  for (let n = 0; n < 4; n++) await two.emit("two", n);
  await one.emit("end", 0);
  // Each update that the process with the lower limit adds removes one.
  assert.deepEqual(await numbersUntilEnd(one.updates({ from: 1 })), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  await two.close();
  await using again = new Cache<number>(storeOfTwo.path, { shared: true, log: { limit: 3 } });
  assert.deepEqual(await numbersUntilEnd(again.updates({ from: 1 })), [13, 14, 15]);
});
