/**
 * Records of a `MemoryKafka` as tests write and read them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type FetchedMessage, NULL_HEADER, type RecordHeaders } from "../../kafka/port.ts";

/** A record in a partition. */
export interface MemoryRecord {
  /** The topic. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
  /** The offset in the partition. */
  readonly offset: number;
  /** The key, or `null`. */
  readonly key: Uint8Array | null;
  /** The value, or `null` for a tombstone. */
  readonly value: Uint8Array | null;
  /** The time in milliseconds since 1970. */
  readonly timestamp: number;
  /** The headers in order. A name may occur more than once; a value may be `null`. */
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[];
}

/** A record to be written. Strings stand for their bytes in UTF-8. */
export interface NewRecord {
  /**
   * The key, or `null`.
   * @default {null}
   */
  readonly key?: Uint8Array | string | null;
  /** The value, or `null` for a tombstone. */
  readonly value: Uint8Array | string | null;
  /**
   * The time in milliseconds since 1970.
   * @default {Date.now()}
   */
  readonly timestamp?: number;
  /**
   * The headers in order.
   * @default {none}
   */
  readonly headers?: readonly (readonly [name: string, value: Uint8Array | string | null])[];
}

/** A record as a partition takes it. */
export interface AppendedRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
  readonly headers?: RecordHeaders;
}

/** Encodes a record of a test. */
export function encoded({ key = null, value, timestamp = Date.now(), headers }: NewRecord): AppendedRecord {
  const record = { key: bytesOf(key), value: bytesOf(value), timestamp };
  if (headers === undefined) return record;
  return { ...record, headers: headers.map(([name, value]) => ({ [name]: bytesOf(value) ?? NULL_HEADER })) };
}

/** Shows a record to a test. */
export function shown({ topic, partition, offset, key, value, timestamp, headers = [] }: FetchedMessage): MemoryRecord {
  return {
    ...{ topic, partition, offset, key, value, timestamp },
    headers: headers.map((header) => {
      const [name, value] = Object.entries(header)[0]!;
      return [name, value === NULL_HEADER ? null : value];
    }),
  };
}

function bytesOf(value: Uint8Array | string | null): Uint8Array | null {
  // A Buffer, as the npm client has it.
  return typeof value === "string" ? Buffer.from(value) : value;
}
