/**
 * One group under chaos, from its topics to its verdict.
 *
 * @module
 */

import { Cache, Topic } from "@slipstream/slipstream";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import type { Kafka } from "../../tools/kafka.ts";
import { type Counts, judge } from "./judge.ts";
import { BACKLOG, Ledger } from "./ledger.ts";
import { Members, sleep } from "./members.ts";
import { MessageProducer } from "./message_producer.ts";
import type { SourceName } from "./chaos_message.ts";
import { Outages } from "./outages.ts";
import { StallDetector } from "./stall_detector.ts";
import { Random } from "../support/random.ts";
import { brokerActions, memberActions, type ScheduleOptions } from "./schedule.ts";
import type { Behaviour, Protocol } from "./worker.ts";

/** Options of a run. */
export interface RunOptions extends Pick<ScheduleOptions, "seed" | "forMs" | "everyMs" | "mood"> {
  readonly protocol: Protocol;
  /** Whether members are static. */
  readonly isStatic: boolean;
  readonly behaviour: Behaviour;
  readonly members: number;
  /** The number of messages sent per second after the backlog. */
  readonly perSecond: number;
  /** Whether members keep librdkafka's debug log, and print it at a stall. */
  readonly debug: boolean;
  /** The longest time that a handler takes for a message, in milliseconds. */
  readonly takesMs: number;
  /** Kills the processes of the run when it aborts. */
  readonly signal: AbortSignal;
  /** Prints a line. */
  readonly say: (text: string) => void;
}

/** The result of a run. */
export interface Verdict {
  /** The faults that were found, each in words. */
  readonly faults: readonly string[];
  readonly figures: Counts & {
    readonly killed: number;
    readonly terminated: number;
    readonly frozen: number;
    /** The number of static members that the broker fenced for another process with their `group.instance.id`. */
    readonly fenced: number;
    readonly rebalances: number;
    readonly outages: number;
    /** The longest time, in milliseconds, in which a partition with messages had no effect although the broker was up. */
    readonly longestStallMs: number;
    /** The time from the end of the chaos to lag 0, in milliseconds. */
    readonly drainedMs: number;
  };
  /** The folder with the logs of the processes. */
  readonly folder: string;
}

/**
 * A partition without an effect for this time, in milliseconds, plus the time that the whole backlog takes, is reported as
 * stalled, and every member prints its consumers' traces.
 */
const STALL_MS = 20_000;
/** The longest time from the end of the chaos to lag 0, in milliseconds. */
const DRAIN_MS = 300_000;

