// Messages that can't be handled go to a topic of their own, byte for byte; the rest goes on.
//
// Run:    deno run -A examples/dead_letter.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: a: 3, d: 4, then the two dead letters with the class of their error
import { conf, handle, json, stream, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
conf({ "bootstrap.servers": broker?.bootstrapServers ?? Deno.args[0]! });

const run = crypto.randomUUID();
const drain = { offset: "beginning", until: "end" } as const;
await using raw = new Topic(`orders-${run}`);
await using orders = new Topic(`orders-${run}`, {}, { ...drain, value: json<{ price: number }>() });
await using letters = new Topic(`orders-dead-${run}`, {}, drain);

await raw.sendBatch([["a", '{"price":3}'], ["b", "no JSON"], ["c", '{"price":-1}'], ["d", '{"price":4}']]);

handle(
  orders,
  { name: "bill", sink: console.log, retry: { maxAttempts: 2, minTimeout: 10 }, onError: letters },
  ({ key, value }) => {
    if (value === null || value.price < 0) throw new RangeError("a price is 0 or more");
    return `${key}: ${value.price}`;
  },
);
await stream();

for await (const { key, value, headers } of letters) {
  const why = Object.fromEntries(headers)["slipstream.error"];
  console.log(`${key}: ${value} (${new TextDecoder().decode(why!).split(":")[0]})`);
}
