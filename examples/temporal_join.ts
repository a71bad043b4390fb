// A temporal join: what the weather was at the time of each activity, which is the nearest earlier report of the city.
import { Cache, handle, stream } from "@slipstream/slipstream";

const time = (text: string) => Date.parse(`2023-01-01T${text}Z`);

/** In the order of their arrival. */
const arrivals = [
  { at: time("10:00"), city: "oslo", weather: "🌞" },
  { at: time("10:00"), city: "rome", weather: "🌧" },
  { at: time("10:30"), city: "oslo", activity: "swimming" },
  { at: time("11:00"), city: "oslo", weather: "⛅" },
  { at: time("11:00"), city: "oslo", activity: "walking home" },
  { at: time("12:00"), city: "oslo", weather: "🌦️" },
  { at: time("10:45"), city: "oslo", activity: "drying up" }, // late, and joined with what was, not with what is
  { at: time("12:30"), city: "rome", activity: "shopping" },
  { at: time("09:00"), city: "rome", activity: "breakfast" },
];

await using reports = new Cache<string, [city: string, at: number]>(":memory:");

handle(arrivals, { sink: reports }, function* ({ at, city, weather }) {
  if (weather !== undefined) yield [[city, at], weather];
});

handle(arrivals, { sink: console.log }, async function* ({ at, city, activity }) {
  if (activity === undefined) return;
  // Backwards from the time of the activity, and with it, the first there is.
  const before = reports.values({ prefix: city, end: [city, at + 1], reverse: true, limit: 1 });
  const { value: weather = "unknown" } = await before.next();
  yield `The weather during ${activity} in ${city} was ${weather}`;
});

await stream();
