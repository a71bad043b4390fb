// A transaction over two keys of a Cache: both change, or neither does.
//
// Run:    deno run -A examples/cache_transaction.ts
// Prints: moved 30, refused: only 70 left, ann 70, bob 30
import { Cache } from "@slipstream/slipstream";

await using accounts = new Cache<number, string>(":memory:");
await accounts.set("ann", 100);

function move(from: string, to: string, amount: number): Promise<void> {
  return accounts.transaction([[from], [to]], async (tx) => {
    const left = await tx.get(from) ?? 0;
    tx.set(to, (await tx.get(to) ?? 0) + amount);
    if (left < amount) throw new Error(`only ${left} left`);
    tx.set(from, left - amount);
  });
}

const results = await Promise.allSettled([move("ann", "bob", 30), move("ann", "bob", 80)]);
for (const result of results) {
  console.log(result.status === "fulfilled" ? "moved 30" : `refused: ${result.reason.message}`);
}
console.log(`ann ${await accounts.get("ann")}, bob ${await accounts.get("bob")}`);
