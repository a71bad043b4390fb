/** The program that tests of several processes run in the others: `cache_program.ts MODE PATH COUNT OFFSETS`. */
import { Cache } from "@slipstream/slipstream";
import { type Batch, type BatchSource, openSource } from "@slipstream/slipstream/protocol";
import { deliver } from "./deliver.ts";

const [mode, path, count, offsets] = Deno.args as [string, string, string?, string?];
const say = (line: unknown) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

if (mode === "hold") {
  const cache = new Cache(path);
  await cache.set("held", 1);
  say("holding");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
} else if (mode === "increment") {
  const cache = new Cache<number>(path, { shared: true });
  await cache.has("n");
  say("ready");
  const running = Array.from({ length: 4 }, async () => {
    for (let n = 0; n < Number(count) / 4; n++) await cache.update("n", (value = 0) => value + 1);
  });
  await Promise.all(running);
  await cache.close();
} else if (mode === "emit") {
  const cache = new Cache<number>(path, { shared: true, log: { limit: 10_000 } });
  await cache.has("n");
  say("ready");
  for (let n = 0; n < Number(count); n++) {
    if (n % 10 === 0) await cache.transaction(["child"], (tx) => tx.emit(["child"], n));
    else await cache.emit("child", n);
  }
  await cache.close();
} else if (mode === "large") {
  await using cache = new Cache<Uint8Array>(path);
  for (let n = 0; n < Number(count); n++) {
    await Promise.all([0, 1, 2].map((key) => cache.set(key, new Uint8Array(150_000 + 100_000 * key).fill(100 + n))));
  }
} else if (mode === "write") {
  await write();
}

/** Writes until it is killed, and prints every acknowledged write. */
async function write(): Promise<void> {
  const cache = new Cache<number | Uint8Array>(path);
  const logged = new Cache<number>(path, { prefix: "logged", log: { limit: 50 } });
  const writers = Array.from({ length: 20 }, async (_, writer) => {
    for (let n = 1;; n++) {
      await cache.set(["writer", writer], n);
      say(`${writer} ${n}`);
    }
  });
  const big = async () => {
    for (let n = 1;; n++) {
      await cache.set("big", new Uint8Array(1_000_000).fill(n));
      say(`big ${n}`);
    }
  };
  const emitting = async () => {
    for (let n = Number(count) + 1;; n++) {
      await logged.emit("n", n);
      say(`logged ${n}`);
    }
  };
  const seen = deliver(numbersFrom(offsets!), cache, (n) => [["seen", n % 100], n]);
  await Promise.all([...writers, big(), emitting(), seen]);
}

/** Numbers without end, in batches. A file keeps how many of them are done. */
function numbersFrom(file: string): BatchSource<number> {
  let next = 0;
  try {
    next = Number(Deno.readTextFileSync(file).split("\n").at(-2) ?? 0);
  } catch { /* there is no file at first */ }
  const offsets = Deno.openSync(file, { append: true, create: true });
  const batches = new ReadableStream<Batch<number>>({
    pull(controller) {
      const messages = Array.from({ length: 50 }, () => next++);
      const offset = next;
      controller.enqueue({ messages, done: () => void offsets.writeSync(new TextEncoder().encode(`${offset}\n`)) });
    },
  }, { highWaterMark: 0 });
  return { [openSource]: () => ({ batches, stop() {}, close: () => Promise.resolve() }) };
}
