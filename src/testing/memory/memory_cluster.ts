/**
 * A `MemoryKafka` as its clients see it.
 *
 * @module
 */

import type { GroupCoordinator } from "./group_coordinator.ts";
import type { MemoryFaults, RequestKind } from "./memory_faults.ts";
import type { TopicLogs } from "./topic_logs.ts";

/** What clients need of their cluster. */
export interface MemoryCluster {
  readonly topics: TopicLogs;
  readonly faults: MemoryFaults;
  /** The number of partitions of a topic that a producer creates. */
  readonly defaultPartitions: number;
  /** Returns a random number from 0 up to, and without, 1. */
  random(): number;
  /** Whether consumers read random partitions and batch sizes, rather than all partitions in turn and all messages. */
  readonly isRandom: boolean;
  /** Whether brokers answer. */
  readonly isUp: boolean;
  /** The time that brokers take to answer a request, in milliseconds. 0 stands for a microtask. */
  delayMs(kind: RequestKind): number;
  /** Calls a function when brokers answer: now, if they do. */
  whenUp(callback: () => void): void;
  /** Returns the coordinator of a group. */
  coordinator(group: string): GroupCoordinator;
  /** Wakes the consumers after records were written. */
  wakeConsumers(): void;
}
