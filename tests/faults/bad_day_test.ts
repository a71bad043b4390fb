import assert from "node:assert/strict";
import { type Conf, HandlerError, Slipstream, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { until } from "../support/brokers.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

const MESSAGES = 20_000;
const KEYS = 97;
const PARTITIONS = 4;
const BROKERS = 3;
/** How long faults are injected, in milliseconds. */
const CHAOS_MS = 15_000;

const PRODUCE = 0, FETCH = 1, OFFSET_COMMIT = 8, JOIN_GROUP = 11, HEARTBEAT = 12;
const NOT_LEADER = 6, TIMED_OUT = 7, UNKNOWN_TOPIC = 3, COORDINATOR_LOADING = 14, NOT_COORDINATOR = 16;
const ILLEGAL_GENERATION = 22, UNKNOWN_MEMBER = 25, REBALANCING = 27, CONNECTION_CLOSED = -195;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Stops and starts brokers, refuses requests of every kind, and closes connections. */
async function makeTrouble(broker: LocalBroker, pick: (below: number) => number, signal: AbortSignal): Promise<void> {
  const refusals: readonly (readonly [apiKey: number, errors: readonly number[]])[] = [
    [PRODUCE, [NOT_LEADER, TIMED_OUT, CONNECTION_CLOSED]],
    [FETCH, [NOT_LEADER, UNKNOWN_TOPIC, CONNECTION_CLOSED]],
    [OFFSET_COMMIT, [COORDINATOR_LOADING, NOT_COORDINATOR, REBALANCING]],
    [JOIN_GROUP, [COORDINATOR_LOADING, NOT_COORDINATOR]],
    [HEARTBEAT, [REBALANCING, ILLEGAL_GENERATION, UNKNOWN_MEMBER, NOT_COORDINATOR]],
  ];
  while (!signal.aborted) {
    await sleep(100 + pick(300));
    const kind = pick(refusals.length + 1);
    if (kind < refusals.length) {
      const [apiKey, errors] = refusals[kind]!;
      broker.pushErrors(apiKey, errors.slice(pick(errors.length)));
    } else {
      // The first broker stays up: it coordinates the group.
      const down = 2 + pick(BROKERS - 1);
      broker.setDown(down);
      await sleep(pick(1500));
      broker.setUp(down);
    }
  }
  for (const [apiKey] of refusals) broker.clearErrors(apiKey);
}

/** Copies messages to another topic until the signal aborts, or its handler fails. */
async function move(conf: Conf, signal: AbortSignal, fails: () => boolean = () => false): Promise<void> {
  const app = new Slipstream();
  await using from = new Topic("in", { ...conf, "group.id": "movers", "auto.offset.reset": "earliest" });
  await using to = new Topic("out", conf);
  app.handle(from, { sink: to }, ({ key, value, partition }) => {
    if (fails()) throw new Error("a bad moment");
    return { key, value, partition };
  });
  try {
    await app.stream({ signal, handleSignals: false });
  } catch (error) {
    assert.ok(error instanceof HandlerError, `${error}`);
  }
}

/** Runs one member of the group after the other, each for some seconds, until the signal aborts. */
async function comeAndGo(
  conf: Conf,
  pick: (below: number) => number,
  signal: AbortSignal,
  tally: { moved: number; failures: number },
): Promise<void> {
  const fails = () => {
    const failing = pick(1000) === 0;
    if (failing) tally.failures++;
    else tally.moved++;
    return failing;
  };
  while (!signal.aborted) await move(conf, AbortSignal.any([signal, AbortSignal.timeout(3000 + pick(5000))]), fails);
}

Deno.test("handle() loses no message and keeps the order of each key while brokers fail, handlers throw and members come and go", async () => {
  const random = new Random(SEED, "a bad day"), pick = (below: number) => random.between(0, below);
  const notices: string[] = [];
  const { warn } = console;
  console.warn = (...text: unknown[]) => void notices.push(text.join(" "));
  try {
    await using broker = await LocalBroker.start({ brokers: BROKERS, partitions: PARTITIONS });
    for (const name of ["in", "out"]) broker.createTopic(name);
    broker.setCoordinator("movers", 1);
    const conf = {
      "bootstrap.servers": broker.bootstrapServers,
      "reconnect.backoff.max.ms": 300,
      "fetch.wait.max.ms": 5,
      // The local broker lets a group rebalance only when a session is over.
      "session.timeout.ms": 1500,
      "heartbeat.interval.ms": 200,
    } as const satisfies Conf;
    const trouble = new AbortController();
    const tally = { moved: 0, failures: 0 };
    const going = [
      makeTrouble(broker, pick, trouble.signal),
      ...[1, 2].map(() => comeAndGo(conf, pick, trouble.signal, tally)),
    ];
    {
      await using topic = new Topic("in", conf);
      const writer = topic.writable.getWriter();
      const began = performance.now();
      for (let n = 0; n < MESSAGES; n++) {
        await writer.write({ key: `${n % KEYS}`, value: `${n}`, partition: n % KEYS % PARTITIONS });
        // Spread over all faults, so that some messages are in flight whenever one happens.
        if (n % 100 === 0) await sleep(Math.max(0, n / MESSAGES * CHAOS_MS - (performance.now() - began)));
      }
      await writer.close();
    }
    // Without these, the test has tested nothing.
    await until(() => tally.moved > 500 && tally.failures > 0, `messages moved, and failures`, 60_000);
    trouble.abort();
    await Promise.all(going);

    // A last member copies the rest.
    const done = new AbortController();
    const moving = move(conf, done.signal);
    const left = new Set(Array.from({ length: MESSAGES }, (_, n) => n));
    const newest = new Map<string, number>();
    await using out = new Topic("out", conf, { offset: "beginning" });
    const timer = setTimeout(() => out.close(), 60_000);
    for await (const { key, value } of out) {
      const n = Number(value);
      // A message may come again. But it must not come for the first time after a later one of its key.
      if (left.delete(n)) {
        assert.ok(n > (newest.get(key!) ?? -1), `${n} came after ${newest.get(key!)} of key ${key}`);
        newest.set(key!, n);
      }
      if (left.size === 0) break;
    }
    clearTimeout(timer);
    done.abort();
    await moving;
    assert.equal(left.size, 0, `lost: ${[...left].slice(0, 20)} … (${notices.slice(-5).join("; ")})`);
  } finally {
    console.warn = warn;
  }
});
