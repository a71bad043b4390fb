/**
 * What the clients of a cluster in memory need of it.
 *
 * @module
 */

import type { TopicPartitionOffset } from "../../kafka/client.ts";
import type { GroupCoordinator } from "./group_coordinator.ts";
import type { TopicLogs } from "./topic_logs.ts";

/** Requests of clients, by what they ask for. */
export type RequestKind = "connect" | "metadata" | "watermarks" | "committed" | "seek" | "commit" | "produce";

/** What becomes of a record that a producer sent. */
export interface RecordFate {
  /** librdkafka's code in its report; 0 when left out. */
  readonly code?: number;
  /** Whether it is written; if its code is 0 when left out. A failed one that is written has lost its acknowledgement. */
  readonly written?: boolean;
  /** The report waits for it; the record is there for consumers before. */
  readonly reportAfter?: Promise<unknown>;
}

/** A record that a producer sends. */
export interface SentRecord {
  /** The topic. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
  /** The key, or `null`. */
  readonly key: Uint8Array | null;
  /** The value, or `null` for a tombstone. */
  readonly value: Uint8Array | null;
}

/** What goes wrong in a cluster in memory; a test changes it at any time. */
export interface MemoryFaults {
  /**
   * The code that a request is refused with; 0 or nothing lets it pass. A commit asks `MemoryFaults.commit` too.
   */
  request?: ((kind: RequestKind) => number | void) | undefined;
  /** The code that the commit of an offset is refused with; 0 or nothing lets it pass. */
  commit?: ((offset: TopicPartitionOffset, group: string) => number | void) | undefined;
  /**
   * What becomes of a record; nothing delivers it. The records of its partition that were sent after it wait for a
   * promise, and a record is told of in that order.
   */
  produce?: ((record: SentRecord) => RecordFate | void | Promise<RecordFate | void>) | undefined;
}

/** A cluster, as its clients see it. */
export interface MemoryCluster {
  readonly topics: TopicLogs;
  readonly faults: MemoryFaults;
  /** How many partitions a topic gets that a producer makes. */
  readonly partitions: number;
  /** From 0, below 1. */
  random(): number;
  /** Whether consumers take partitions and numbers of messages at random, and not in turns and as many as there are. */
  readonly isRandom: boolean;
  /** Whether brokers answer. */
  readonly isUp: boolean;
  /** How long an answer takes, in milliseconds; 0 is a microtask. */
  delayOf(kind: RequestKind): number;
  /** Calls back when brokers answer: at once if they do. */
  whenUp(callback: () => void): void;
  /** A group's coordinator. */
  group(name: string): GroupCoordinator;
  /** Records were written: consumers look. */
  written(topic: string): void;
}

/** An error of a client in memory. */
export function codedError(code: number): Error & { readonly code: number } {
  return Object.assign(new Error(errorText(code)), { code });
}

const TEXTS: Readonly<Record<number, string>> = {
  0: "Success",
  3: "Broker: Unknown topic or partition",
  10: "Broker: Message size too large",
  22: "Broker: Specified group generation id is not valid",
  25: "Broker: Unknown member",
  27: "Broker: Group rebalance in progress",
  29: "Broker: Topic authorization failed",
  30: "Broker: Group authorization failed",
  [-140]: "Local: No offset to automatically reset to",
  [-147]: "Local: Maximum application poll interval (max.poll.interval.ms) exceeded",
  [-150]: "Local: Fatal error",
  [-152]: "Local: Purged in queue",
  [-168]: "Local: No offset stored",
  [-172]: "Local: Erroneous state",
  [-184]: "Local: Queue full",
  [-185]: "Local: Timed out",
  [-192]: "Local: Message timed out",
  [-195]: "Local: Broker transport failure",
  [-197]: "Local: Broker handle destroyed",
};

/** What a code means, as far as the cluster in memory has it. */
export function errorText(code: number): string {
  return TEXTS[code] ?? (code > 0 ? `Broker: Error ${code}` : `Local: Error ${code}`);
}
