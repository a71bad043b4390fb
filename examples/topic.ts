// Sends two messages to a topic, then reads them up to its end.
//
// Run:    deno run -A examples/topic.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: trophy 🏆, fish 🐟
import { Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
await using emoji = new Topic(`emoji-${crypto.randomUUID()}`, {
  "bootstrap.servers": broker?.bootstrapServers ?? Deno.args[0]!,
}, { offset: "beginning", until: "end" });

await emoji.send("trophy", "🏆");
await emoji.send("fish", "🐟");

for await (const { key, value } of emoji) console.log(key, value);
