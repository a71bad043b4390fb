// Aggregations: a count over everything, over windows side by side (tumbling), and over the last three seconds (sliding).
import { Cache, handle, stream } from "@slipstream/slipstream";

const events = [
  { emoji: "🏆", at: 0 },
  { emoji: "📞", at: 0.5 },
  { emoji: "🏆", at: 1 },
  { emoji: "🐟", at: 2 },
  { emoji: "🏆", at: 3.5 },
  { emoji: "📞", at: 5 },
];

// With a path in place of ":memory:", all of it goes on where it was when the program is run again.
await using totals = new Cache<number, string>(":memory:");
await using tumbling = new Cache<number, [from: number, emoji: string]>(":memory:");
await using sliding = new Cache<string, number>(":memory:");

handle(events, { sink: totals }, async ({ emoji }) => {
  return [emoji, (await totals.get(emoji) ?? 0) + 1];
});

handle(events, { sink: tumbling }, async ({ emoji, at }) => {
  const key: [number, string] = [at - at % 2, emoji]; // windows of two seconds
  return [key, (await tumbling.get(key) ?? 0) + 1];
});

handle(events, { sink: sliding }, async function* ({ emoji, at }) {
  yield [at, emoji]; // in the Cache by the next line
  const last = await Array.fromAsync(sliding.values({ start: at - 3 }));
  console.log(`up to ${at} s: ${last.join("")}`);
  await sliding.deleteRange({ end: at - 3 });
});

await stream();

console.log(Object.fromEntries(await Array.fromAsync(totals.entries())));
for await (const [[from, emoji], count] of tumbling.entries()) {
  console.log(`from ${from} s: ${emoji} ${count}`);
}
