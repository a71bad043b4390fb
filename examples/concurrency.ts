// Three messages at a time, and those of one key in order: for handlers that wait for something.
//
// Run:    deno run -A examples/concurrency.ts
// Prints: a: 0 3 6, b: 1 4 7, c: 2 5 8, 3 at a time
import { handle, stream } from "@slipstream/slipstream";

const visits = Array.from({ length: 9 }, (_, n) => ({ key: "abc"[n % 3]!, n }));
const pages = new Map<string, number[]>();
let now = 0, most = 0;

handle(
  visits,
  { concurrency: 3, sink: ({ key, n }) => pages.set(key, [...pages.get(key) ?? [], n]) },
  async (visit) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 5)); // a call to somewhere else
    now--;
    return visit;
  },
);

await stream();
for (const [key, ns] of [...pages].sort()) console.log(`${key}: ${ns.join(" ")}`);
console.log(`${most} at a time`);
