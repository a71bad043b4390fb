// Reads a topic in a group and prints what was handled. A test signals or kills it.
import { handle, stream, Topic } from "@slipstream/slipstream";
import { SESSION } from "./brokers.ts";

const [servers, name, group] = Deno.args as [string, string, string];
const topic = new Topic(name, {
  "bootstrap.servers": servers,
  "group.id": group,
  "auto.offset.reset": "earliest",
  "fetch.wait.max.ms": 10,
  ...SESSION,
  "auto.commit.interval.ms": 100,
});

handle(topic, { sink: (value: string) => console.log(value) }, async (message) => {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return message.value!;
});

await stream();
