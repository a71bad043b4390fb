/**
 * Kafka in memory.
 *
 * @module
 */

import { type ClientFactory, ErrorCode, type TopicPartition, type TopicPartitionOffset } from "../kafka/port.ts";
import { registerClientFactory } from "../kafka/client_factories.ts";
import type { MemoryClient } from "./memory/client.ts";
import { type Cluster, errorText, type MemoryFaults, type RequestKind } from "./memory/cluster.ts";
import { MemoryConsumer } from "./memory/consumer.ts";
import { GroupCoordinator } from "./memory/group.ts";
import { type MemoryRecord, type NewRecord, TopicLogs } from "./memory/log.ts";
import { MemoryProducer } from "./memory/producer.ts";

export type { MemoryFaults, RecordFate, RequestKind, SentRecord } from "./memory/cluster.ts";
export type { MemoryRecord, NewRecord } from "./memory/log.ts";

/** A client of a `MemoryKafka`, as a test sees it. */
export interface MemoryClientHandle {
  /** Whether it is connected. */
  readonly isConnected: boolean;
  /** The partitions that a consumer reads. */
  readonly assigned: readonly TopicPartition[];
  /** How many records of a producer are not reported yet. */
  readonly onTheirWay: number;
  /** Tells the client of an error of it as a whole, by librdkafka's code. */
  report(code: number, message?: string): void;
  /** Writes a line of its log; severities are syslog's. */
  log(severity: number, message: string): void;
}

/** How a `MemoryKafka` begins. */
export interface MemoryKafkaOptions {
  /**
   * How many partitions a topic gets that a producer makes.
   * @default {1}
   */
  readonly partitions?: number;
  /**
   * Numbers from 0, below 1. With it, consumers take messages from partitions, and as many, as it says; without it, from
   * one partition after the other, and as many as there are.
   */
  readonly random?: () => number;
  /**
   * How long brokers take to answer a request, in milliseconds; 0 takes no timer. Each client's requests are answered in
   * order.
   */
  readonly delayMs?: number | ((kind: RequestKind) => number);
}

let clusters = 0;

/**
 * A cluster in the test's own process and without a thread of its own: a Topic whose `bootstrap.servers` is that of the
 * cluster uses it, and opens no librdkafka.
 *
 * - **Time** is `globalThis.setTimeout` at the time of the call, and microtasks: a fake clock moves it.
 * - **Deterministic**: the same calls in the same order, with the same random numbers, do the same.
 * - **Groups** rebalance as librdkafka tells it, eagerly or, with `partition.assignment.strategy` `cooperative-sticky`,
 *   cooperatively: while a consumer is polled, one rebalance at a time, and not before the last is answered.
 * - **Producers** write the records of a partition in the order in which they accept them.
 *
 * @example
 * ```ts
 * import { Topic } from "@slipstream/slipstream";
 * import { MemoryKafka } from "@slipstream/slipstream/testing";
 *
 * using kafka = new MemoryKafka();
 * kafka.createTopic("emoji", 2);
 * kafka.append({ topic: "emoji", partition: 1 }, { key: "trophy", value: "🏆" });
 * await using emoji = new Topic("emoji", { "bootstrap.servers": kafka.bootstrapServers }, {
 *   offset: "beginning",
 *   until: "end",
 * });
 * for await (const message of emoji) console.assert(message.value === "🏆");
 * ```
 */
export class MemoryKafka implements Disposable {
  /** What `bootstrap.servers` wants. */
  readonly bootstrapServers: string = `memory-${++clusters}`;
  /** What goes wrong; to be changed at any time. */
  readonly faults: MemoryFaults = {};
  readonly #topics = new TopicLogs();
  readonly #groups = new Map<string, GroupCoordinator>();
  readonly #consumers = new Set<MemoryConsumer>();
  readonly #producers = new Set<MemoryProducer>();
  readonly #unregister: () => void;
  readonly #sessions = new Set<ReturnType<typeof setTimeout>>();
  #isUp = true;
  #waiting: (() => void)[] = [];

