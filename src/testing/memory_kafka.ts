/**
 * Kafka in memory.
 *
 * @module
 */

import { registerClientFactory } from "../kafka/client_factories.ts";
import { partitionText } from "../kafka/partition_map.ts";
import { type ClientFactory, ErrorCode, type TopicPartition, type TopicPartitionOffset } from "../kafka/port.ts";
import { GroupCoordinator } from "./memory/group_coordinator.ts";
import type { MemoryClient } from "./memory/memory_client.ts";
import type { MemoryCluster } from "./memory/memory_cluster.ts";
import { MemoryConsumer } from "./memory/memory_consumer.ts";
import { errorText } from "./memory/memory_errors.ts";
import type { MemoryFaults, RequestKind } from "./memory/memory_faults.ts";
import { MemoryProducer } from "./memory/memory_producer.ts";
import { encoded, type MemoryRecord, type NewRecord } from "./memory/memory_record.ts";
import type { PartitionLog } from "./memory/partition_log.ts";
import { TopicLogs } from "./memory/topic_logs.ts";

export type { MemoryFaults, RecordOutcome, RequestKind, SentRecord } from "./memory/memory_faults.ts";
export type { MemoryRecord, NewRecord } from "./memory/memory_record.ts";

/** A client of a `MemoryKafka`, as a test sees it: the consumer or the producer of a Topic. */
export interface MemoryClientHandle {
  /** Whether the client is connected. */
  readonly isConnected: boolean;
  /** The partitions that a consumer reads; empty for a producer. */
  readonly assigned: readonly TopicPartition[];
  /** The number of records that a producer has accepted and not reported; 0 for a consumer. */
  readonly pending: number;
  /** Makes the client report an error of its own, by librdkafka's code, such as −169 for wrong credentials. */
  reportError(code: number, message?: string): void;
  /** Makes the client log a line, with a severity of syslog's: 3 is an error. */
  log(severity: number, message: string): void;
}

/** Options of a `MemoryKafka`. */
export interface MemoryKafkaOptions {
  /**
   * The number of partitions of a topic that `MemoryKafka.createTopic` creates when it gets none, and of a topic that a
   * producer creates.
   * @default {1}
   */
  readonly partitions?: number;
  /**
   * Returns random numbers from 0 up to, and without, 1. With it, consumers start each read at a random partition and take
   * a random number of messages. Without it, they take the partitions in turn and as many messages as there are.
   * @default {none}
   */
  readonly random?: () => number;
  /**
   * The time that brokers take to answer a request, in milliseconds, or a function that returns it. Each client's requests
   * are answered in order.
   * @default {0}
   */
  readonly delayMs?: number | ((kind: RequestKind) => number);
}

const DEFAULTS = { partitions: 1, delayMs: 0 } as const satisfies MemoryKafkaOptions;

let clusters = 0;

/**
 * Kafka in memory, without librdkafka: for tests of a Topic that need no network, no `--allow-ffi` and no real time.
 *
 * A Topic uses it when the Topic's `bootstrap.servers` is that of the cluster.
 *
 * - **Time**: delays, timeouts and intervals use `globalThis.setTimeout`, so a `FakeClock` moves them.
 * - **Deterministic**: the same calls in the same order, with the same random numbers, have the same results.
 * - **Groups** rebalance as they do in librdkafka: eagerly, or cooperatively with `partition.assignment.strategy` set to
 *   `cooperative-sticky`. A consumer takes part in a rebalance while it is read.
 * - **Order**: a producer writes the records of a partition in the order in which it accepts them.
 * - **Limits**: no transactions, no compaction, no access control.
 *
 * @example
 * ```ts
 * import { Topic } from "@slipstream/slipstream";
 * import { MemoryKafka } from "@slipstream/slipstream/testing";
 *
 * using kafka = new MemoryKafka();
 * kafka.createTopic("emoji", { partitions: 2 });
 * kafka.append({ topic: "emoji", partition: 1 }, { key: "trophy", value: "🏆" });
 * await using emoji = new Topic("emoji", { "bootstrap.servers": kafka.bootstrapServers }, {
 *   offset: "beginning",
 *   until: "end",
 * });
 * for await (const message of emoji) console.assert(message.value === "🏆");
 * ```
 */
