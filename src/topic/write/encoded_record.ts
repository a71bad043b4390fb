/**
 * A record as bytes.
 *
 * @module
 */

import type { TopicRecord } from "./topic_record.ts";

/** Any bytes: clients accept them as they are, and a Buffer for each would cost more than its record. */
export type Bytes = Uint8Array;

/** A record with the bytes of its key and value. */
export interface EncodedRecord {
  readonly record: TopicRecord<unknown, unknown>;
  readonly key: Bytes | null;
  readonly value: Bytes | null;
}
