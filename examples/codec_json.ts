// Values as JSON, checked by a schema when they are written and when they are read; a tombstone stays null.
// Any library with Standard Schema will do: zod here, or valibot, or arktype.
//
// Run:    deno run -A examples/codec_json.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: 🐟 2026, 🐠 some day, and deleted; and on stderr, what doesn't fit the schema
import { handle, json, stream, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { z } from "npm:zod@^4.1.0";

const Emoji = z.object({
  msg: z.string(),
  at: z.iso.datetime().transform((text) => new Date(text)).optional(),
});

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
const conf = { bootstrap_servers: broker?.bootstrapServers ?? Deno.args[0]! };
const name = `emoji-${crypto.randomUUID()}`;

// Somebody else writes what they like.
await using unchecked = new Topic(name, conf);
await unchecked.send("fish", '{ "msg": "🐟", "at": "2026-01-02T03:04:05Z" }');
await unchecked.send("fish", '{ "msg": 5, "at": "yesterday" }');

// The schema gives the values their type.
await using emoji = new Topic(name, conf, { value: json(Emoji), offset: "beginning", until: "end" });
await emoji.send("fish", { msg: "🐠" });
await emoji.send("fish", null);
await emoji.send("fish", { msg: 5 } as never).catch((error) => console.error(error.message));

handle(emoji, { onError: (error) => console.error(error.message) }, ({ value }) => {
  console.log(value === null ? "deleted" : `${value.msg} ${value.at?.getUTCFullYear() ?? "some day"}`);
});
await stream();
