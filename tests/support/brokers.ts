/**
 * The broker of the integration tests: the one that `KAFKA_BOOTSTRAP_SERVERS` names, or a `LocalBroker` for each test.
 *
 * @module
 */

import { type Conf, Topic, type TopicOptions } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

/** A broker on which each test creates topics of its own. */
export class TestBroker implements AsyncDisposable {
  readonly bootstrapServers: string;
  /** The `LocalBroker`; `undefined` for a real broker. */
  readonly local: LocalBroker | undefined;
  readonly #run = crypto.randomUUID().slice(0, 8);

  private constructor(bootstrapServers: string, local: LocalBroker | undefined) {
    this.bootstrapServers = bootstrapServers;
    this.local = local;
  }

  static async start(): Promise<TestBroker> {
    const servers = REAL_SERVERS;
    if (servers !== undefined) return new TestBroker(servers, undefined);
    const local = await LocalBroker.start();
    return new TestBroker(local.bootstrapServers, local);
  }

  /** Creates a topic with the test's name in its name. Only a real broker uses `config`. */
  async createTopic(test: string, partitions = 1, config: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = `${test}-${this.#run}-${crypto.randomUUID().slice(0, 4)}`;
    if (this.local !== undefined) this.local.createTopic(name, { partitions });
    else await createOnRealBroker(this.bootstrapServers, name, partitions, config);
    return name;
  }

  /** The properties of a client, with short waits for quick tests. */
  conf(own: Conf = {}): Conf {
    return {
      "bootstrap.servers": this.bootstrapServers,
      "auto.offset.reset": "earliest",
      "fetch.wait.max.ms": 10,
      ...SESSION,
      ...own,
    };
  }

  /** Makes a Topic that reads up to the end offsets. */
  toEnd<K = string, V = string>(name: string, own: Conf = {}, options?: TopicOptions<K, V>): Topic<K, V> {
    return new Topic<K, V>(name, this.conf(own), { until: "end", ...options } as TopicOptions<K, V>);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.local?.close();
  }
}

/** The address of the real broker; `undefined` without one. */
export const REAL_SERVERS: string | undefined = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");

/** Options of a test that needs what a `LocalBroker` lacks. */
export const REAL_ONLY = { ignore: REAL_SERVERS === undefined } as const;

/** Options of a test that injects errors into a `LocalBroker`, or takes it off the network. */
export const LOCAL_ONLY = { ignore: REAL_SERVERS !== undefined } as const;

/**
 * The session of a member: short, because a `LocalBroker` takes a member in only after a session when another has left. A
 * real broker refuses less than 6 s.
 */
export const SESSION = {
  "session.timeout.ms": REAL_SERVERS === undefined ? 2000 : 6000,
  "heartbeat.interval.ms": 200,
} as const satisfies Conf;

async function createOnRealBroker(
  servers: string,
  topic: string,
  partitions: number,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const { AdminClient } = await loadKafkaJavascript();
  const admin = AdminClient.create({ "bootstrap.servers": servers });
  try {
    await new Promise<void>((resolve, reject) =>
      admin.createTopic(
        { topic, num_partitions: partitions, replication_factor: 1, config },
        10_000,
        (error) => error ? reject(error) : resolve(),
      )
    );
  } finally {
    admin.disconnect();
  }
}

/** Resolves when a condition holds; rejects if it does not in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Reads a whole topic, without a group. */
export async function everything(
  broker: TestBroker,
  name: string,
): Promise<{ key: string | null; value: string | null; partition: number }[]> {
  await using topic = broker.toEnd(name, {}, { offset: "beginning" });
  return await Array.fromAsync(topic, ({ key, value, partition }) => ({ key, value, partition }));
}

type WatchedMethod = "assign" | "pause" | "resume";

/** Calls a function for each call of a method of any consumer in this process, with the partitions and the consumer. */
export async function watchConsumers(
  calls: readonly WatchedMethod[],
  onCall: (what: WatchedMethod, partitions: number[], consumer: unknown) => unknown,
): Promise<Disposable> {
  type Call = (partitions: { partition: number }[]) => unknown;
  const prototype = (await loadKafkaJavascript()).KafkaConsumer.prototype as unknown as Record<string, Call>;
  const originals = Object.fromEntries(calls.map((what) => [what, prototype[what]!]));
  for (const what of calls) {
    prototype[what] = function (this: unknown, partitions) {
      onCall(what, partitions.map(({ partition }) => partition), this);
      return originals[what]!.call(this, partitions);
    };
  }
  return { [Symbol.dispose]: () => void Object.assign(prototype, originals) };
}
