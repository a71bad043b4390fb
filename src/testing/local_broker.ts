/**
 * Kafka brokers in the process of a test or a demo.
 *
 * @module
 */

import { assertNoProblems, unknownOptions } from "../options/problems.ts";
import { MockCluster } from "./mock_cluster.ts";

/** Options of `LocalBroker.start()`. */
export interface LocalBrokerOptions {
  /**
   * The number of brokers. Their ids count from 1.
   * @default {1}
   */
  readonly brokers?: number;
  /**
   * The number of partitions of a topic that `LocalBroker.createTopic` creates when it gets none.
   * @default {1}
   */
  readonly partitions?: number;
}

const DEFAULTS = { brokers: 1, partitions: 1 } as const satisfies Required<LocalBrokerOptions>;

/**
 * A Kafka cluster in this process: librdkafka's mock cluster, on loopback. It starts in milliseconds, without Docker.
 *
 * - **Clients**: it speaks the Kafka protocol to any client of this machine: topics, groups (classic and KIP-848),
 *   transactions.
 * - **Memory**: it keeps the last 5 MB or 100,000 messages of each partition.
 * - **Topics**: `LocalBroker.createTopic` creates one. A topic that a producer asks for is created with 4 partitions,
 *   librdkafka's own default.
 * - **Speed**: it answers a fetch that finds nothing after `fetch.wait.max.ms`. Set that to 5 in tests.
 * - **Groups**: when a member has left, a group takes in the next one after `session.timeout.ms` less one second.
 * - **Limits**: no compaction, no look-up of offsets by time, no admin requests.
 *
 * Needs `--allow-ffi`. `MemoryKafka` needs no permission, and goes by a `FakeClock`, but is no network server.
 *
 * @example A broker for a test
 * ```ts
 * import { LocalBroker } from "@slipstream/slipstream/testing";
 *
 * await using broker = await LocalBroker.start({ partitions: 2 });
 * broker.createTopic("emoji");
 * console.assert(broker.bootstrapServers.startsWith("127.0.0.1:"));
 * ```
 */
export class LocalBroker implements AsyncDisposable {
  readonly #cluster: MockCluster;
  readonly #defaultPartitions: number;
  /** The number of brokers. */
  readonly brokers: number;

  private constructor(brokers: number, partitions: number) {
    this.#cluster = new MockCluster(brokers);
    this.#defaultPartitions = partitions;
    this.brokers = brokers;
  }

  /**
   * Starts a cluster.
   *
   * @throws {TypeError} If an option is unknown, or is not a whole number from 1 on. One error lists all problems.
   * @throws {LibraryError} If no usable librdkafka is found.
   */
  // deno-lint-ignore require-await -- errors are rejections, and starting may become asynchronous
  static async start(options: LocalBrokerOptions = {}): Promise<LocalBroker> {
    const { brokers, partitions } = { ...DEFAULTS, ...options };
    const problems = unknownOptions(options, Object.keys(DEFAULTS));
    for (const [name, count] of Object.entries({ brokers, partitions })) {
      if (!Number.isInteger(count) || count < 1) problems.push(`${name} must be a whole number from 1 on: ${count}`);
    }
    assertNoProblems("LocalBroker.start()", problems);
    return new LocalBroker(brokers, partitions);
  }

  /** The addresses to pass as `bootstrap.servers`. */
  get bootstrapServers(): string {
    return this.#cluster.bootstrapServers;
  }

  /**
   * Creates a topic.
   *
   * @throws {Error} If the topic exists, or the cluster is closed.
   */
  createTopic(
    name: string,
    { partitions = this.#defaultPartitions }: { readonly partitions?: number } = {},
  ): void {
    this.#cluster.createTopic(name, partitions);
  }

  /**
   * Makes the next requests of a kind fail, each with one of the errors.
   *
   * @param apiKey the key of the request in the Kafka protocol: 0 Produce, 1 Fetch, 8 OffsetCommit, 10 FindCoordinator
   * @param errors Kafka's error codes, in the order of the requests; −195 closes the connection
   */
  pushErrors(apiKey: number, errors: readonly number[]): void {
    this.#cluster.pushErrors(apiKey, errors);
  }

  /** Removes the errors that `LocalBroker.pushErrors` has left for a kind of request. */
  clearErrors(apiKey: number): void {
    this.#cluster.clearErrors(apiKey);
  }

  /** Takes a broker off the network; all of them when the id is left out. */
  setDown(broker?: number): void {
    for (const id of this.#ids(broker)) this.#cluster.setDown(id);
  }

  /** Puts a broker back on the network; all of them when the id is left out. */
  setUp(broker?: number): void {
    for (const id of this.#ids(broker)) this.#cluster.setUp(id);
  }

  /** Delays the answers of a broker by a time in milliseconds; those of all brokers when the id is left out. */
  setRtt(rttMs: number, broker?: number): void {
    for (const id of this.#ids(broker)) this.#cluster.setRtt(id, rttMs);
  }

  /**
   * Makes a broker the coordinator of a group.
   *
   * A test that takes brokers down while members join should keep this one up: librdkafka 2.15.1 ends the process with a
   * failed assertion if the coordinator goes down in the middle of a join and a member asks again when it is back.
   */
  setCoordinator(group: string, broker: number): void {
    this.#cluster.setCoordinator(group, broker);
  }

  #ids(broker?: number): number[] {
    return broker === undefined ? Array.from({ length: this.brokers }, (_, index) => index + 1) : [broker];
  }

  /** Stops the cluster. Idempotent. */
  close(): Promise<void> {
    return this.#cluster.close();
  }

  /** Stops the cluster: what `await using` calls. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
