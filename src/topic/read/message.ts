/**
 * Messages as users receive them.
 *
 * @module
 */

/** A header: its name, and its bytes or `null`. Names may repeat, and the order of headers is kept. */
export type MessageHeader = readonly [name: string, value: Uint8Array | null];

/**
 * A message that was read from a topic.
 *
 * @typeParam K the type of keys
 * @typeParam V the type of values
 */
export interface Message<K = string, V = string> {
  /** The topic that it was read from. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
  /** The offset in the partition. Offsets of a partition grow from message to message, and may have gaps. */
  readonly offset: number;
  /** The key; `null` if it has none. */
  readonly key: K | null;
  /** The value; `null` for a tombstone. An empty value is not `null`. */
  readonly value: V | null;
  /**
   * When the record was created, or appended to the log, as `message.timestamp.type` of the topic says; in milliseconds since
   * 1970. Absent when unknown.
   */
  readonly timestamp?: number;
  /** The headers, in order. `Object.fromEntries(message.headers)` makes an object of them. */
  readonly headers: readonly MessageHeader[];
  /** The leader epoch that the offset belongs to; absent when unknown. */
  readonly leaderEpoch?: number;
}
