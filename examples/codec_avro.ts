// A codec of your own: values as Avro, by a schema file and npm:avsc. Readers need the schema too: the bytes
// do not name it. (`./schema-registry` has codecs whose bytes do.)
//
// Run:    deno run -A examples/codec_avro.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: written at 0, why a wrong value is refused, then the value, and null for the tombstone
import { Buffer } from "node:buffer";
import avro from "avsc";
import { type Codec, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

interface Emoji {
  readonly msg: string;
  readonly seen: number;
}

/** A codec of a schema file. The bytes have neither the name nor the id of the schema. */
async function avroCodec<T>(schemaFile: URL): Promise<Codec<T>> {
  const type = avro.Type.forSchema(JSON.parse(await Deno.readTextFile(schemaFile)));
  return {
    name: "avro",
    encode: (value) => type.toBuffer(value),
    // avsc copies strings and bytes out of the Buffer.
    decode: (bytes) => type.fromBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as T,
  };
}

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
await using emoji = new Topic(`emoji-${crypto.randomUUID()}`, {
  "bootstrap.servers": broker?.bootstrapServers ?? Deno.args[0]!,
}, { value: await avroCodec<Emoji>(new URL("emoji.avsc", import.meta.url)), offset: "beginning", until: "end" });

const { offset } = await emoji.send("fish", { msg: "🐟", seen: 2 });
await emoji.send("fish", null);
console.log(`written at ${offset}`);

// What does not fit the schema is not written.
await emoji.send("fish", { msg: 1 as never, seen: 0 }).catch((error) => console.log(error.message));

for await (const { value } of emoji) console.log(value);
