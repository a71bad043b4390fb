// State that outlives the program: entries, ranges of keys, and a time to expire.
//
// Run:    deno run -A examples/cache.ts
// Prints: 🏆 Set(2) { "🐟", "📞" } false, then the users from last to first, then the keys that are left
import { Cache } from "@slipstream/slipstream";

const path = `${await Deno.makeTempDir()}/state/prizes`;
{
  await using prizes = new Cache<string | Set<string>>(path);
  await Promise.all([
    prizes.set("prize", "🏆"),
    prizes.set(["user", 1], "ann"),
    prizes.set(["user", 2], "bob"),
    prizes.set("session", "soon over", { expireInMs: 60_000 }),
    prizes.set("bag", new Set(["🐟", "📞"])),
  ]);
}

// Another run of the program.
await using prizes = new Cache<string | Set<string>>(path);
console.log(await prizes.get("prize"), await prizes.get("bag"), await prizes.has("nothing"));
for await (const [key, value] of prizes.entries({ prefix: "user", reverse: true })) console.log(key, value);
await prizes.deleteRange({ prefix: "user" });
console.log(await Array.fromAsync(prizes.keys()));
