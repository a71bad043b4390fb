/**
 * Chaos on a real Kafka: processes and the broker are killed and frozen, and no message may be lost.
 *
 * Starts a Kafka of its own. Three processes handle two topics into a log of effects, a Topic and a Cache. Every 2 s one of
 * the processes is killed, terminated by SIGTERM, or frozen for a while. The broker is killed and started again on its data,
 * or frozen. Some messages are poison. At the end the lag must be 0, each good message must have had an effect, in the order
 * of its key, each poisoned message must have a dead letter, and no value may appear that was never sent.
 *
 * Usage: `deno task test:chaos [--minutes=3] [--protocol=range] [--static] [--seed=7] [--gentle] [--debug]`
 *
 * - `--minutes`, or `CHAOS_MINUTES`: the length of the chaos for each protocol. Default: 3.
 * - `--protocol`: `range`, `cooperative-sticky` or `consumer` alone. Default: all, one after the other.
 * - `--static`, `--no-static`: static members, or none. Default: the seed decides, for each protocol.
 * - `--seed`, or `CHAOS_SEED`: the seed of all random choices. Default: a new one, which is printed.
 * - `--gentle`: only SIGTERM to members; then no message may be handled twice.
 * - `--short`: a few seconds for each protocol.
 * - `--debug`: when a partition is stalled, members print librdkafka's debug log as well.
 *
 * Before that, workers with a fault run for a few seconds, and the fault must be found (`--no-controls` skips them).
 *
 * Exits with 1 if a fault was found. The logs of the processes then stay in a folder, whose path is printed.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { startKafka } from "../../tools/kafka.ts";
import { missedControls } from "./controls.ts";
import { Random } from "../support/random.ts";
import { run, type RunOptions, type Verdict } from "./run.ts";
import type { Protocol } from "./worker.ts";
import { newSeed } from "../support/seed.ts";

const PROTOCOLS = ["range", "cooperative-sticky", "consumer"] as const satisfies readonly Protocol[];
const MEMBERS = 3, EVERY_MS = 2000, SHORT_MS = 6000, QUICK_MS = 4, SLOW_MS = 40;

/** Short sessions, so that the cluster soon notices that a member or the broker was killed. */
const PROPERTIES = {
  "broker.session.timeout.ms": "1000",
  "broker.heartbeat.interval.ms": "200",
  "group.min.session.timeout.ms": "1000",
  "group.consumer.min.session.timeout.ms": "1000",
  "group.consumer.session.timeout.ms": "2000",
  "group.consumer.min.heartbeat.interval.ms": "200",
  "group.consumer.heartbeat.interval.ms": "300",
};

function verdictText({ faults, figures, folder }: Verdict, { protocol, isStatic }: RunOptions): string {
  const name = `${protocol}${isStatic ? ", static" : ""}`;
  const counted = Object.entries(figures).map(([what, count]) => `${what} ${count}`).join(", ");
  return `${name}: ${counted}: ${faults.length === 0 ? "ok" : `${faults.length} FAULTS, files in ${folder}`}`;
}

async function main(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      minutes: { type: "string", default: Deno.env.get("CHAOS_MINUTES") ?? "3" },
      protocol: { type: "string" },
      static: { type: "boolean" },
      seed: { type: "string", default: Deno.env.get("CHAOS_SEED") ?? `${newSeed()}` },
      gentle: { type: "boolean", default: false },
      controls: { type: "boolean", default: true },
      short: { type: "boolean", default: false },
      debug: { type: "boolean", default: false },
    },
  });
  const seed = Number(values.seed), minutes = Number(values.minutes);
  if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed must be a whole number: ${values.seed}`);
  if (!(minutes > 0)) throw new TypeError(`--minutes must be above 0: ${values.minutes}`);
  const protocols = PROTOCOLS.filter((protocol) => values.protocol === undefined || protocol === values.protocol);
  if (protocols.length === 0) {
    throw new TypeError(`--protocol must be one of ${PROTOCOLS.join(", ")}: ${values.protocol}`);
  }

  const began = Date.now();
  const say = (text: string) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);
  await using kafka = await startKafka({ properties: PROPERTIES });
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      interrupted.abort();
      void kafka.stop().finally(() => Deno.exit(130));
    });
  }
  const plan = {
    seed,
    behaviour: "right",
    members: MEMBERS,
    perSecond: values.short ? 200 : 100,
    everyMs: EVERY_MS,
    mood: values.gentle ? "gentle" : "rough",
    debug: values.debug,
    signal: interrupted.signal,
    say,
  } as const;
  const results: string[] = [];
  let isGood = true;
  if (values.controls) {
    for (const missed of await missedControls(kafka, { ...plan, takesMs: QUICK_MS })) {
      isGood = false;
      results.push(`NOT FOUND: a worker that ${missed}`);
    }
  }
  const random = new Random(seed, "plan");
  for (const protocol of protocols) {
    const isStatic = values.static ?? random.next() < 0.5, forMs = values.short ? SHORT_MS : minutes * 60_000;
    // A batch of slow messages takes longer than a session, and longer than a reader waits before it pauses its partitions.
    const takesMs = values.short ? QUICK_MS : random.between(QUICK_MS, SLOW_MS);
    const options: RunOptions = { ...plan, protocol, isStatic, forMs, takesMs };
    const verdict = await run(kafka, options);
    if (verdict.faults.length > 0) isGood = false;
    else await Deno.remove(verdict.folder, { recursive: true });
    results.push(verdictText(verdict, options));
    say(results.at(-1)!);
  }
  console.log(`\nseed ${seed}\n${results.join("\n")}`);
  return isGood;
}

if (import.meta.main) Deno.exit(await main(Deno.args) ? 0 : 1);
