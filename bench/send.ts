/**
 * What writing to a Topic takes, by each of its ways in; against another checkout of the project, if one is named.
 *
 * `deno run -A bench/send.ts [--against FOLDER] [--messages 200000] [--rounds 5] [--only send] [--conf linger.ms=1]`. Each
 * measurement has a process of its own, in turns. The broker is that of `KAFKA_BOOTSTRAP_SERVERS`, else a LocalBroker.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { run } from "../src/setup/commands.ts";
import { LocalBroker } from "../src/testing/mod.ts";
import { median, rateText } from "./report.ts";

const WINDOW = 10_000, BATCH = 1000;
/** How many batches of the sink are on their way at once. */
const OVERLAP = 20;
const VALUE_BYTES = 100;

/** The protocol's part of a Topic, in this version and in earlier ones. */
interface Writer {
  accept(value: unknown, delivery: unknown, message?: unknown): void | Promise<void>;
  settle(delivery: unknown): void | Promise<void>;
  close(): void | Promise<void>;
}

interface AnyTopic {
  send(key: unknown, value: unknown): Promise<unknown>;
  sendBatch(records: readonly unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

async function accept(topic: AnyTopic, value: unknown, messages: number): Promise<void> {
  const writer = (topic as unknown as Record<symbol, () => Writer>)[Symbol.for("slipstream.openSink")]!();
  const settling: (void | Promise<void>)[] = [];
  for (let sent = 0; sent < messages; sent += BATCH) {
    const delivery = { undelivered: (error: unknown) => Promise.reject(error) };
    for (let i = 0; i < BATCH; i++) {
      const later = writer.accept([null, value], delivery, i);
      if (later !== undefined) await later;
    }
    settling.push(writer.settle(delivery));
    if (settling.length >= OVERLAP) await settling.shift();
    // As the runner does now and then.
    if (sent % (8 * BATCH) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(settling);
}

/** The ways in: each writes so many messages, and resolves when they are delivered. */
const WAYS: Readonly<Record<string, (topic: AnyTopic, value: unknown, messages: number) => Promise<void>>> = {
  "sendBatch": async (topic, value, messages) => {
    const records = Array.from({ length: BATCH }, () => ({ key: null, value }));
    for (let sent = 0; sent < messages; sent += BATCH) await topic.sendBatch(records);
  },
  "send": async (topic, value, messages) => {
    for (let sent = 0; sent < messages; sent += WINDOW) {
      await Promise.all(Array.from({ length: WINDOW }, () => topic.send(null, value)));
    }
  },
  "send, one by one": async (topic, value, messages) => {
    for (let sent = 0; sent < messages / 100; sent++) await topic.send(null, value);
  },
  "accept": accept,
  "accept, bytes": accept,
};

async function measure(root: string, way: string, servers: string, name: string, messages: number, conf: string[]) {
  const { Topic, bytes, text } = await import(new URL("mod.ts", root).href);
  const codec = way.endsWith("bytes") ? bytes : text;
  const own = Object.fromEntries(conf.map((pair) => pair.split("=") as [string, string]));
  const topic: AnyTopic = new Topic(name, { "bootstrap.servers": servers, ...own }, { key: codec, value: codec });
  const value = codec === bytes ? new Uint8Array(VALUE_BYTES).fill(120) : "x".repeat(VALUE_BYTES);
  await WAYS[way]!(topic, value, WINDOW);
  const began = performance.now();
  await WAYS[way]!(topic, value, messages);
  const count = way === "send, one by one" ? messages / 100 : messages;
  console.log(count / (performance.now() - began) * 1000);
  await topic.close();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      against: { type: "string" },
      messages: { type: "string", default: "200000" },
      rounds: { type: "string", default: "5" },
      only: { type: "string" },
      conf: { type: "string", multiple: true, default: [] },
    },
  });
  const given = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");
  const local = given === undefined ? await LocalBroker.start({ partitions: 1 }) : undefined;
  const here = new URL("..", import.meta.url).href;
  const roots = values.against === undefined ? [here] : [new URL(`file://${values.against}/`).href, here];
  const rates = new Map<string, number[][]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const way of Object.keys(WAYS).filter((way) => values.only === undefined || way === values.only)) {
      const all = rates.get(way) ?? rates.set(way, roots.map(() => [])).get(way)!;
      for (const [which, root] of roots.entries()) {
        const name = `send-${crypto.randomUUID()}`;
        local?.createTopic(name);
        const config = new URL("deno.json", root).pathname;
        const flags = ["run", "--quiet", "--no-check", "--no-lock", "-A", "--config", config, import.meta.filename!];
        const args = ["--one", root, way, given ?? local!.bootstrapServers, name, values.messages, ...values.conf];
        all[which]!.push(Number(await run(Deno.execPath(), [...flags, ...args])));
      }
    }
  }
  await local?.[Symbol.asyncDispose]();
  console.log("| way | messages/s | before | ratio |\n| --- | ---------- | ------ | ----- |");
  for (const [way, all] of rates) {
    const [ours, before] = all.toReversed().map(median) as [number, number | undefined];
    const compared = before === undefined ? " | " : `${rateText(before)} | ${(ours / before).toFixed(2)}`;
    console.log(`| ${way} | ${rateText(ours)} | ${compared} |`);
  }
}

if (Deno.args[0] === "--one") {
  const [root, way, servers, name, messages, ...conf] = Deno.args.slice(1) as [string, string, string, string, string];
  await measure(root, way, servers, name, Number(messages), conf);
} else await main();