export class MemoryKafka implements Disposable {
  /** The address to pass as `bootstrap.servers`. */
  readonly bootstrapServers: string = `memory-${++clusters}`;
  /** The faults of the cluster. A test sets and removes them at any time. */
  readonly faults: MemoryFaults = {};
  readonly #defaultPartitions: number;
  readonly #topics = new TopicLogs();
  readonly #groups = new Map<string, GroupCoordinator>();
  readonly #consumers = new Set<MemoryConsumer>();
  readonly #producers = new Set<MemoryProducer>();
  readonly #unregister: () => void;
  readonly #sessionTimers = new Set<ReturnType<typeof setTimeout>>();
  #isUp = true;
  #onUp: (() => void)[] = [];

  /**
   * Starts a cluster.
   *
   * @throws {RangeError} If the number of partitions is not a whole number from 1 on.
   */
  constructor(options: MemoryKafkaOptions = {}) {
    const { partitions = DEFAULTS.partitions, delayMs = DEFAULTS.delayMs, random } = options;
    checkPartitions(partitions);
    this.#defaultPartitions = partitions;
    const cluster: MemoryCluster = {
      topics: this.#topics,
      faults: this.faults,
      defaultPartitions: partitions,
      random: random ?? Math.random,
      isRandom: random !== undefined,
      isUp: true,
      delayMs: typeof delayMs === "function" ? delayMs : () => delayMs,
      whenUp: (callback) => this.#isUp ? callback() : void this.#onUp.push(callback),
      coordinator: (group) => this.#coordinator(group),
      wakeConsumers: () => this.#wakeConsumers(),
    };
    Object.defineProperty(cluster, "isUp", { get: () => this.#isUp });
    const factory: ClientFactory = {
      consumer: (conf, events) => Promise.resolve(added(this.#consumers, new MemoryConsumer(cluster, conf, events))),
      producer: (conf, events) => Promise.resolve(added(this.#producers, new MemoryProducer(cluster, conf, events))),
      errorText,
    };
    this.#unregister = registerClientFactory(this.bootstrapServers, factory);
  }

  #wakeConsumers(): void {
    for (const consumer of this.#consumers) consumer.wake();
  }

  #coordinator(group: string): GroupCoordinator {
    let coordinator = this.#groups.get(group);
    if (coordinator === undefined) this.#groups.set(group, coordinator = new GroupCoordinator(this.#topics));
    return coordinator;
  }

  // Topics

  /**
   * Creates a topic, or adds partitions to a topic until it has so many. Groups that read it rebalance.
   *
   * @throws {RangeError} If the number of partitions is not a whole number from 1 on.
   */
  createTopic(name: string, { partitions = this.#defaultPartitions }: { readonly partitions?: number } = {}): void {
    checkPartitions(partitions);
    this.#topics.create(name, partitions);
    for (const coordinator of this.#groups.values()) coordinator.topicsChanged();
  }

  /**
   * Writes a record without a producer. Returns its offset.
   *
   * @throws {RangeError} If the partition does not exist.
   */
  append(partition: TopicPartition, record: NewRecord): number {
    const offset = this.#log(partition).append(encoded(record));
    this.#wakeConsumers();
    return offset;
  }

  /**
   * Returns the records of a partition, the oldest first.
   *
   * @throws {RangeError} If the partition does not exist.
   */
  records(partition: TopicPartition): readonly MemoryRecord[] {
    return this.#log(partition).records;
  }

  /**
   * Leaves a gap of so many offsets at the end of a partition, as compaction and the markers of transactions do.
   *
   * @throws {RangeError} If the partition does not exist.
   */
  skipOffsets(partition: TopicPartition, offsets: number): void {
    this.#log(partition).skip(offsets);
    this.#wakeConsumers();
  }

  /**
   * Deletes the records of a partition below an offset, as retention does.
   *
   * @throws {RangeError} If the partition does not exist.
   */
  deleteRecords(partition: TopicPartition, before: number): void {
    this.#log(partition).deleteBefore(before);
  }

  #log(partition: TopicPartition): PartitionLog {
    const log = this.#topics.partition(partition);
    if (log === undefined) {
      throw new RangeError(`There is no partition ${partitionText(partition)}: create the topic by createTopic()`);
    }
    return log;
  }

  // Groups

  /** Returns the offset that a group has committed for a partition; `undefined` if it has committed none. */
  committed(group: string, partition: TopicPartition): number | undefined {
    return this.#coordinator(group).committed(partition)?.offset;
  }

  /** Commits an offset for a group, as a program that is not a member can. */
  commit(group: string, offset: TopicPartitionOffset): void {
    this.#coordinator(group).commit([offset]);
  }

  /** Makes a group rebalance. Each partition moves to the next member, if there are several. */
  rebalance(group: string): void {
    this.#coordinator(group).rebalance();
  }

  /**
   * Expels a member from its group, as a broker does when heartbeats are missing: other members receive its partitions, and
   * the member learns later that it has lost them.
   *
   * @param member the index of the member, in the order in which members joined
   */
  loseMember(group: string, member = 0): void {
    const coordinator = this.#coordinator(group), lost = coordinator.members[member];
    if (lost !== undefined) coordinator.expel(lost);
  }

  /** Returns whether no rebalance of a group is going on. */
  isStable(group: string): boolean {
    return this.#coordinator(group).isStable;
  }

  // Clients and brokers

  /** The consumers that have not disconnected, in the order in which they were made. */
  get consumers(): readonly MemoryClientHandle[] {
    return alive(this.#consumers);
  }

  /** The producers that have not disconnected, in the order in which they were made. */
  get producers(): readonly MemoryClientHandle[] {
    return alive(this.#producers);
  }

  /** Takes the brokers off the network. Clients report an error, and requests wait. */
  setDown(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    for (const client of [...this.consumers, ...this.producers]) client.reportError(ErrorCode.TRANSPORT);
  }

  /** Puts the brokers back on the network. They answer the requests that wait. */
  setUp(): void {
    this.#isUp = true;
    for (const callback of this.#onUp.splice(0)) callback();
    this.#wakeConsumers();
  }

  /**
   * Ends clients as the end of their process does: they commit nothing, report nothing, and their promises stay pending.
   * Their groups notice after `session.timeout.ms` (45 s unless it is set).
   *
   * @param clients the clients to end; all when left out
   */
  crash(clients: readonly MemoryClientHandle[] = [...this.consumers, ...this.producers]): void {
    for (const client of clients) {
      if (client instanceof MemoryProducer) client.crash();
      if (!(client instanceof MemoryConsumer)) continue;
      client.crash();
      const timer = globalThis.setTimeout(() => {
        this.#sessionTimers.delete(timer);
        client.coordinator.leave(client);
      }, client.sessionTimeoutMs);
      this.#sessionTimers.add(timer);
    }
  }

  /** Ends the cluster: new Topics can no longer use its `bootstrap.servers`. Clients are not disconnected. Idempotent. */
  close(): void {
    this.#unregister();
    for (const timer of this.#sessionTimers) globalThis.clearTimeout(timer);
    this.#sessionTimers.clear();
  }

  /** Ends the cluster: what `using` calls. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function checkPartitions(partitions: number): void {
  if (Number.isInteger(partitions) && partitions >= 1) return;
  throw new RangeError(`partitions must be a whole number from 1 on: ${partitions}`);
}

function added<T extends MemoryClient>(clients: Set<T>, client: T): T {
  for (const one of clients) if (one.isGone) clients.delete(one);
  clients.add(client);
  return client;
}

function alive<T extends MemoryClient>(clients: Set<T>): T[] {
  return [...clients].filter((client) => !client.isGone);
}
