/**
 * What `Topic` needs of Kafka, in batches: a consumer, a producer and what they report. `npm_client_factory.ts` implements it on
 * the npm client; a second implementation, in memory, carries the tests of Topic's reader and writer and the simulation.
 *
 * Codes are librdkafka's: 0 is success, negative ones its own, positive ones the broker's.
 *
 * @module
 */

export { ErrorCode } from "../ffi/error_codes.ts";
export { NULL_HEADER } from "../ffi/null_header.ts";

/** A partition of a topic. */
export interface TopicPartition {
  /** The topic. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
}

/** A partition with an offset: −1001 where there is none. */
export interface TopicPartitionOffset extends TopicPartition {
  /** The offset. */
  readonly offset: number;
  /** The leader epoch that the offset belongs to; absent when unknown. */
  readonly leaderEpoch?: number;
  /** Why the broker refused this partition; absent when it did not. */
  readonly error?: { readonly code: number; readonly message: string };
}

/** The headers of a record: each an object of which the first property is the header. */
export type RecordHeaders = readonly Readonly<Record<string, Uint8Array>>[];

/** A message as it was fetched. */
export interface FetchedMessage extends TopicPartition {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** In milliseconds since 1970; −1 when unknown. */
  readonly timestamp: number;
  readonly headers?: RecordHeaders;
  readonly leaderEpoch?: number;
  /** The bytes of the value. */
  readonly size: number;
}

/** The lowest offset that there is, and the next one to be written. */
export interface Watermarks {
  readonly lowOffset: number;
  readonly highOffset: number;
}

/** What every client reports. */
export interface ClientEvents {
  /**
   * An error of the client as a whole, such as a broker that does not answer or refuses the credentials.
   *
   * @param isFatal the client can't go on
   */
  onError(code: number, message: string, isFatal?: boolean): void;
  /** A line of the client's log; severities are syslog's, lower is worse. */
  onLog?(severity: number, message: string): void;
}

/** A client of a cluster. */
export interface PortClient {
  /** Resolves when a broker has answered; waits for one until it is disconnected. */
  connect(): Promise<void>;
  /** Whether it is connected. */
  readonly isConnected: boolean;
  /** Whether `Client.disconnect` was called. */
  readonly isDisconnecting: boolean;
  /** Frees everything. Idempotent; also while `Client.connect` waits, which then rejects. */
  disconnect(): Promise<void>;
}

/** What a consumer reports while it is polled. */
export interface ConsumerEvents extends ClientEvents {
  /** The group gives partitions; they are to be assigned. */
  onAssign(partitions: readonly TopicPartition[]): void;
  /** The group takes partitions away; they are to be unassigned. */
  onRevoke(partitions: readonly TopicPartition[]): void;
  /** A commit in the background was answered; its offsets say which partitions were refused. */
  onCommitted(code: number, offsets: readonly TopicPartitionOffset[]): void;
  /**
   * The end of a partition is reached, with `enable.partition.eof`: the offset behind all that there is to be read, also
   * behind what is not handed out, such as records of aborted transactions. It comes before the messages of the same
   * `PortConsumer.consume`, some of which lie before it.
   */
  onEnd(end: TopicPartitionOffset): void;
}

/** A consumer. */
export interface PortConsumer extends PortClient {
  /** Joins the group for topics, or for expressions that begin with `^`. */
  subscribe(topics: readonly string[]): void;
  /**
   * Takes messages, and serves events meanwhile.
   *
   * @param max how many at most
   * @param timeoutMs how long the first is waited for
   * @throws An error with a `code`, also of a single partition, which its text names; with `isFatal` when the consumer
   * can't go on.
   */
  consume(max: number, timeoutMs: number): Promise<FetchedMessage[]>;
  /** Whether assignments come and go in increments. */
  readonly isCooperative: boolean;
  /** Whether the partitions that are revoked are lost: another member may have them already. */
  readonly isAssignmentLost: boolean;
  /** Reads these partitions only, from their offsets where they have one. */
  assign(partitions: readonly (TopicPartition & { readonly offset?: number })[]): void;
  /** Reads these partitions as well. */
  incrementalAssign(partitions: readonly (TopicPartition & { readonly offset?: number })[]): void;
  /** Reads nothing any more. */
  unassign(): void;
  /** Reads these partitions no more. */
  incrementalUnassign(partitions: readonly TopicPartition[]): void;
  /** Fetches nothing of partitions. */
  pause(partitions: readonly TopicPartition[]): void;
  /** Fetches again. */
  resume(partitions: readonly TopicPartition[]): void;
  /** Reads on at another offset. */
  seek(target: TopicPartitionOffset, timeoutMs: number): Promise<void>;
  /** Stores offsets, which are committed in the background and at the end. */
  storeOffsets(offsets: readonly TopicPartitionOffset[]): void;
  /**
   * Commits offsets. Resolves while the consumer is polled, with what the broker says of each partition: it may refuse
   * some.
   *
   * @throws An error with a `code`, if all are refused: −197 if the consumer was disconnected first.
   */
  commit(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]>;
  /** What the group has committed. */
  committed(partitions: readonly TopicPartition[], timeoutMs: number): Promise<TopicPartitionOffset[]>;
  /** The lowest and the next offset of a partition, as its leader knows them. */
  watermarks(partition: TopicPartition, timeoutMs: number): Promise<Watermarks>;
  /** The partitions of a topic, or of all topics; none of a topic that does not exist. */
  partitions(topic: string | undefined, timeoutMs: number): Promise<TopicPartition[]>;
}

/** An account tells so many records apart: `ReportTarget.recordNumber` is below it. */
export const RECORDS_PER_TARGET = 2 ** 12;

/** What a record carries to its report. */
export interface ReportTarget {
  /**
   * The number of the record that is produced next, from 0, below `RECORDS_PER_TARGET`; it comes back with its
   * report. Absent where nobody needs it.
   */
  readonly recordNumber?: number;
  /**
   * Called once for each record that `PortProducer.produce` has taken, unless a `RequestListener` is told of its request.
   *
   * @param record its bytes; absent when they are not known any more
   */
  reported(code: number, partition: number, offset: number, recordNumber: number, record?: RecordBytes): void;
}

/** The bytes of a record. */
export interface RecordBytes {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** A record whose request was answered, with all that it was produced with. */
export interface AnsweredRecord extends RecordBytes {
  /** 0 if it was delivered. */
  readonly code: number;
  /** The partition that it was sent to. */
  readonly partition: number;
  /** Its offset, if it was delivered. */
  readonly offset: number;
  /** In milliseconds since 1970. */
  readonly timestamp: number;
  readonly headers?: RecordHeaders;
  readonly account: ReportTarget;
  /** Its number in its account. */
  readonly recordNumber: number;
}

/**
 * Hears of requests as a whole: a broker writes all records of a request (they have one partition) or none, so it refuses
 * some for what is wrong with another one.
 */
export interface RequestListener {
  /** Whether `RequestListener.answered` is to be called, instead of each record's account. */
  wants(code: number): boolean;
  /** A request was answered; its records, in order. Requests of a partition are told in the order of their answers. */
  answered(records: readonly AnsweredRecord[]): void;
}

/** What a producer reports. */
export interface ProducerEvents extends ClientEvents {
  /** Who hears of requests. When left out, each account hears of its records. */
  readonly requests?: RequestListener;
}

/** A producer. */
export interface PortProducer extends PortClient {
  /**
   * Queues a record, in order. Copies its bytes before it returns.
   *
   * @param partition −1 for the partitioner's choice
   * @param timestamp in milliseconds since 1970; `null` for now
   * @throws An error with a `code`: −184 when the queue is full. Nothing is reported then.
   */
  produce(
    topic: string,
    partition: number,
    value: Uint8Array | null,
    key: Uint8Array | null,
    timestamp: number | null,
    account: ReportTarget,
    headers: RecordHeaders | undefined,
  ): void;
  /** Resolves when nothing is on its way any more, or the time is out. */
  flush(timeoutMs: number): Promise<void>;
}

/**
 * Makes clients.
 *
 * @throws {LibraryError} If there is no librdkafka that can be used.
 * @throws An error, if the configuration is refused. No client is made then.
 */
export interface ClientFactory {
  /** Makes a consumer; nothing is connected before `Client.connect`. */
  consumer(conf: Readonly<Record<string, unknown>>, events: ConsumerEvents): Promise<PortConsumer>;
  /** Makes a producer. */
  producer(conf: Readonly<Record<string, unknown>>, events: ProducerEvents): Promise<PortProducer>;
  /** What a code means. */
  errorText(code: number): string;
}
