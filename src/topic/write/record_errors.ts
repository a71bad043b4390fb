/**
 * The errors of records that are not delivered.
 *
 * @module
 */

import { ErrorCode, type RecordBytes } from "../../kafka/port.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";

/** What is known of a record that is not delivered. */
export interface UndeliveredRecord {
  /** The record or the pair, as the program gave it. */
  readonly input?: unknown;
  /** The bytes of the key; absent when unknown. */
  readonly key?: Uint8Array | null;
  /** The bytes of the value; absent when unknown. */
  readonly value?: Uint8Array | null;
  /** The partition; absent or negative when unknown. */
  readonly partition?: number;
}

/** Returns what a delivery report says of a record. */
export function undeliveredRecord(
  partition: number,
  bytes: RecordBytes | undefined,
  input?: unknown,
): UndeliveredRecord {
  return {
    partition,
    ...bytes !== undefined && { key: bytes.key, value: bytes.value },
    ...input !== undefined && { input },
  };
}

/** The codes with which librdkafka reports records that it drops after a fatal error. */
const DROPPED: ReadonlySet<number> = new Set([ErrorCode.PURGE_QUEUE, ErrorCode.PURGE_INFLIGHT, ErrorCode.FATAL]);

/** What the errors of a producer's records have in common. */
export interface ProducerFacts {
  /** The topic, for errors. */
  readonly where: string;
  /** Why the producer can't deliver anything any more; absent while it can. */
  readonly fatalError: KafkaError | undefined;
  /** A broker that can't be reached, and why; absent when there is none. */
  readonly unreachableBroker: string | undefined;
  /** Returns Kafka's text for a code. */
  errorText(code: number): string;
}

/** Returns the error of a record whose delivery report has an error code. */
export function deliveryError(code: number, record: UndeliveredRecord, producer: ProducerFacts): KafkaError {
  const { where, fatalError, unreachableBroker } = producer;
  if (fatalError !== undefined && DROPPED.has(code)) {
    return new KafkaError(`${where}: ${recordText(record)} was not delivered: ${fatalError.message}`, {
      code: fatalError.code ?? code,
      fatal: true,
      cause: fatalError,
      ...inputOf(record),
    });
  }
  const why = code === ErrorCode.MSG_TIMED_OUT && unreachableBroker !== undefined ? `; ${unreachableBroker}` : "";
  const text = `${recordText(record)} was not delivered: ${producer.errorText(code)}${why}`;
  return new KafkaError(`${where}: ${text}${inBrackets(remedyFor(code, record, false))}`, {
    code,
    ...fatalOf(producer),
    ...inputOf(record),
  });
}

/** Returns the error of a record that the client does not accept; no broker has seen it. */
export function refusalError(
  code: number | undefined,
  cause: unknown,
  record: UndeliveredRecord,
  producer: ProducerFacts,
): KafkaError {
  const reason = String((cause as { message?: unknown } | null)?.message ?? cause);
  const remedy = code === undefined ? undefined : remedyFor(code, record, true);
  return new KafkaError(`${producer.where}: ${recordText(record)} was refused: ${reason}${inBrackets(remedy)}`, {
    ...(code === undefined ? {} : { code }),
    cause,
    ...fatalOf(producer),
    ...inputOf(record),
  });
}

function fatalOf({ fatalError }: ProducerFacts): { fatal?: true; cause?: unknown } {
  return fatalError === undefined ? {} : { fatal: true, cause: fatalError };
}

function inputOf({ input }: UndeliveredRecord): { records?: readonly unknown[] } {
  return input === undefined ? {} : { records: [input] };
}

function inBrackets(remedy: string | undefined): string {
  return remedy === undefined ? "" : ` (${remedy})`;
}

/** How many characters of a key an error shows. */
const SHOWN_CHARACTERS = 64;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Describes a record, such as `the message with key "a" (60001 bytes, partition 0)`. */
export function recordText({ key, value, partition = -1 }: UndeliveredRecord): string {
  if (key === undefined || value === undefined) return "a message";
  const bytes = (key?.length ?? 0) + (value?.length ?? 0);
  const where = partition < 0 ? "" : `, partition ${partition}`;
  return `the message ${key === null ? "without key" : `with key ${keyText(key)}`} (${bytes} bytes${where})`;
}

function keyText(key: Uint8Array): string {
  try {
    const text = decoder.decode(key);
    return JSON.stringify(text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`);
  } catch {
    return `of ${key.length} bytes`;
  }
}

/**
 * Returns what helps against the refusal of a record; `undefined` where the code says enough, or nothing is known.
 *
 * @param isByClient the client refused it, and no broker has seen it
 */
export function remedyFor(code: number, { key }: UndeliveredRecord, isByClient: boolean): string | undefined {
  switch (code) {
    case ErrorCode.MSG_SIZE_TOO_LARGE:
      return isByClient
        ? "raise message.max.bytes, 1000000 by default, and max.message.bytes of the topic, or send less in a message"
        : "raise max.message.bytes of the topic, or send less in a message";
    case ErrorCode.RECORD_LIST_TOO_LARGE:
      return "it is larger than a segment: raise segment.bytes of the topic, or send less in a message";
    case ErrorCode.INVALID_TIMESTAMP:
      return "its timestamp is further from the broker's clock than message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic allow; timestamps are milliseconds since 1970";
    case ErrorCode.INVALID_RECORD:
      return key === null ? "a compacted topic needs a key in each message" : undefined;
    case ErrorCode.UNKNOWN_PARTITION:
      return "the topic has no such partition";
    case ErrorCode.UNKNOWN_TOPIC:
    case ErrorCode.UNKNOWN_TOPIC_OR_PART:
      return "the topic does not exist, and the broker does not create it: check its name, or create it";
    default:
      return undefined;
  }
}
