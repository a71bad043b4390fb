/**
 * Reads delivery reports, a batch at a time.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { openLibrary } from "./library.ts";
import type { Pointer } from "./memory.ts";
import {
  BATCH_MESSAGES,
  codeOf,
  copyBatch,
  copyStructs,
  hasTimestampType,
  headersOf,
  keyOf,
  offsetOf,
  opaqueIdOf,
  partitionOf,
  pointers,
  producedTimestampOf,
  timestampOf,
  topicHandleOf,
  valueOf,
  valueSizeOf,
} from "./message_batch.ts";
import type { NativeHeader } from "./message_headers.ts";
import { TopicHandleNames } from "./topic_handle_names.ts";

/** A delivery report, as the npm client expects it. */
export interface NativeReport {
  topic: string;
  partition: number;
  offset: number;
  key: Buffer | null;
  /** The value that was passed to `produce()`; absent for none. */
  opaque?: unknown;
  /** In milliseconds since 1970; absent for none. */
  timestamp?: number;
  /** Absent unless payloads are asked for. */
  value?: Buffer | null;
  /** The length of the value, in bytes. */
  size: number;
}

/** A produced record that is reported, with everything that it was produced with. */
export interface NativeRecord extends NativeReport {
  /** librdkafka's code: 0 if the record is delivered. */
  code: number;
  value: Buffer | null;
  timestamp: number;
  headers?: NativeHeader[];
  /** The number that stands for the opaque value; 0 for none. */
  opaqueId: number;
}

/** The numbers of an outcome: code, opaque id, partition and offset. */
const OUTCOME_NUMBERS = 4;
/**
 * Buffers for outcomes. A callback for an outcome may poll another producer, which overwrites the batch: so the outcomes of
 * a batch are copied before the first callback.
 */
const spareOutcomes: Float64Array[] = [];

function copyOutcomes(count: number, outcomes: Float64Array): void {
  copyStructs(count);
  for (let i = 0, to = 0; i < count; i++) {
    outcomes[to++] = codeOf(i);
    outcomes[to++] = opaqueIdOf(i);
    outcomes[to++] = partitionOf(i);
    outcomes[to++] = offsetOf(i);
  }
}

/** Reads the delivery reports of one client. The event stays the caller's. */
export class ReportReader {
  readonly #topics = new TopicHandleNames();

  /**
   * Reads at most `max` reports of an event and calls back for each.
   *
   * @returns the number of reports read; the next call continues behind them
   */
  takeReports(
    event: Pointer,
    max: number,
    withPayload: boolean,
    opaqueOf: (id: number) => unknown,
    onReport: (code: number, report: NativeReport) => void,
  ): number {
    const count = nextMessages(event, max);
    if (count === 0) return 0;
    const slab = copyBatch(count, withPayload);
    for (let i = 0; i < count; i++) onReport(codeOf(i), this.#report(i, slab, withPayload, opaqueOf));
    return count;
  }

  /** Reads all reports of an event, with everything that the records were produced with. */
  takeRecords(event: Pointer): NativeRecord[] {
    const records: NativeRecord[] = [];
    for (let count = nextMessages(event); count > 0; count = nextMessages(event)) {
      const slab = copyBatch(count, true);
      for (let i = 0; i < count; i++) {
        const headers = headersOf(i);
        records.push({
          code: codeOf(i),
          topic: this.#topics.of(topicHandleOf(i)),
          partition: partitionOf(i),
          offset: offsetOf(i),
          key: keyOf(i, slab),
          value: valueOf(i, slab),
          size: valueSizeOf(i),
          timestamp: producedTimestampOf(i),
          ...headers !== undefined && { headers },
          opaqueId: opaqueIdOf(i),
        });
      }
    }
    return records;
  }

  /** Reads all reports of an event and calls back for each, without the records. */
  takeOutcomes(
    event: Pointer,
    onOutcome: (code: number, opaqueId: number, partition: number, offset: number) => void,
  ): void {
    const outcomes = spareOutcomes.pop() ?? new Float64Array(BATCH_MESSAGES * OUTCOME_NUMBERS);
    try {
      // An event may hold more reports than fit in a batch.
      for (let count = nextMessages(event); count > 0; count = nextMessages(event)) {
        copyOutcomes(count, outcomes);
        for (let i = 0, at = 0; i < count; i++, at += OUTCOME_NUMBERS) {
          onOutcome(outcomes[at]!, outcomes[at + 1]!, outcomes[at + 2]!, outcomes[at + 3]!);
        }
      }
    } finally {
      spareOutcomes.push(outcomes);
    }
  }

  /** A report, with its properties in the order of the package's addon. */
  #report(index: number, slab: Buffer, withPayload: boolean, opaqueOf: (id: number) => unknown): NativeReport {
    const id = opaqueIdOf(index), topic = this.#topics.of(topicHandleOf(index));
    const partition = partitionOf(index), offset = offsetOf(index);
    const key = keyOf(index, slab), size = valueSizeOf(index), timestamp = timestampOf(index);
    const hasTimestamp = timestamp > -1 && hasTimestampType();
    // The usual object is made with all its properties, because a property that is added later costs another allocation.
    if (hasTimestamp && !withPayload) {
      return id === 0
        ? { topic, partition, offset, key, timestamp, size }
        : { topic, partition, offset, key, opaque: opaqueOf(id), timestamp, size };
    }
    return {
      topic,
      partition,
      offset,
      key,
      ...id !== 0 && { opaque: opaqueOf(id) },
      ...hasTimestamp && { timestamp },
      ...withPayload && { value: valueOf(index, slab) },
      size,
    };
  }
}

/** Puts the next messages of an event into the batch. Returns their number; 0 if none remain. */
function nextMessages(event: Pointer, max = BATCH_MESSAGES): number {
  return Number(openLibrary().symbols.rd_kafka_event_message_array(event, pointers, BigInt(max)));
}
