// One handler for several topics: by their names, or all whose names match an expression.
//
// Run:    deno run -A examples/several_topics.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: fish: 🐟 and bird: 🐦, twice each, in any order
import { conf, handle, stream, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
conf({ "bootstrap.servers": broker?.bootstrapServers ?? Deno.args[0]! });

const run = `run${crypto.randomUUID().slice(0, 8)}`;
for (const animal of ["fish", "bird"]) {
  await using topic = new Topic(`${run}.${animal}`);
  await topic.send(animal, animal === "fish" ? "🐟" : "🐦");
}

const drain = { offset: "beginning", until: "end" } as const;
await using named = new Topic([`${run}.fish`, `${run}.bird`], {}, drain);
await using matching = new Topic(new RegExp(`^${run}[.]`), {}, drain);

handle([named, matching], { sink: console.log }, ({ topic, value }) => `${topic.replace(`${run}.`, "")}: ${value}`);

await stream();
