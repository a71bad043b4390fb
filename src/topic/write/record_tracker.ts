/**
 * What a producer offers to the receivers of its delivery reports.
 *
 * @module
 */

import type { KafkaError } from "../../kafka/kafka_error.ts";
import type { UndeliveredRecord } from "./record_errors.ts";

/** Counts the records that are in flight: produced, and not yet reported as delivered or failed. */
export interface RecordTracker {
  /** A record was reported: one less is in flight. */
  landed(): void;
  /** Nobody waits any more for so many of the records in flight; negative for those of them that have landed. */
  abandon(records: number): void;
  /** Returns the error of a record that was reported as failed. */
  deliveryError(code: number, record: UndeliveredRecord): KafkaError;
}
