// Like reader_program.ts, with ten handlers at a time, and dead letters for one message of ten.
import { handle, stream, Topic } from "@slipstream/slipstream";
import { SESSION } from "./brokers.ts";
import { Random } from "./random.ts";
import { SEED } from "./seed.ts";

const random = new Random(SEED, "handlers");

const [servers, name, group, dead] = Deno.args as [string, string, string, string];
const conf = { "bootstrap.servers": servers };
const topic = new Topic(name, {
  ...conf,
  "group.id": group,
  "auto.offset.reset": "earliest",
  "fetch.wait.max.ms": 10,
  ...SESSION,
  "auto.commit.interval.ms": 50,
});
const letters = new Topic(dead, conf);

handle(
  topic,
  {
    concurrency: 10,
    retry: { maxAttempts: 2, minTimeout: 1 },
    onError: letters,
    sink: (value: string) => console.log(value),
  },
  async (message) => {
    await new Promise((resolve) => setTimeout(resolve, random.next() * 10));
    if (Number(message.value) % 10 === 7) throw new Error("on purpose");
    return message.value!;
  },
);

await stream();
await letters.close();
