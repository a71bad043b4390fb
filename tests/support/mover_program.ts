// Moves a topic to another in a group, and prints each message that it handles. A test kills it.
import { handle, stream, Topic } from "@slipstream/slipstream";
import { Random } from "./random.ts";
import { SEED } from "./seed.ts";

const random = new Random(SEED, "handlers");

const [servers, from, to, group, sessionMs] = Deno.args as [string, string, string, string, string];
const conf = { "bootstrap.servers": servers, "fetch.wait.max.ms": 10 };
const input = new Topic(from, {
  ...conf,
  "group.id": group,
  "auto.offset.reset": "earliest",
  "session.timeout.ms": +sessionMs,
  "heartbeat.interval.ms": 200,
  "auto.commit.interval.ms": 20,
}, { until: "end" });
const output = new Topic(to, { ...conf, "linger.ms": 20 });

handle(input, { sink: output, concurrency: 4 }, async ({ key, value }) => {
  await new Promise((resolve) => setTimeout(resolve, random.next() * 2));
  console.log(value);
  return [key, value];
});

await stream();
await output.close();
