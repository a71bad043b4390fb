// Two messages are sent to a topic, then read and printed.
//
// On a broker of one's own: deno run -A examples/topic.ts localhost:29091
import { Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
await using emoji = new Topic(`emoji-${crypto.randomUUID()}`, {
  "bootstrap.servers": broker?.bootstrapServers ?? Deno.args[0]!,
}, { offset: "beginning", until: "end" });

await emoji.send("trophy", "🏆");
await emoji.send("fish", "🐟");

for await (const { key, value } of emoji) console.log(key, value);
