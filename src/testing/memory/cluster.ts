/**
 * What the clients of a cluster in memory need of it.
 *
 * @module
 */

import { ErrorCode, type TopicPartitionOffset } from "../../kafka/port.ts";
import type { GroupCoordinator } from "./group.ts";
import type { TopicLogs } from "./log.ts";

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
export interface Cluster {
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
  [ErrorCode.UNKNOWN_TOPIC_OR_PART]: "Broker: Unknown topic or partition",
  [ErrorCode.MSG_SIZE_TOO_LARGE]: "Broker: Message size too large",
  [ErrorCode.ILLEGAL_GENERATION]: "Broker: Specified group generation id is not valid",
  [ErrorCode.UNKNOWN_MEMBER_ID]: "Broker: Unknown member",
  [ErrorCode.REBALANCE_IN_PROGRESS]: "Broker: Group rebalance in progress",
  [ErrorCode.TOPIC_AUTHORIZATION_FAILED]: "Broker: Topic authorization failed",
  [ErrorCode.GROUP_AUTHORIZATION_FAILED]: "Broker: Group authorization failed",
  [ErrorCode.AUTO_OFFSET_RESET]: "Local: No offset to automatically reset to",
  [ErrorCode.MAX_POLL_EXCEEDED]: "Local: Maximum application poll interval (max.poll.interval.ms) exceeded",
  [ErrorCode.FATAL]: "Local: Fatal error",
  [ErrorCode.PURGE_QUEUE]: "Local: Purged in queue",
  [ErrorCode.NO_OFFSET]: "Local: No offset stored",
  [ErrorCode.STATE]: "Local: Erroneous state",
  [ErrorCode.QUEUE_FULL]: "Local: Queue full",
  [ErrorCode.TIMED_OUT]: "Local: Timed out",
  [ErrorCode.MSG_TIMED_OUT]: "Local: Message timed out",
  [ErrorCode.TRANSPORT]: "Local: Broker transport failure",
  [ErrorCode.DESTROY]: "Local: Broker handle destroyed",
};

/** What a code means, as far as the cluster in memory has it. */
export function errorText(code: number): string {
  return TEXTS[code] ?? (code > 0 ? `Broker: Error ${code}` : `Local: Error ${code}`);
}