  /** Starts a cluster. */
  constructor({ partitions = 1, random, delayMs = 0 }: MemoryKafkaOptions = {}) {
    const cluster: Cluster = {
      topics: this.#topics,
      faults: this.faults,
      partitions,
      random: random ?? Math.random,
      isRandom: random !== undefined,
      isUp: true,
      delayOf: typeof delayMs === "function" ? delayMs : () => delayMs,
      whenUp: (callback) => this.#isUp ? callback() : void this.#waiting.push(callback),
      group: (name) => this.#group(name),
      written: () => this.#wake(),
    };
    Object.defineProperty(cluster, "isUp", { get: () => this.#isUp });
    const clients: ClientFactory = {
      consumer: (conf, events) => Promise.resolve(added(this.#consumers, new MemoryConsumer(cluster, conf, events))),
      producer: (conf, events) => Promise.resolve(added(this.#producers, new MemoryProducer(cluster, conf, events))),
      errorText,
    };
    this.#unregister = registerClientFactory(this.bootstrapServers, clients);
  }

  #wake(): void {
    for (const consumer of this.#consumers) consumer.wake();
  }

  #group(name: string): GroupCoordinator {
    let group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, group = new GroupCoordinator(this.#topics));
    return group;
  }

  // Topics

  /** Makes a topic, or adds partitions to one; groups that read it rebalance. */
  createTopic(name: string, partitions = 1): void {
    this.#topics.create(name, partitions);
    for (const group of this.#groups.values()) group.topicsChanged();
  }

  /** Writes a record, without a producer; returns its offset. */
  append(partition: TopicPartition, record: NewRecord): number {
    const offset = this.#log(partition).append(record);
    this.#wake();
    return offset;
  }

  /** What lies in a partition. */
  records(partition: TopicPartition): readonly MemoryRecord[] {
    return this.#log(partition).records;
  }

  /** Leaves offsets of a partition out, as compaction and transactions do. */
  skipOffsets(partition: TopicPartition, offsets: number): void {
    this.#log(partition).skip(offsets);
    this.#wake();
  }

  /** Deletes the records of a partition below an offset. */
  deleteRecords(partition: TopicPartition, before: number): void {
    this.#log(partition).deleteBefore(before);
  }

  #log(partition: TopicPartition) {
    const log = this.#topics.partition(partition);
    if (log === undefined) throw new RangeError(`There is no partition ${partition.topic}[${partition.partition}]`);
    return log;
  }

  // Groups

  /** The offset that a group has committed for a partition. */
  committed(group: string, partition: TopicPartition): number | undefined {
    return this.#group(group).committed(partition)?.offset;
  }

  /** Commits an offset for a group, as somebody else. */
  commit(group: string, offset: TopicPartitionOffset): void {
    this.#group(group).commit([offset]);
  }

  /** Lets a group share its partitions out anew: each moves to the next member, where there are several. */
  rebalance(group: string): void {
    this.#group(group).rebalance();
  }

  /** Takes everything from a member of a group, by its order in the group, without asking: it hears of it later. */
  loseMember(group: string, member = 0): void {
    const coordinator = this.#group(group), lost = coordinator.members[member];
    if (lost !== undefined) coordinator.lose(lost);
  }

  /** Whether a group has shared its partitions out, and nothing is owed. */
  isStable(group: string): boolean {
    return this.#group(group).isStable;
  }

  // Clients and brokers

  /** The consumers that are there, in the order in which they were made. */
  get consumers(): readonly MemoryClientHandle[] {
    return alive(this.#consumers);
  }

  /** The producers that are there, in the order in which they were made. */
  get producers(): readonly MemoryClientHandle[] {
    return alive(this.#producers);
  }

  /** No broker answers any more; clients hear of it. */
  setDown(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    for (const client of [...this.consumers, ...this.producers]) client.report(ErrorCode.TRANSPORT);
  }

  /** Brokers answer again, also what was asked meanwhile. */
  setUp(): void {
    this.#isUp = true;
    for (const callback of this.#waiting.splice(0)) callback();
    this.#wake();
  }

  /**
   * Ends clients as the end of their process does, all of them or those given: nothing is committed or told, whatever
   * waits for them waits for ever, and their groups notice after `session.timeout.ms` (45 s by default).
   */
  crash(clients: readonly MemoryClientHandle[] = [...this.consumers, ...this.producers]): void {
    for (const client of clients) {
      if (client instanceof MemoryProducer) client.crash();
      if (!(client instanceof MemoryConsumer)) continue;
      client.crash();
      const timer = globalThis.setTimeout(() => {
        this.#sessions.delete(timer);
        client.coordinator.leave(client);
      }, client.sessionTimeoutMs);
      this.#sessions.add(timer);
    }
  }

  /** Ends the cluster: its `bootstrap.servers` means nothing any more. Clients are left as they are. */
  close(): void {
    this.#unregister();
    for (const timer of this.#sessions) globalThis.clearTimeout(timer);
    this.#sessions.clear();
  }

  /** Ends the cluster: what `using` calls. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function added<T extends MemoryClient>(clients: Set<T>, client: T): T {
  for (const one of clients) if (one.isGone) clients.delete(one);
  clients.add(client);
  return client;
}

function alive<T extends MemoryClient>(clients: Set<T>): T[] {
  return [...clients].filter((client) => !client.isGone);
}
