/**
 * Compares the npm client on Deno, over the addon in `src/addon`, with the npm client on Node, over its native addon: the same code, on the same
 * broker, in turns. Latency, throughput and memory, as ratios.
 *
 * `deno run -A bench/kafka_javascript.ts [--rounds 3] [--messages 200000] [--rate 500] [--only NAME]`. The broker is
 * that of `KAFKA_BOOTSTRAP_SERVERS`; without it, a Kafka of its own. The addon is the one in the folder that
 * `KAFKA_JAVASCRIPT_NODE` names; without it, it is built, and where that can't be done, the benchmark says so and ends.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { KafkaJS } from "@slipstream/slipstream/kafka-javascript";
import { run } from "../src/setup/commands.ts";
import { startKafka } from "../tools/kafka.ts";
import { addonFolder } from "./build_addon.ts";
import { median, percent } from "./report.ts";

/** What one run measured. */
interface Measured {
  readonly rate?: number;
  readonly p50?: number;
  readonly p99?: number;
  readonly rss: number;
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "3" },
    messages: { type: "string", default: "200000" },
    rate: { type: "string", default: "500" },
    only: { type: "string" },
  },
});
const rounds = Number(values.rounds), messages = Number(values.messages), rate = Number(values.rate);
if (![rounds, messages, rate].every((number) => Number.isSafeInteger(number) && number > 0)) {
  throw new RangeError("--rounds, --messages and --rate must be whole numbers");
}

/** How long the messages of a latency run take to send, in seconds. */
const STEADY_SECONDS = 6;

const LOADS = [
  { name: "latency, eachMessage", steady: true },
  { name: "latency, callbacks", steady: true },
  { name: "produce, send", steady: false },
  // What the one writes is what those after it read.
  { name: "produce, callbacks", steady: false },
  { name: "consume, callbacks", steady: false },
  { name: "consume, eachMessage", steady: false },
  { name: "produce, headers", steady: false },
  { name: "consume, headers", steady: false },
];

const folder = await addonFolder().catch((error: Error) => {
  console.error(`bench: no native addon to compare with: ${error.message}`);
  Deno.exit(0);
});
const given = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");
await using kafka = given ? undefined : await startKafka();
const servers = given || kafka!.bootstrapServers;
const admin = new KafkaJS.Kafka({ kafkaJS: { brokers: [servers], logLevel: KafkaJS.logLevel.NOTHING } }).admin();
await admin.connect();

const HERE = new URL(".", import.meta.url).pathname;

async function measure(runtime: "node" | "deno", args: readonly string[]): Promise<Measured> {
  const [command, first] = runtime === "node"
    ? ["node", [`${HERE}kafka_javascript_node.mjs`, folder]]
    : [Deno.execPath(), ["run", "-A", "--quiet", `${HERE}kafka_javascript_deno.ts`]];
  return JSON.parse(await run(command, [...first, ...args])) as Measured;
}

const prefix = `kafka-javascript-bench-${crypto.randomUUID().slice(0, 8)}`;
const made: string[] = [];
async function freshTopic(): Promise<string> {
  const topic = `${prefix}-${made.length}`;
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  made.push(topic);
  return topic;
}

const results = new Map<string, { node: Measured[]; deno: Measured[] }>();
try {
  for (let round = 1; round <= rounds; round++) {
    let filled: string | undefined;
    for (const { name, steady } of LOADS) {
      // Consuming needs what producing has left.
      const wanted = values.only === undefined || name.includes(values.only) ||
        (name.startsWith("produce") && values.only.includes("consume"));
      if (!wanted) continue;
      const result = results.get(name) ?? { node: [], deno: [] };
      results.set(name, result);
      for (const runtime of ["node", "deno"] as const) {
        const topic = name.startsWith("consume") ? filled! : await freshTopic();
        if (name.startsWith("produce")) filled = topic;
        const args = steady ? [`${rate * STEADY_SECONDS}`, `${rate}`] : [`${messages}`];
        const measured = await measure(runtime, [name, servers, topic, ...args]);
        result[runtime].push(measured);
        console.log(`round ${round}: ${name}, ${runtime}: ${show(measured)}`);
      }
    }
  }
} finally {
  await admin.deleteTopics({ topics: made });
  await admin.disconnect();
}

function show({ rate, p50, p99, rss }: Measured): string {
  const memory = `${(rss / 2 ** 20).toFixed(0)} MB`;
  if (rate !== undefined) return `${Math.round(rate).toLocaleString("en")}/s, ${memory}`;
  return `p50 ${p50!.toFixed(2)} ms, p99 ${p99!.toFixed(2)} ms, ${memory}`;
}

console.log(`\nDeno / Node with the native addon, medians of ${rounds} rounds:\n`);
for (const [name, { node, deno }] of results) {
  for (const figure of ["rate", "p50", "p99", "rss"] as const) {
    const [ours, theirs] = [deno, node].map((all) => median(all.flatMap((one) => one[figure] ?? [])));
    if (Number.isNaN(ours)) continue;
    const better = figure === "rate" ? "more is better" : "less is better";
    console.log(`${name}: ${figure} ${percent(ours! / theirs!)} (${better})`);
  }
}
