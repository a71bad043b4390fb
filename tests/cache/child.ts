/** What the tests of several processes run in another one: `child.ts MODE PATH`. */
import { Cache } from "@slipstream/slipstream";

const [mode, path, count] = Deno.args as [string, string, string?];
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
} else if (mode === "write") {
  // Every acknowledged write is said, until somebody kills this.
  const cache = new Cache<number | Uint8Array>(path);
  await Promise.all(
    Array.from({ length: 20 }, async (_, writer) => {
      for (let n = 1;; n++) {
        await cache.set(["writer", writer], n);
        say(`${writer} ${n}`);
      }
    }).concat((async () => {
      for (let n = 1;; n++) {
        await cache.set("big", new Uint8Array(1_000_000).fill(n));
        say(`big ${n}`);
      }
    })()),
  );
}
