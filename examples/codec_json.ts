// Values as JSON; a tombstone stays null.
//
// On a broker of one's own: deno run -A examples/codec_json.ts localhost:29091
import { json, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
await using emoji = new Topic(`emoji-${crypto.randomUUID()}`, {
  bootstrap_servers: broker?.bootstrapServers ?? Deno.args[0]!,
}, { value: json<{ msg: string }>(), offset: "beginning", until: "end" });

await emoji.send("fish", { msg: "🐟" });
await emoji.send("fish", null);

for await (const { value } of emoji) console.log(value);
