// A topic is a ReadableStream and a WritableStream: it can be piped like any other.
//
// Run:    deno run -A examples/web_streams.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: a HELLO, b STREAMS
import { Topic, transform } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
const conf = { "bootstrap.servers": broker?.bootstrapServers ?? Deno.args[0]! };
const run = crypto.randomUUID();
await using words = new Topic(`words-${run}`, conf, { offset: "beginning", until: "end" });
await using loud = new Topic(`loud-${run}`, conf, { offset: "beginning", until: "end" });

await words.sendBatch([["a", "hello"], ["b", "streams"]]);

await words.readable
  .pipeThrough(transform(({ key, value }) => [key, value?.toUpperCase() ?? null]))
  .pipeTo(loud.writable);

for await (const { key, value } of loud) console.log(key, value);
