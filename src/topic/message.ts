/**
 * What goes into a topic and what comes out.
 *
 * @module
 */

/** A header: its name, and its bytes or `null`. Names may repeat; the order counts. */
export type MessageHeader = readonly [name: string, value: Uint8Array | null];

/** Headers to be sent: by name, or as pairs when names repeat. A string is sent as UTF-8. */
export type HeadersInput =
  | Readonly<Record<string, Uint8Array | string | null>>
  | Iterable<readonly [name: string, value: Uint8Array | string | null]>;

/**
 * A message that was read.
 *
 * @typeParam K what a key is
 * @typeParam V what a value is
 */
export interface Message<K = string, V = string> {
  /** The topic it was read from. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
  /** Its place in the partition. Offsets grow; they may have gaps. */
  readonly offset: number;
  /** The key; `null` when it has none. */
  readonly key: K | null;
  /** The value; `null` for a tombstone, which is not an empty value. */
  readonly value: V | null;
  /** When it was made (or appended, as the topic is set up), in milliseconds since 1970; absent when unknown. */
  readonly timestamp?: number;
  /** Its headers, in order. `Object.fromEntries(message.headers)` gives them by name. */
  readonly headers: readonly MessageHeader[];
  /** The leader epoch its offset belongs to; absent when unknown. */
  readonly leaderEpoch?: number;
}

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
