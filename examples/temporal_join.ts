// A temporal join: what the weather was at the time of each activity, which is the nearest earlier report of its city.
// The table of reports is loaded before the join begins, and the join goes on with its changes where the loading ended.
//
// Run:    deno run -A examples/temporal_join.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: 6 reports, then the weather during each activity
import { Cache, handle, json, type Message, Slipstream, stream, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

interface Happening {
  readonly at: string;
  readonly what: string;
}

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
const conf = {
  "bootstrap.servers": broker?.bootstrapServers ?? Deno.args[0]!,
  "auto.offset.reset": "earliest",
} as const;
const run = crypto.randomUUID();
const options = { value: json<Happening>() };
// In earnest, a program that goes on leaves `until` out.
const drain = { ...options, offset: "beginning", until: "end" } as const;

{
  await using weather = new Topic(`weather-${run}`, conf, options);
  await weather.sendBatch([
    ["oslo", { at: "10:00", what: "🌞" }],
    ["oslo", { at: "11:00", what: "⛅" }],
    ["oslo", { at: "12:00", what: "🌦️" }],
    ["rome", { at: "10:00", what: "🌧" }],
    ["rome", { at: "11:00", what: "🌞" }],
    ["bern", { at: "10:00", what: "❄️" }],
  ]);
  await using activities = new Topic(`activities-${run}`, conf, options);
  await activities.sendBatch([
    ["oslo", { at: "10:30", what: "swimming" }],
    ["oslo", { at: "11:00", what: "walking home" }],
    ["oslo", { at: "10:45", what: "drying up" }], // late: joined with the weather of its time, not with the last
    ["rome", { at: "12:30", what: "shopping" }],
    ["rome", { at: "09:00", what: "breakfast" }],
  ]);
}

await using reports = new Cache<string, [city: string, at: string]>(":memory:");
/** The offset to read next, by partition. With a Cache in a file, keep it there too. */
const next: Record<number, number> = {};

/** The entry that a report makes. A report that comes again makes the same entry. */
function entry({ key, value, partition, offset }: Message<string, Happening>) {
  next[partition] = offset + 1;
  return [[key!, value!.at], value!.what] as const;
}

// The table first: without a group, so that every process of this program reads the whole topic.
{
  await using weather = new Topic(`weather-${run}`, conf, drain);
  const load = new Slipstream();
  load.handle(weather, { sink: reports }, entry);
  await load.stream();
  console.log(`${(await Array.fromAsync(reports.keys())).length} reports`);
}

// Then the join, and the changes of the table.
await using changes = new Topic(`weather-${run}`, conf, { ...drain, offset: next });
await using activities = new Topic(`activities-${run}`, conf, drain);

handle(changes, { sink: reports }, entry);
handle(activities, { sink: console.log }, async function* ({ key, value }) {
  const city = key!, { at, what } = value!;
  // Backwards from the time of the activity: the first report is the nearest. "\uffff" includes a report of that time.
  const before = reports.values({ prefix: city, end: [city, `${at}\uffff`], reverse: true, limit: 1 });
  const { value: weather = "unknown" } = await before.next();
  yield `The weather during ${what} in ${city} was ${weather}`;
});

await stream();
