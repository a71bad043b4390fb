/**
 * What the receivers of delivery reports need of their producer.
 *
 * @module
 */

import type { KafkaError } from "../../kafka/kafka_error.ts";
import type { UndeliveredRecord } from "./record_errors.ts";

/** Counts the records that are in flight: produced, and not yet reported as delivered or failed. */
export interface RecordTracker {
  /** A record was reported: one less is in flight. */
  landed(): void;
  /**
   * Excludes a number of records in flight from `idle()`, because nobody waits for them. The caller passes −1 when the report
   * of an excluded record arrives.
   */
  abandon(records: number): void;
  /** Returns the error of a record that was reported as failed. */
  deliveryError(code: number, record: UndeliveredRecord): KafkaError;
}
