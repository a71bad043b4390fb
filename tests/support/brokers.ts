/**
 * The broker that the integration tests run against: a real one when `KAFKA_BOOTSTRAP_SERVERS` is set, else a local one
 * for each test.
 *
 * @module
 */

import { type Conf, Topic, type TopicOptions } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

/** A broker, and topics of a test's own on it. */
export class TestBroker implements AsyncDisposable {
  readonly bootstrapServers: string;
  /** The local broker, when it is one. */
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

  /** Makes a topic whose name says which test it belongs to; only a real broker takes a configuration. */
  async createTopic(test: string, partitions = 1, config: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = `${test}-${this.#run}-${crypto.randomUUID().slice(0, 4)}`;
    if (this.local !== undefined) this.local.createTopic(name, { partitions });
    else await createOnRealBroker(this.bootstrapServers, name, partitions, config);
    return name;
  }

  /** The properties of a client: short waits, so that tests are quick. */
  conf(own: Conf = {}): Conf {
    return {
      "bootstrap.servers": this.bootstrapServers,
      "auto.offset.reset": "earliest",
      "fetch.wait.max.ms": 10,
      ...SESSION,
      ...own,
    };
  }

  /** A topic that ends at its end. */
  toEnd<K = string, V = string>(name: string, own: Conf = {}, options?: TopicOptions<K, V>): Topic<K, V> {
    return new Topic<K, V>(name, this.conf(own), { until: "end", ...options } as TopicOptions<K, V>);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.local?.close();
  }
}

/** The real broker's address, when there is one. */
export const REAL_SERVERS: string | undefined = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");

/** For tests of what the local broker can't judge. */
export const REAL_ONLY = { ignore: REAL_SERVERS === undefined } as const;

/** For tests that inject errors into the local broker, or stop it. */
export const LOCAL_ONLY = { ignore: REAL_SERVERS !== undefined } as const;

/**
 * A member's session. The local broker takes one in only after a session, once another has left; a real one's shortest
 * is 6 s.
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

/** Resolves when a condition holds; rejects when it does not within the time. */
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

/** Everything of a topic, read without a group. */
export async function everything(
  broker: TestBroker,
  name: string,
): Promise<{ key: string | null; value: string | null; partition: number }[]> {
  await using topic = broker.toEnd(name, {}, { offset: "beginning" });
  return await Array.fromAsync(topic, ({ key, value, partition }) => ({ key, value, partition }));
}

type Watched = "assign" | "pause" | "resume";

/** Tells of each such call of a consumer in this process, of which partitions, and whose. */
export async function watchConsumers(
  calls: readonly Watched[],
  tell: (what: Watched, partitions: number[], consumer: unknown) => unknown,
): Promise<Disposable> {
  type Call = (partitions: { partition: number }[]) => unknown;
  const prototype = (await loadKafkaJavascript()).KafkaConsumer.prototype as unknown as Record<string, Call>;
  const originals = Object.fromEntries(calls.map((what) => [what, prototype[what]!]));
  for (const what of calls) {
    prototype[what] = function (this: unknown, partitions) {
      tell(what, partitions.map(({ partition }) => partition), this);
      return originals[what]!.call(this, partitions);
    };
  }
  return { [Symbol.dispose]: () => void Object.assign(prototype, originals) };
}
