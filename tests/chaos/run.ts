/**
 * One group under chaos, from its topics to its verdict.
 *
 * @module
 */

import { Cache, Topic } from "@slipstream/slipstream";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import type { Kafka } from "../../tools/kafka.ts";
import { type Counts, judge } from "./judge.ts";
import { BACKLOG, Ledger, Producer } from "./ledger.ts";
import { Members, sleep } from "./members.ts";
import type { SourceName } from "./message.ts";
import { Outages } from "./outages.ts";
import { Progress } from "./progress.ts";
import { Random } from "../support/random.ts";
import { brokerActions, memberActions, type ScheduleOptions } from "./schedule.ts";
import type { Behaviour, Protocol } from "./worker.ts";

/** How a run goes. */
export interface RunOptions extends Pick<ScheduleOptions, "seed" | "forMs" | "everyMs" | "mood"> {
  readonly protocol: Protocol;
  /** Whether members are static. */
  readonly isStatic: boolean;
  readonly behaviour: Behaviour;
  readonly members: number;
  /** Messages a second, on top of the backlog. */
  readonly perSecond: number;
  /** Whether librdkafka's own words are kept, to be printed at a stall. */
  readonly debug: boolean;
  /** How long a handler takes for a message at most, in milliseconds; 0 to half of it on average. */
  readonly takesMs: number;
  /** Ends the processes of the run. */
  readonly signal: AbortSignal;
  /** Hears what happens. */
  readonly say: (text: string) => void;
}

/** What a run came to. */
export interface Verdict {
  /** What was not as it must be, in words. */
  readonly faults: readonly string[];
  readonly figures: Counts & {
    readonly killed: number;
    readonly terminated: number;
    readonly frozen: number;
    /** Static members that a broker refused for another process of their name. */
    readonly fenced: number;
    readonly rebalances: number;
    readonly outages: number;
    /** The longest time in which a partition that had messages had no effect while the broker was there, in milliseconds. */
    readonly longestStallMs: number;
    /** How long it took from the end of the chaos to lag 0, in milliseconds. */
    readonly drainedMs: number;
  };
  /** The logs of the processes. */
  readonly folder: string;
}

/**
 * A partition that does not move for so long, longer than the whole backlog takes that may be in front of it, is told,
 * and every member prints what it has.
 */
const STALL_MS = 20_000;
/** How long it may take from the end of the chaos to lag 0. */
const DRAIN_MS = 300_000;

/** Runs a group under chaos. The broker answers when this begins, and when it ends. */
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
  await using producer = new Producer(ledger, servers, sources);
  await producer.fill();

  const random = new Random(seed, `worker of ${protocol}`);
  await using outages = new Outages(kafka, say);
  using progress = new Progress(ledger);
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
    let longestStallMs = 0, isOver = false, isTold = false;
    const watching = (async () => {
      while (!isOver) {
        await sleep(500);
        progress.read(members.logs);
        if (outages.isAway) continue;
        for (const { partition, n, forMs } of progress.waiting(Date.now(), outages.backAt)) {
          longestStallMs = Math.max(longestStallMs, forMs);
          if (forMs < stallMs || isTold) continue;
          isTold = true;
          say(`nothing moves in ${partition} for ${forMs} ms, at ${n}: see what the members print in ${folder}`);
          members.witness();
        }
      }
    })();

    // On a busy machine processes take seconds to begin: what happened before would happen to nobody.
    while (progress.effects.every((effects) => effects.length === 0) && !options.signal.aborted) await sleep(100);
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
    progress.read(members.logs);

    const { faults: found, counts } = judge(ledger, {
      effects: progress.effects,
      output: (await everything(servers, output)).flatMap(({ values }) => values),
      letters: (await everything(servers, letters)).flatMap(({ values }) => values),
      sources: (await Promise.all(
        Object.entries(sources).map(async ([source, name]) =>
          (await everything(servers, name)).map((one) => ({ ...one, source: source as SourceName }))
        ),
      )).flat(),
      kept: await kept(members.caches),
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

/** Waits for lag 0; how long it took, in milliseconds. */
async function drained(
  servers: string,
  group: string,
  sources: Readonly<Record<SourceName, string>>,
  onFault: (text: string) => void,
  withinMs = DRAIN_MS,
): Promise<number> {
  const began = Date.now();
  await using asking = new Topic(Object.values(sources), { "bootstrap.servers": servers, "group.id": group });
  for (;;) {
    const lag = await asking.lag().catch((error) => ({ total: NaN, error: String(error) }));
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
async function kept(paths: readonly string[]): Promise<string[]> {
  const values: string[] = [];
  for (const path of paths) {
    await using cache = new Cache<string>(path);
    for await (const value of cache.values()) values.push(value);
  }
  return values;
}

/** How many times the group's members were given partitions anew, as the broker's log has it. */
async function rebalancesOf(kafka: Kafka, group: string): Promise<number> {
  const log = await kafka.log();
  return log.split("\n").filter((line) =>
    line.includes(group) && /Stabilized group|Computed new target assignment|Bumped group epoch/i.test(line)
  ).length;
}
