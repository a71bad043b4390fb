// State: an aggregation, and a join with the nearest earlier value, by ranges of keys.
import { Cache, handle, stream } from "@slipstream/slipstream";

const weather = [
  { at: 10, city: "oslo", degrees: 6 },
  { at: 11, city: "rome", degrees: 20 },
  { at: 20, city: "oslo", degrees: 4 },
  { at: 21, city: "rome", degrees: 22 },
];
const activities = [{ at: 15, city: "oslo" }, { at: 25, city: "oslo" }];

await using history = new Cache<number>(":memory:");
await using totals = new Cache<{ sum: number; count: number }>(":memory:");

handle(weather, { sink: history }, ({ city, at, degrees }) => [[city, at], degrees] as const);
handle(weather, { sink: totals }, async ({ city, degrees }) => {
  const { sum, count } = await totals.get(city) ?? { sum: 0, count: 0 };
  return [city, { sum: sum + degrees, count: count + 1 }] as const;
});
await stream();

for await (const [city, { sum, count }] of totals.entries()) console.log(`${sum / count} °C on average at ${city}`);

for (const { at, city } of activities.toReversed()) {
  // Backwards from the time of the activity, the first there is.
  const before = history.values({ prefix: city, end: [city, at], reverse: true, limit: 1 });
  for await (const degrees of before) console.log(`at ${at}: ${degrees} °C`);
}
