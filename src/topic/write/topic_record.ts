/**
 * The records that a Topic writes, and the reports of their delivery.
 *
 * @module
 */

/** Headers of a record: by name, or as pairs if names repeat. A string is written as UTF-8. */
export type HeadersInput =
  | Readonly<Record<string, Uint8Array | string | null>>
  | Iterable<readonly [name: string, value: Uint8Array | string | null]>;

/** A record to write. */
export interface TopicRecord<K = string, V = string> {
  /**
   * The key. Records of one key are written to one partition, in order. Records without a key, or with an empty one, are
   * spread over all partitions (`partitioner`, `consistent_random` by default).
   */
  readonly key?: K | null;
  /** The value; `null` is a tombstone, which deletes the key in a compacted topic. */
  readonly value: V | null;
  /** The headers. */
  readonly headers?: HeadersInput;
  /** The partition, from 0. When left out, the key determines it. */
  readonly partition?: number;
  /** The timestamp, in milliseconds since 1970, from 1. When left out, the time of sending. */
  readonly timestamp?: number;
}

/** What a Topic accepts as a sink: a pair of key and value, or a record. */
export type TopicInput<K = string, V = string> = readonly [key: K | null, value: V | null] | TopicRecord<K, V>;

/** The options of `Topic.send`. */
export interface SendOptions {
  /** The headers. */
  readonly headers?: HeadersInput;
  /** The partition, from 0. When left out, the key determines it. */
  readonly partition?: number;
  /** The timestamp, in milliseconds since 1970, from 1. When left out, the time of sending. */
  readonly timestamp?: number;
}

/** Where a record was written. */
export interface DeliveryReport {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset in the partition. */
  readonly offset: number;
}
