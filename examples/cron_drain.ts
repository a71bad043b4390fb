// Every ten minutes, reads a topic up to its end and stops: between the ticks nothing runs. The run of a tick
// lasts until everything that it read is settled and committed.
//
// Run:    deno run -A examples/cron_drain.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: at each tick the orders, and how many they were
import { type Conf, cron, handle, Slipstream, stream, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";

// At the top level of the module, where Deno Deploy looks for crons.
const ticks = cron("drain", "*/10 * * * *");

await using broker = Deno.args.length === 0 ? await LocalBroker.start() : undefined;
const name = `orders-${crypto.randomUUID()}`;
const conf: Conf = {
  "bootstrap.servers": broker?.bootstrapServers ?? Deno.args[0]!,
  "auto.offset.reset": "earliest",
  // The local broker lets the next member join a group only after the session time-out of the last one.
  ...(broker === undefined ? {} : { "session.timeout.ms": 6000 }),
};

/** Writes orders, as other programs do at any time. */
async function order(...orders: string[]): Promise<void> {
  await using topic = new Topic(name, conf);
  await topic.sendBatch(orders.map((one) => ({ key: "shop", value: one })));
}

async function drain(): Promise<string> {
  // Each drain has a Topic of its own, which begins at the offsets that the group has committed.
  await using orders = new Topic(name, { ...conf, "group.id": name }, { until: "end" });
  const app = new Slipstream();
  let drained = 0;
  app.handle(orders, { sink: console.log }, ({ value }) => {
    drained++;
    return value;
  });
  await app.stream({ handleSignals: false });
  return `${drained} drained`;
}

await order("a fish", "a trophy");
handle(ticks, { sink: [console.log, () => order("another fish")] }, drain);
await stream();
