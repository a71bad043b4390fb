// Values as JSON; a tombstone stays null.
//
// Run:    deno run -A examples/codec_json.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: { msg: "🐟" }, then null
import { json, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
await using emoji = new Topic(`emoji-${crypto.randomUUID()}`, {
  bootstrap_servers: broker?.bootstrapServers ?? Deno.args[0]!,
}, { value: json<{ msg: string }>(), offset: "beginning", until: "end" });

await emoji.send("fish", { msg: "🐟" });
await emoji.send("fish", null);

for await (const { value } of emoji) console.log(value);
