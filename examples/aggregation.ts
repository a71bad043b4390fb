// Aggregations: a count of everything, of windows side by side (tumbling), and of the last three seconds (sliding).
// Under at-least-once, counts like these count a message twice after a crash; docs/cookbook.md has the remedy.
//
// Run:    deno run -A examples/aggregation.ts
// Prints: the events of each sliding window, then the counts of everything, then those of each tumbling window
import { Cache, handle, stream } from "@slipstream/slipstream";

/** Two events may have the same time, so each has an id: in a topic, its partition and offset. */
const events = [
  { id: 0, emoji: "🏆", at: 0 },
  { id: 1, emoji: "📞", at: 1 },
  { id: 2, emoji: "🏆", at: 1 },
  { id: 3, emoji: "🐟", at: 2 },
  { id: 4, emoji: "🏆", at: 3.5 },
  { id: 5, emoji: "📞", at: 5 },
];

// With a path instead of ":memory:", the counts go on where they were when the program runs again.
await using totals = new Cache<number, string>(":memory:");
await using tumbling = new Cache<number, [from: number, emoji: string]>(":memory:");
await using sliding = new Cache<string>(":memory:");

handle(events, { sink: totals }, async ({ emoji }) => {
  return [emoji, (await totals.get(emoji) ?? 0) + 1];
});

const TUMBLING_SECONDS = 2, SLIDING_SECONDS = 3;

handle(events, { sink: tumbling }, async ({ emoji, at }) => {
  const key: [number, string] = [at - at % TUMBLING_SECONDS, emoji];
  return [key, (await tumbling.get(key) ?? 0) + 1];
});

handle(events, { sink: sliding }, async function* ({ id, emoji, at }) {
  // The key is the time and the id: with the time alone, the second event of a moment would replace the first.
  yield [[at, id], emoji];
  // The Cache has the event from here on.
  const last = await Array.fromAsync(sliding.values({ start: [at - SLIDING_SECONDS] }));
  console.log(`up to ${at} s: ${last.join("")}`);
  await sliding.deleteRange({ end: [at - SLIDING_SECONDS] });
});

await stream();

console.log(Object.fromEntries(await Array.fromAsync(totals.entries())));
for await (const [window, count] of tumbling.entries()) console.log(window, count);
