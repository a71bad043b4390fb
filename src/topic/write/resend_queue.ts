/**
 * Records that a broker refused because of another record of their request, and that are sent again.
 *
 * A broker writes all records of a request or none. So a refused request is halved until each record that is refused was
 * alone in its request. Such a record fails; all others are delivered.
 *
 * **Order.** Requests that were in flight when the broker refused one may be written before it is sent again. For records
 * of one key that would leave the older value as the last one, for good in a compacted topic. So a record that was written
 * too early is written once more, after the records of its key that it has overtaken: the last record of a key is the one
 * that was sent last, and a reader may see a record twice. Records without a key may change places.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type AnsweredRecord, ErrorCode, type RecordBytes, type ReportTarget } from "../../kafka/port.ts";

/**
 * The codes with which a broker refuses a whole request because of one of its records, and writes nothing. The last one
 * is librdkafka's, for the request's other records.
 */
const REFUSALS: ReadonlySet<number> = new Set([
  ErrorCode.MSG_SIZE_TOO_LARGE,
  ErrorCode.RECORD_LIST_TOO_LARGE,
  ErrorCode.INVALID_TIMESTAMP,
  ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT,
  ErrorCode.INVALID_RECORD,
  ErrorCode.INVALID_DIFFERENT_RECORD,
]);

/** The records to send again, in order. */
export class ResendQueue {
  /** The records of each group are to share a request. */
  #groups: AnsweredRecord[][] = [];
  /** The records that came back since the last group was sent: they precede the groups. */
  #returned: AnsweredRecord[][] = [];
  /** The partitions and keys of the records in `#returned`. */
  readonly #keys = new Set<string>();
  /** How many records are to be sent again. */
  size = 0;

  /** Whether `take()` needs to see the records of a request that was answered with a code. */
  wants(code: number): boolean {
    return REFUSALS.has(code) || (code === 0 && this.#keys.size > 0);
  }

  /** Takes the records of an answered request that are to be sent again. Returns the others: their outcome is final. */
  take(records: readonly AnsweredRecord[]): readonly AnsweredRecord[] {
    if (records[0]?.code === 0) return this.#takeOvertaking(records);
    if (records.length <= 1) return records;
    const innocent = records.filter(({ code }) => code === ErrorCode.INVALID_DIFFERENT_RECORD);
    if (innocent.length > 0 && innocent.length < records.length) {
      this.#add(innocent);
      return records.filter(({ code }) => code !== ErrorCode.INVALID_DIFFERENT_RECORD);
    }
    const middle = records.length >> 1;
    this.#add(records.slice(0, middle));
    this.#add(records.slice(middle));
    return [];
  }

  /** Takes the records that were written before a refused record of their key. */
  #takeOvertaking(records: readonly AnsweredRecord[]): readonly AnsweredRecord[] {
    const isOvertaking = (record: AnsweredRecord) => this.#keys.has(keyOf(record) ?? "");
    const overtaking = records.filter(isOvertaking);
    if (overtaking.length === 0) return records;
    this.#add(overtaking);
    return records.filter((record) => !isOvertaking(record));
  }

  #add(group: AnsweredRecord[]): void {
    this.#returned.push(group);
    this.size += group.length;
    for (const record of group) {
      const key = keyOf(record);
      if (key !== undefined) this.#keys.add(key);
    }
  }

  /** Removes and returns the next group. All records that were sent before must have been answered. */
  next(): readonly AnsweredRecord[] {
    if (this.#returned.length > 0) this.#groups = [...this.#returned, ...this.#groups];
    this.#returned = [];
    this.#keys.clear();
    const group = this.#groups.shift() ?? [];
    this.size -= group.length;
    return group;
  }

  /** Removes and returns all records. */
  clear(): readonly AnsweredRecord[] {
    const records = [...this.#returned, ...this.#groups].flat();
    this.#groups = [];
    this.#returned = [];
    this.#keys.clear();
    this.size = 0;
    return records;
  }
}

/** Returns a partition and a key as text; `undefined` for a record without a key. */
function keyOf({ partition, key }: AnsweredRecord): string | undefined {
  if (key === null || key.length === 0) return undefined;
  return `${partition}:${Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1")}`;
}

/** Receives the report of a record that is sent again, and passes it on as the report of the first attempt. */
export class ResentRecord implements ReportTarget {
  readonly recordNumber: number;
  readonly #first: ReportTarget;

  /** Returns the report target for another attempt. */
  static of({ target, recordNumber }: AnsweredRecord): ReportTarget {
    return target instanceof ResentRecord ? target : new ResentRecord(target, recordNumber);
  }

  private constructor(first: ReportTarget, recordNumber: number) {
    this.#first = first;
    this.recordNumber = recordNumber;
  }

  reported(code: number, partition: number, offset: number, recordNumber: number, record?: RecordBytes): void {
    this.#first.reported(code, partition, offset, recordNumber, record);
  }
}
