/**
 * A member of a group under chaos: handles two source topics into a log of effects, a Topic and a Cache.
 *
 * It has no code for the chaos: it is a program as a user would write it. On SIGUSR2 it prints the traces of its consumers.
 *
 * Usage: `deno run -A worker.ts WORKER_OPTIONS_AS_JSON`
 *
 * @module
 */

import { Cache, type Conf, handle, type Message, stream, Topic } from "@slipstream/slipstream";
import { EffectsLog } from "./effects.ts";
import { type Id, idText, type Kind, parseValue, type SourceName, SOURCES } from "./chaos_message.ts";
import { ConsumerTraces } from "./consumer_trace.ts";

/** How the members of the group share the partitions: an assignor of the protocol `classic`, or the protocol `consumer`. */
export type Protocol = "range" | "cooperative-sticky" | "consumer";

/** Whether a worker is right, or has a fault that the judge must find. */
export type Behaviour = "right" | "commits before the sink" | "drops one in ten thousand";

/** Options of a worker. */
export interface WorkerOptions {
  readonly seed: number;
  readonly servers: string;
  readonly group: string;
  readonly protocol: Protocol;
  /** The `group.instance.id` of a static member; `undefined` for a dynamic one. */
  readonly instance: string | undefined;
  /** Whether each source is a Topic of its own, or one Topic reads both. */
  readonly topics: "one" | "two";
  readonly concurrency: number;
  /** The longest time that the handler takes for a message, in milliseconds. */
  readonly takesMs: number;
  readonly behaviour: Behaviour;
  /** Whether flaky messages fail at first. A stop that ends the wait before the retry makes such a message come again. */
  readonly flaky: boolean;
  readonly sources: Readonly<Record<SourceName, string>>;
  readonly output: string;
  readonly letters: string;
  /** The files of the log of effects and of the Cache. */
  readonly log: string;
  readonly cache: string;
  /** Whether librdkafka logs what it does about groups and fetching, for `ConsumerTraces`. */
  readonly debug: boolean;
}

/** What the handler emits for a message. */
interface Moved {
  readonly key: string | null;
  readonly value: string;
}

/** Short, so that a group soon notices that a member was killed. For the protocol `consumer` the broker sets them. */
const CLASSIC = { "session.timeout.ms": 2000, "heartbeat.interval.ms": 300 } as const;
/** The delay of the faulty sink, in milliseconds. */
const LATE_MS = 1500;
/** The number of the message that the faulty worker drops of each ten thousand. */
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
      // Half of the messages take a while. Their number decides, so that a repetition takes as long.
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

/** Parses a value. One that was never sent ends the worker: an error would be handled by the policy, like poison. */
function readOrThrow(seed: number, value: string): Id & { readonly kind: Kind } {
  const message = parseValue(seed, value);
  if (message !== undefined) return message;
  console.error(`never sent: ${JSON.stringify(value)}`);
  Deno.exit(3);
}

if (import.meta.main) {
  using _ = await ConsumerTraces.start();
  await run(JSON.parse(Deno.args[0]!));
}
