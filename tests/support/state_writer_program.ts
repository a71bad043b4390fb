// Counts the messages of a topic into a Cache, in a group. A test kills it.
import { Cache, handle, stream, Topic } from "@slipstream/slipstream";
import { SESSION } from "./brokers.ts";

const [servers, name, group, path] = Deno.args as [string, string, string, string];
const topic = new Topic(name, {
  "bootstrap.servers": servers,
  "group.id": group,
  "auto.offset.reset": "earliest",
  "fetch.wait.max.ms": 10,
  ...SESSION,
  "auto.commit.interval.ms": 5,
  // Small batches make many commits.
  "max.partition.fetch.bytes": 2000,
});
const cache = new Cache<number>(path, { prefix: group });
await cache.has("open");

handle(topic, { sink: cache }, async function* ({ offset, value }) {
  yield [["last", Number(value) % 100], offset];
  yield ["count", (await cache.get("count") ?? 0) + 1];
  if (offset % 100 === 0) console.log(offset);
});

await stream();
