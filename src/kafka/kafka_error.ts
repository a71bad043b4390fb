/**
 * The error for everything that Kafka or librdkafka refuses.
 *
 * @module
 */

import { ErrorCode } from "../ffi/error_codes.ts";

/** Options of `new KafkaError()`. */
export interface KafkaErrorOptions extends ErrorOptions {
  /** librdkafka's error code: negative for its own errors, positive for the broker's. */
  readonly code?: number;
  /**
   * The records that were not written.
   * @default {[]}
   */
  readonly records?: readonly unknown[];
  /**
   * Makes the error fatal whatever its code. If absent, only −150, librdkafka's code for fatal errors, is fatal.
   */
  readonly fatal?: true;
}

/** The broker's code for which librdkafka has no name. */
const FETCH_SESSION_TOPIC_ID_ERROR = 106;

/**
 * The codes after which the same operation may succeed later.
 *
 * - Of the broker's: those that Kafka's protocol calls retriable (`org.apache.kafka.common.protocol.Errors` of 4.3.1),
 *   and two more: `BROKER_NOT_AVAILABLE`, which librdkafka takes for a stale address, and `REBALANCE_IN_PROGRESS`, since a
 *   commit that meets a rebalance may be made again after it.
 * - Of librdkafka's own: time-outs, broken connections, what it waits for or has no room for, and what a member of a group
 *   loses and can join again. A purged record is not among them: its producer has ended.
 */
const RETRIABLE: ReadonlySet<number> = new Set([
  ErrorCode.INVALID_MSG,
  ErrorCode.UNKNOWN_TOPIC_OR_PART,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_FOR_PARTITION,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.BROKER_NOT_AVAILABLE,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.NOT_CONTROLLER,
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  ErrorCode.INVALID_FETCH_SESSION_EPOCH,
  ErrorCode.LISTENER_NOT_FOUND,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
  ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
  ErrorCode.ELECTION_NOT_NEEDED,
  ErrorCode.UNSTABLE_OFFSET_COMMIT,
  ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.INCONSISTENT_TOPIC_ID,
  FETCH_SESSION_TOPIC_ID_ERROR,
  ErrorCode.SHARE_SESSION_NOT_FOUND,
  ErrorCode.INVALID_SHARE_SESSION_EPOCH,
  ErrorCode.SHARE_SESSION_LIMIT_REACHED,
  ErrorCode.TRANSPORT,
  ErrorCode.RESOLVE,
  ErrorCode.MSG_TIMED_OUT,
  ErrorCode.ALL_BROKERS_DOWN,
  ErrorCode.TIMED_OUT,
  ErrorCode.QUEUE_FULL,
  ErrorCode.WAIT_COORD,
  ErrorCode.IN_PROGRESS,
  ErrorCode.PREV_IN_PROGRESS,
  ErrorCode.TIMED_OUT_QUEUE,
  ErrorCode.WAIT_CACHE,
  ErrorCode.INTR,
  ErrorCode.RETRY,
  ErrorCode.MAX_POLL_EXCEEDED,
  ErrorCode.ASSIGNMENT_LOST,
  ErrorCode.DESTROY_BROKER,
]);

/** What the user can do about an error, by its code. */
const REMEDIES: Readonly<Record<number, string>> = {
  [ErrorCode.TOPIC_AUTHORIZATION_FAILED]: "the user lacks the right to this topic: ask for an ACL",
  [ErrorCode.GROUP_AUTHORIZATION_FAILED]: "the user lacks the right to this group: ask for an ACL on group.id",
  [ErrorCode.MSG_TIMED_OUT]: "no broker confirmed it within message.timeout.ms: see whether the brokers are up",
  [ErrorCode.AUTHENTICATION]: "see sasl.username, sasl.password and sasl.mechanism",
  [ErrorCode.SSL]:
    "see ssl.ca.location, ssl.certificate.location, ssl.key.location and ssl.endpoint.identification.algorithm",
  [ErrorCode.AUTO_OFFSET_RESET]:
    "the offset is not there any more: set auto.offset.reset to earliest or latest, or seek",
};

/**
 * Thrown when Kafka or librdkafka refuses an operation. The message ends with a remedy if the code has a known one.
 *
 * @example The properties of a failed send
 * ```ts
 * import { KafkaError } from "@slipstream/slipstream";
 *
 * const error = new KafkaError("too large", { code: 10, records: [["key", "value"]] });
 * console.assert(!error.retriable && error.records.length === 1);
 * ```
 */
export class KafkaError extends Error {
  /** The class's name. */
  override readonly name = "KafkaError";
  /** librdkafka's error code: negative for its own errors, positive for the broker's; `undefined` for neither. */
  readonly code: number | undefined;
  /** Whether the same operation may succeed later. */
  readonly retriable: boolean;
  /**
   * Whether the client is of no further use, or can't be made. A fatal error concerns no single message: it ends a run
   * whatever `onError` is.
   */
  readonly fatal: boolean;
  /** The records that were not written. */
  readonly records: readonly unknown[];

  /** Adds the remedy for the code to the message, if there is one. */
  constructor(message: string, { code, records = [], fatal, ...options }: KafkaErrorOptions = {}) {
    const remedy = code === undefined ? undefined : REMEDIES[code];
    // The message of an error that wraps another one has the remedy already.
    super(remedy === undefined || message.includes(remedy) ? message : `${message} (${remedy})`, options);
    this.code = code;
    this.fatal = fatal ?? code === ErrorCode.FATAL;
    this.retriable = code !== undefined && RETRIABLE.has(code) && !this.fatal;
    this.records = records;
  }

  /** The `code` of an error; `undefined` if it has none. */
  static codeOf(error: unknown): number | undefined {
    const code = (error as { code?: unknown } | null)?.code;
    return typeof code === "number" ? code : undefined;
  }

  /** Wraps an error of a client; `action` begins the message and says what failed. Returns a KafkaError as it is. */
  static from(
    action: string,
    error: unknown,
    more: Pick<KafkaErrorOptions, "records" | "fatal"> = {},
  ): KafkaError {
    if (error instanceof KafkaError) return error;
    const code = KafkaError.codeOf(error);
    const text = String((error as { message?: unknown } | null)?.message ?? error);
    const isFatal = (error as { isFatal?: unknown } | null)?.isFatal === true;
    return new KafkaError(`${action}: ${text}`, {
      ...more,
      ...(isFatal ? { fatal: true } : {}),
      cause: error,
      ...(code === undefined ? {} : { code }),
    });
  }
}
