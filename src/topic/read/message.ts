/**
 * A message that was read.
 *
 * @module
 */

/** A header: its name, and its bytes or `null`. Names may repeat; the order counts. */
export type MessageHeader = readonly [name: string, value: Uint8Array | null];

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