/** Runs a group under chaos. The broker is up when this begins and when it ends. */
export async function run(kafka: Kafka, options: RunOptions): Promise<Verdict> {
  const { seed, protocol, isStatic, behaviour, say } = options;
  const servers = kafka.bootstrapServers, id = crypto.randomUUID().slice(0, 6);
  const group = `chaos-${id}`, output = `${group}-output`, letters = `${group}-letters`;
  const sources = { one: `${group}-one`, two: `${group}-two` };
  const folder = await Deno.makeTempDir({ prefix: `slipstream-${group}-` });
  const faults: string[] = [];
  const onFault = (text: string) => {
    faults.push(text);
    say(`fault: ${text}`);
  };
  say(
    `${protocol}${isStatic ? ", static members" : ""}, ${behaviour}, seed ${seed}: group ${group}, files in ${folder}`,
  );

  await createTopics(servers, {
    [sources.one]: BACKLOG.one.length,
    [sources.two]: BACKLOG.two.length,
    [output]: 4,
    [letters]: 2,
  });
  const ledger = new Ledger(seed);
  await using producer = new MessageProducer(ledger, servers, sources);
  await producer.fill();

  const random = new Random(seed, `worker of ${protocol}`);
  await using outages = new Outages(kafka, say);
  using detector = new StallDetector(ledger);
  const members = new Members({
    count: options.members,
    folder,
    isStatic,
    worker: {
      seed,
      servers,
      group,
      protocol,
      topics: random.weighted({ one: 1, two: 1 }),
      concurrency: random.between(1, 9),
      takesMs: options.takesMs,
      behaviour,
      flaky: options.mood !== "gentle",
      sources,
      output,
      letters,
      debug: options.debug,
    },
    outages: () => ({ count: outages.count, isAway: outages.isAway }),
    onFault,
  });
  options.signal.addEventListener("abort", () => members.kill());
  try {
    const stallMs = STALL_MS + ledger.size * options.takesMs / 4;
    let longestStallMs = 0, isOver = false, isReported = false;
    const watching = (async () => {
      while (!isOver) {
        await sleep(500);
        detector.read(members.logs);
        if (outages.isAway) continue;
        for (const { partition, n, forMs } of detector.stalls(Date.now(), outages.backAt)) {
          longestStallMs = Math.max(longestStallMs, forMs);
          if (forMs < stallMs || isReported) continue;
          isReported = true;
          say(`${partition} is stalled at message ${n} for ${forMs} ms: see the traces of the members in ${folder}`);
          members.printTraces();
        }
      }
    })();

    // On a busy machine processes take seconds to start. A kill before the first effect would hit no member at work.
    while (detector.effects.every((effects) => effects.length === 0) && !options.signal.aborted) await sleep(100);
    const flowing = new AbortController(), flow = producer.flow(options.perSecond, flowing.signal);
    const until = Date.now() + options.forMs;
    await Promise.all([
      (async () => {
        for (const action of memberActions(`${protocol}${isStatic}`, options)) {
          await sleep(Math.max(0, Math.min(action.afterMs, until - Date.now())));
          if (Date.now() >= until) break;
          await members.act(action);
        }
      })(),
      (async () => {
        for (const action of brokerActions(options)) {
          await sleep(Math.max(0, Math.min(action.afterMs, until - Date.now())));
          if (Date.now() >= until) break;
          await outages.make(action);
        }
      })(),
    ]);
    flowing.abort();
    await flow;

    say("the chaos is over");
    const drainedMs = await drained(servers, group, sources, onFault);
    isOver = true;
    await watching;
    say("lag is 0");
    await members.end();
    say("all members have ended");
    await drained(servers, group, sources, (text) => onFault(`after every member has ended: ${text}`), 5000);
    detector.read(members.logs);

    const { faults: found, counts } = judge(ledger, {
      effects: detector.effects,
      output: (await everything(servers, output)).flatMap(({ values }) => values),
      letters: (await everything(servers, letters)).flatMap(({ values }) => values),
      sources: (await Promise.all(
        Object.entries(sources).map(async ([source, name]) =>
          (await everything(servers, name)).map((one) => ({ ...one, source: source as SourceName }))
        ),
      )).flat(),
      cached: await cachedValues(members.caches),
      gentle: options.mood === "gentle",
    });
    for (const fault of found) onFault(fault);
    const rebalances = await rebalancesOf(kafka, group);
    const figures = { ...counts, ...members.counts, rebalances, outages: outages.count, longestStallMs, drainedMs };
    return { faults, figures, folder };
  } finally {
    members.kill();
  }
}

async function createTopics(servers: string, partitions: Readonly<Record<string, number>>): Promise<void> {
  const { AdminClient } = await loadKafkaJavascript();
  const admin = AdminClient.create({ "bootstrap.servers": servers });
  for (const [topic, num_partitions] of Object.entries(partitions)) {
    await new Promise<void>((resolve, reject) =>
      admin.createTopic(
        { topic, num_partitions, replication_factor: 1 },
        10_000,
        (error) => error ? reject(error) : resolve(),
      )
    );
  }
  admin.disconnect();
}

/** Waits for lag 0. Returns how long it took, in milliseconds. */
async function drained(
  servers: string,
  group: string,
  sources: Readonly<Record<SourceName, string>>,
  onFault: (text: string) => void,
  withinMs = DRAIN_MS,
): Promise<number> {
  const began = Date.now();
  await using topic = new Topic(Object.values(sources), { "bootstrap.servers": servers, "group.id": group });
  for (;;) {
    const lag = await topic.lag().catch((error) => ({ total: NaN, error: String(error) }));
    if (lag.total === 0) return Date.now() - began;
    if (Date.now() - began > withinMs) {
      onFault(`lag is not 0 after ${withinMs} ms: ${JSON.stringify(lag)}`);
      return Date.now() - began;
    }
    await sleep(200);
  }
}

/** The values in the partitions of a topic, in order. */
async function everything(servers: string, name: string): Promise<{ partition: number; values: string[] }[]> {
  await using topic = new Topic(name, { "bootstrap.servers": servers }, { offset: "beginning", until: "end" });
  const partitions: string[][] = [];
  for await (const { partition, value } of topic) (partitions[partition] ??= []).push(value!);
  return partitions.map((values, partition) => ({ partition, values }));
}

/** The values in the Caches of all members. */
async function cachedValues(paths: readonly string[]): Promise<string[]> {
  const values: string[] = [];
  for (const path of paths) {
    await using cache = new Cache<string>(path);
    for await (const value of cache.values()) values.push(value);
  }
  return values;
}

/** Counts the rebalances of a group in the broker's log. */
async function rebalancesOf(kafka: Kafka, group: string): Promise<number> {
  const log = await kafka.log();
  return log.split("\n").filter((line) =>
    line.includes(group) && /Stabilized group|Computed new target assignment|Bumped group epoch/i.test(line)
  ).length;
}
