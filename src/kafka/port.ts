/**
 * The port: the interface between `Topic` and a Kafka client. It has consumers, which read batches of messages, and
 * producers, which report what became of each record.
 *
 * Two clients implement it. `npm_client_factory.ts` wraps the npm client; `MemoryKafka` in `src/testing` is a cluster in
 * memory, for tests and for the simulation.
 *
 * Every `code` is one of librdkafka's: 0 for success, negative for its own errors, positive for the broker's. `ErrorCode`
 * names those that are used.
 *
 * @module
 */

import { MESSAGES_PER_VALUE } from "../ffi/opaque_values.ts";

export { ErrorCode } from "../ffi/error_codes.ts";
export { NULL_HEADER } from "../ffi/null_header.ts";

/** A partition of a topic. */
export interface TopicPartition {
  /** The topic. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
}

/** A partition and an offset in it. */
export interface TopicPartitionOffset extends TopicPartition {
  /** The offset; −1001 for none, such as that of a partition in which the group has committed nothing. */
  readonly offset: number;
  /** The leader epoch that the offset belongs to; absent when unknown. */
  readonly leaderEpoch?: number;
  /** Why the broker refused the request for this partition; absent when it succeeded. */
  readonly error?: { readonly code: number; readonly message: string };
}

/** The headers of a record, in order. Each is an object with one property: the header's name and value. */
export type RecordHeaders = readonly Readonly<Record<string, Uint8Array>>[];

/** A message as the broker stores it, before a codec decodes it. */
export interface FetchedMessage extends TopicPartition {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** In milliseconds since 1970; −1 when the message has none. */
  readonly timestamp: number;
  readonly headers?: RecordHeaders;
  readonly leaderEpoch?: number;
  /** The length of the value, in bytes. */
  readonly size: number;
}

/** The watermarks of a partition. */
export interface Watermarks {
  /** The lowest offset that can be read. */
  readonly lowOffset: number;
  /** The offset that the next record gets. */
  readonly highOffset: number;
}

/** The callbacks of every client. */
export interface ClientEvents {
  /**
   * Called with an error that concerns the whole client, such as a broker that does not answer or refuses the credentials.
   *
   * @param isFatal whether the client is of no further use
   */
  onError(code: number, message: string, isFatal?: boolean): void;
  /** Called with each line of the client's log. The severity is syslog's: 0 to 7, lower is worse. */
  onLog?(severity: number, message: string): void;
}

/** A connection to a cluster: what a consumer and a producer have in common. */
export interface PortClient {
  /**
   * Resolves when a broker has answered; has no time-out of its own.
   *
   * @throws An error with a `code`, if the client can't be made, or if it is disconnected before a broker has answered.
   */
  connect(): Promise<void>;
  /** Whether `connect()` has succeeded and the client is not disconnected. */
  readonly isConnected: boolean;
  /** Whether `disconnect()` was called. */
  readonly isDisconnecting: boolean;
  /** Leaves the group, closes all connections and frees the client. May be called at any time and more than once. */
  disconnect(): Promise<void>;
}

/** The callbacks of a consumer. They are called while `PortConsumer.consume()` is. */
export interface ConsumerEvents extends ClientEvents {
  /** Called when the group assigns partitions. The program must answer with `assign()` or `incrementalAssign()`. */
  onAssign(partitions: readonly TopicPartition[]): void;
  /** Called when the group revokes partitions. The program must answer with `unassign()` or `incrementalUnassign()`. */
  onRevoke(partitions: readonly TopicPartition[]): void;
  /** Called with the broker's answer to a commit in the background. A refused partition's offset has an `error`. */
  onCommitted(code: number, offsets: readonly TopicPartitionOffset[]): void;
  /**
   * Called when the consumer reaches the end of a partition, if `enable.partition.eof` is set. The offset is the next one
   * that will be written; it lies behind records that are never handed out, such as those of aborted transactions.
   *
   * It is called before the `consume()` that reaches the end resolves, and so before the program sees the last messages.
   */
  onEnd(end: TopicPartitionOffset): void;
}

/** Reads messages, as a member of a consumer group or from partitions that the program assigns. */
export interface PortConsumer extends PortClient {
  /** Joins the group and subscribes to topics. A name that begins with `^` is a regular expression. */
  subscribe(topics: readonly string[]): void;
  /**
   * Polls: takes messages that have been fetched, and calls the callbacks for what has happened.
   *
   * @param max the largest number of messages to return
   * @param timeoutMs how long to wait for the first message, in milliseconds
   * @throws An error with a `code`. If it concerns one partition, its message names the partition. If it has `isFatal`, the
   * consumer is of no further use; otherwise the next call may succeed.
   */
  consume(max: number, timeoutMs: number): Promise<FetchedMessage[]>;
  /** Whether the group rebalances cooperatively: `onAssign` and `onRevoke` then name only the partitions that change. */
  readonly isCooperative: boolean;
  /** Whether the revoked partitions are lost: another member may have them already, and commits would be refused. */
  readonly isAssignmentLost: boolean;
  /** Reads these partitions and no others. One without an offset starts at the committed offset, or at `auto.offset.reset`. */
  assign(partitions: readonly (TopicPartition & { readonly offset?: number })[]): void;
  /** Adds partitions to those that are read. */
  incrementalAssign(partitions: readonly (TopicPartition & { readonly offset?: number })[]): void;
  /** Stops reading all partitions. */
  unassign(): void;
  /** Stops reading these partitions. */
  incrementalUnassign(partitions: readonly TopicPartition[]): void;
  /** Stops fetching these partitions, and keeps them assigned. */
  pause(partitions: readonly TopicPartition[]): void;
  /** Fetches paused partitions again. */
  resume(partitions: readonly TopicPartition[]): void;
  /** Continues reading a partition at another offset. */
  seek(target: TopicPartitionOffset, timeoutMs: number): Promise<void>;
  /**
   * Stores offsets. The client commits what is stored every `auto.commit.interval.ms`, and when it disconnects, if
   * `enable.auto.commit` is set.
   */
  storeOffsets(offsets: readonly TopicPartitionOffset[]): void;
  /**
   * Commits offsets. The answer arrives only while `consume()` is called.
   *
   * @returns the same partitions; one that the broker refused has an `error`
   * @throws An error with a `code`, if the broker refuses all: `ErrorCode.DESTROY` if the consumer was disconnected first.
   */
  commit(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]>;
  /** The offsets that the group has committed. */
  committed(partitions: readonly TopicPartition[], timeoutMs: number): Promise<TopicPartitionOffset[]>;
  /** The watermarks of a partition, from its leader. */
  watermarks(partition: TopicPartition, timeoutMs: number): Promise<Watermarks>;
  /** The partitions of a topic, or of all topics if it is `undefined`. Empty if the topic does not exist. */
  partitions(topic: string | undefined, timeoutMs: number): Promise<TopicPartition[]>;
}

/** The largest number of records that one `ReportTarget` can tell apart: `recordNumber` is below it. */
export const RECORDS_PER_TARGET: number = MESSAGES_PER_VALUE;

/** Receives the delivery reports of the records that are produced with it: Kafka's "opaque". */
export interface ReportTarget {
  /**
   * The number of the record that is produced next, from 0, below `RECORDS_PER_TARGET`. `produce()` reads it, and
   * `reported()` is called with it. Absent if the target needs no numbers: they are 0 then.
   */
  readonly recordNumber?: number;
  /**
   * Called once for each record that `PortProducer.produce()` has accepted, unless a `RequestListener` receives it.
   *
   * @param code 0 if the record is delivered
   * @param offset the record's offset, if it is delivered
   * @param record the record's bytes; absent when the client no longer has them
   */
  reported(code: number, partition: number, offset: number, recordNumber: number, record?: RecordBytes): void;
}

/** The bytes of a record. */
export interface RecordBytes {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** A record whose request the broker has answered, with everything that it was produced with. */
export interface AnsweredRecord extends RecordBytes {
  /** 0 if the record is delivered. */
  readonly code: number;
  /** The partition that the record was sent to. */
  readonly partition: number;
  /** The record's offset, if it is delivered. */
  readonly offset: number;
  /** In milliseconds since 1970. */
  readonly timestamp: number;
  readonly headers?: RecordHeaders;
  readonly target: ReportTarget;
  /** The `recordNumber` that the target had when the record was produced. */
  readonly recordNumber: number;
}

/**
 * Receives the delivery reports of a whole produce request at once. A broker writes all records of a request, which have
 * one partition, or none: it refuses good records because of a bad one beside them.
 */
export interface RequestListener {
  /** Whether requests with this code go to `answered()` instead of to each record's `ReportTarget`. */
  wants(code: number): boolean;
  /** Called with the records of a request, in order; for the requests of a partition in the order of the answers. */
  answered(records: readonly AnsweredRecord[]): void;
}

/** The callbacks of a producer. */
export interface ProducerEvents extends ClientEvents {
  /** Receives requests with the codes that it wants. If absent, every report goes to the record's `ReportTarget`. */
  readonly requests?: RequestListener;
}

/** Writes records. */
export interface PortProducer extends PortClient {
  /**
   * Adds a record to the queue, whose order is kept. Copies the record's bytes before it returns.
   *
   * @param partition −1 to let the partitioner choose
   * @param timestamp in milliseconds since 1970; `null` for the present time
   * @throws An error with a `code`, such as `ErrorCode.QUEUE_FULL`. The record is not accepted, and not reported.
   */
  produce(
    topic: string,
    partition: number,
    value: Uint8Array | null,
    key: Uint8Array | null,
    timestamp: number | null,
    target: ReportTarget,
    headers: RecordHeaders | undefined,
  ): void;
  /** Sends what is queued without delay. Resolves when every record is reported, or after `timeoutMs` milliseconds. */
  flush(timeoutMs: number): Promise<void>;
}

/**
 * Makes consumers and producers. They connect when `PortClient.connect()` is called.
 *
 * @throws {LibraryError} If no usable librdkafka is found.
 * @throws An error with a `code`, if the configuration is refused.
 */
export interface ClientFactory {
  /** Makes a consumer. */
  consumer(conf: Readonly<Record<string, unknown>>, events: ConsumerEvents): Promise<PortConsumer>;
  /** Makes a producer. */
  producer(conf: Readonly<Record<string, unknown>>, events: ProducerEvents): Promise<PortProducer>;
  /** librdkafka's text for a code. */
  errorText(code: number): string;
}
