/**
 * What a Topic takes to be sent, and where it was written.
 *
 * @module
 */

/** Headers to be sent: by name, or as pairs when names repeat. A string is sent as UTF-8. */
export type HeadersInput =
  | Readonly<Record<string, Uint8Array | string | null>>
  | Iterable<readonly [name: string, value: Uint8Array | string | null]>;

/** A record to be sent. */
export interface TopicRecord<K = string, V = string> {
  /**
   * The key; messages of one key go to one partition, in order. Those without, or with an empty one, are spread
   * (librdkafka's `partitioner` is `consistent_random` by default).
   */
  readonly key?: K | null;
  /** The value; `null` is a tombstone. */
  readonly value: V | null;
  /** Headers. */
  readonly headers?: HeadersInput;
  /** The partition; by the key when left out. */
  readonly partition?: number;
  /** The time in milliseconds since 1970; now when left out. */
  readonly timestamp?: number;
}

/** What a Topic takes as a sink: a pair of key and value, or a record. */
export type TopicInput<K = string, V = string> = readonly [key: K | null, value: V | null] | TopicRecord<K, V>;

/** Where a message was written. */
export interface DeliveryReport {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset in the partition. */
  readonly offset: number;
}
