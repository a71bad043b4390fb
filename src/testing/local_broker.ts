/**
 * Kafka in this process, for tests and demos.
 *
 * @module
 */

import { MockCluster } from "./mock_cluster.ts";

/** How a `LocalBroker` is started. */
export interface LocalBrokerOptions {
  /**
   * How many brokers there are, numbered from 1.
   * @default {1}
   */
  readonly brokers?: number;
  /**
   * How many partitions a topic has that `LocalBroker.createTopic` makes without saying.
   * @default {1}
   */
  readonly partitions?: number;
}

const DEFAULTS = { brokers: 1, partitions: 1 } as const satisfies Required<LocalBrokerOptions>;

/**
 * A Kafka cluster in this process, on loopback: librdkafka's mock cluster. Starts in milliseconds, needs no Docker.
 *
 * - Speaks the Kafka protocol to any client: topics, groups (classic and KIP-848), transactions.
 * - Keeps everything in memory, and of each partition the last 5 MB or 100,000 messages.
 * - Creates a topic when a producer first asks for it (with 4 partitions: librdkafka's own default).
 * - Answers a fetch that finds nothing only when `fetch.wait.max.ms` is over: set that to 5 for speed.
 * - A group that a member has left takes the next one in after `session.timeout.ms` less a second.
 * - Knows no compaction, no look-up by time, and no admin requests: use `LocalBroker.createTopic`.
 *
 * Needs `--allow-ffi`.
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
  /** How many brokers it has. */
  readonly brokers: number;

  private constructor(brokers: number, partitions: number) {
    this.#cluster = new MockCluster(brokers, partitions);
    this.brokers = brokers;
  }

  /**
   * Starts a cluster.
   *
   * @throws {RangeError} If a count is not a whole number from 1 on.
   * @throws {LibraryError} If there is no librdkafka that can be used.
   */
  // deno-lint-ignore require-await -- so that starting may wait one day, and errors are rejections
  static async start(options: LocalBrokerOptions = {}): Promise<LocalBroker> {
    const { brokers, partitions } = { ...DEFAULTS, ...options };
    for (const [name, count] of Object.entries({ brokers, partitions })) {
      if (!Number.isInteger(count) || count < 1) {
        throw new RangeError(`${name} must be a whole number from 1 on: ${count}`);
      }
    }
    return new LocalBroker(brokers, partitions);
  }

  /** The addresses of the brokers: what `bootstrap.servers` wants. */
  get bootstrapServers(): string {
    return this.#cluster.bootstrapServers;
  }

  /**
   * Makes a topic.
   *
   * @throws {Error} If it is there already, or the broker is closed.
   */
  createTopic(name: string, { partitions = this.#cluster.partitions }: { readonly partitions?: number } = {}): void {
    this.#cluster.createTopic(name, partitions);
  }

  /**
   * Lets the next requests of a kind fail, one with each error.
   *
   * @param apiKey the kind, by its number in the Kafka protocol: 0 Produce, 1 Fetch, 8 OffsetCommit, 10 FindCoordinator
   * @param errors Kafka's error codes; −195 closes the connection
   */
  pushErrors(apiKey: number, errors: readonly number[]): void {
    this.#cluster.pushErrors(apiKey, errors);
  }

  /** Forgets the errors of a kind that are still to come. */
  clearErrors(apiKey: number): void {
    this.#cluster.clearErrors(apiKey);
  }

  /** Takes a broker (all of them, without a number) off the network. */
  setDown(broker?: number): void {
    for (const id of this.#ids(broker)) this.#cluster.setDown(id);
  }

  /** Puts a broker (all of them, without a number) back on the network. */
  setUp(broker?: number): void {
    for (const id of this.#ids(broker)) this.#cluster.setUp(id);
  }

  /** Delays a broker's answers (all brokers', without a number) by so many milliseconds. */
  setRtt(rttMs: number, broker?: number): void {
    for (const id of this.#ids(broker)) this.#cluster.setRtt(id, rttMs);
  }

  /**
   * Makes a broker the coordinator of a group. Whoever takes brokers down while members join should keep this one up:
   * librdkafka 2.15.1 ends the process with a failed assertion when the coordinator goes down in the middle of a join,
   * and a member asks again when it is back.
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
