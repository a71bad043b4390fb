/**
 * The faults that a test injects into a `MemoryKafka`.
 *
 * @module
 */

import type { TopicPartitionOffset } from "../../kafka/port.ts";

/** The kinds of requests that clients send to brokers. */
export type RequestKind = "connect" | "metadata" | "watermarks" | "committed" | "seek" | "commit" | "produce";

/** What comes of a record that a producer sends. */
export interface RecordOutcome {
  /**
   * librdkafka's code in the delivery report: 0 if the record is delivered.
   * @default {0}
   */
  readonly code?: number;
  /**
   * Whether the record is written. A record that is written and has another code than 0 has lost its acknowledgement.
   * @default {whether the code is 0}
   */
  readonly written?: boolean;
  /** Delays the delivery report until it settles. Consumers see the record before. */
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

/** The faults of a `MemoryKafka`. A test sets and removes them at any time. */
export interface MemoryFaults {
  /**
   * Returns librdkafka's code with which a request is refused; 0 or nothing lets it pass. A commit that passes is passed
   * to `MemoryFaults.commit` as well.
   */
  request?: ((kind: RequestKind) => number | void) | undefined;
  /** Returns librdkafka's code with which the commit of one offset is refused; 0 or nothing lets it pass. */
  commit?: ((offset: TopicPartitionOffset, group: string) => number | void) | undefined;
  /**
   * Returns what comes of a record; nothing delivers it. While a promise is pending, the later records of the partition
   * wait, so that delivery reports keep the order of the records.
   */
  produce?: ((record: SentRecord) => RecordOutcome | void | Promise<RecordOutcome | void>) | undefined;
}
