/**
 * A member of a group under chaos: handles two source topics into a log of effects, a Topic and a Cache.
 *
 * It knows nothing of the chaos, and is what a user would write. On SIGUSR2 it prints what its consumers have.
 *
 * Usage: `deno run -A worker.ts WORKER_OPTIONS_AS_JSON`
 *
 * @module
 */

import { Cache, type Conf, handle, type Message, stream, Topic } from "@slipstream/slipstream";
import { EffectsLog } from "./effects.ts";
import { type Id, idText, type Kind, read, type SourceName, SOURCES } from "./message.ts";
import { Witness } from "./witness.ts";

/** How the group's members agree on who reads what. */
export type Protocol = "range" | "cooperative-sticky" | "consumer";

/** What a worker does with its messages: what is right, or a fault that the judge must find. */
export type Behaviour = "right" | "commits before the sink" | "drops one in ten thousand";

/** What a worker is told. */
export interface WorkerOptions {
  readonly seed: number;
  readonly servers: string;
  readonly group: string;
  readonly protocol: Protocol;
  /** The name that a static member keeps in its group; a dynamic one has none. */
  readonly instance: string | undefined;
  /** Whether each source is a Topic of its own, or one Topic reads both. */
  readonly topics: "one" | "two";
  readonly concurrency: number;
  /** How long the handler takes at most, in milliseconds. */
  readonly takesMs: number;
  readonly behaviour: Behaviour;
  /** Whether flaky messages fail at first. A stop cuts the wait for another attempt short: such a message is repeated. */
  readonly flaky: boolean;
  readonly sources: Readonly<Record<SourceName, string>>;
  readonly output: string;
  readonly letters: string;
  /** The files of the log of effects and of the Cache. */
  readonly log: string;
  readonly cache: string;
  /** Whether librdkafka tells what it does about groups and fetching, for {@linkcode Witness}. */
  readonly debug: boolean;
}

/** What the handler makes of a message. */
interface Moved {
  readonly key: string | null;
  readonly value: string;
}

/** Short, so that a member that was killed is not waited for. The broker sets them for the protocol `consumer`. */
const CLASSIC = { "session.timeout.ms": 2000, "heartbeat.interval.ms": 300 } as const;
/** How late the faulty sink is, in milliseconds. */
const LATE_MS = 1500;
/** The message that the faulty worker drops in each ten thousand. */
const DROPPED = 4711;

function conf(options: WorkerOptions, name: string): Conf {
  const { servers, group, protocol, instance, debug } = options;
  return {
    "bootstrap.servers": servers,
    "group.id": group,
    "auto.offset.reset": "earliest",
    "auto.commit.interval.ms": 200,
    "fetch.wait.max.ms": 20,
    ...(protocol === "consumer"
      ? { "group.protocol": "consumer" }
      : { "partition.assignment.strategy": protocol, ...CLASSIC }),
    ...(instance === undefined ? {} : { "group.instance.id": `${instance}-${name}` }),
    ...(debug ? { debug: "cgrp,topic,fetch" } : {}),
  };
}

async function run(options: WorkerOptions): Promise<void> {
  const { seed, servers, behaviour, concurrency, takesMs } = options;
  const inputs = options.topics === "one"
    ? [new Topic(SOURCES.map((name) => options.sources[name]), conf(options, "both"))]
    : SOURCES.map((name) => new Topic(options.sources[name], conf(options, name)));
  const output = new Topic(options.output, { "bootstrap.servers": servers, "linger.ms": 5 });
  const letters = new Topic(options.letters, { "bootstrap.servers": servers, "linger.ms": 5 });
  const cache = new Cache<string>(options.cache);
  const log = new EffectsLog(options.log);
  const tried = new Set<string>();

  const logged = ({ value }: Moved) => {
    if (behaviour === "commits before the sink") setTimeout(() => log.write(value), LATE_MS);
    else log.write(value);
  };

  handle(
    inputs,
    {
      name: "move",
      concurrency,
      retry: { maxAttempts: 3, minTimeout: 3, maxTimeout: 20 },
      onError: letters,
      sink: [output, logged],
    },
    async ({ key, value }: Message): Promise<Moved | undefined> => {
      const message = readOrThrow(seed, value!), id = idText(message);
      // A part of the messages waits, and all that is drawn about a message comes from its number.
      if (message.n % 2 === 0) await new Promise((resolve) => setTimeout(resolve, message.n % takesMs));
      if (message.kind === "poison") throw new Error("poison");
      if (options.flaky && message.kind === "flaky" && !tried.delete(id)) {
        tried.add(id);
        throw new Error("flaky");
      }
      if (behaviour === "drops one in ten thousand" && message.n % 10_000 === DROPPED) return;
      return { key, value: value! };
    },
  );

  handle(inputs, { name: "keep", onError: "skip", sink: cache }, ({ value }) => {
    const message = readOrThrow(seed, value!);
    if (message.kind === "poison") throw new Error("poison");
    return [[message.source, message.partition, message.n], value!] as const;
  });

  await stream();
  await Promise.all([output.close(), letters.close(), cache.close()]);
}

/** A message that was never sent ends the worker: no policy is asked, so that the run can't go on as if it were poison. */
function readOrThrow(seed: number, value: string): Id & { readonly kind: Kind } {
  const message = read(seed, value);
  if (message !== undefined) return message;
  console.error(`never sent: ${JSON.stringify(value)}`);
  Deno.exit(3);
}

if (import.meta.main) {
  using _ = await Witness.start();
  await run(JSON.parse(Deno.args[0]!));
}
