/**
 * Records that a broker refused for what another record of their request is, to be sent again.
 *
 * A broker writes all records of a request or none. So a refused request is halved until each record that is refused
 * was alone in its request: that one is not delivered, and all others are.
 *
 * **Order.** Requests that were on their way when the broker refused one may be written before it is sent again. For
 * records of one key that would leave the older value as the last one, for good in a compacted topic. So a record that
 * was written too early is written once more, after those of its key that it has overtaken: the last record of a key is
 * the one that was sent last, and a reader may see a record twice. Records without a key may change places.
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

/** What is to be sent again, in order. */
export class Resends {
  /** Each group is to be in one request. */
  #groups: AnsweredRecord[][] = [];
  /** What came back since the last group was sent: it precedes the groups. */
  #returned: AnsweredRecord[][] = [];
  /** The partitions and keys of what was refused since then. */
  readonly #keys = new Set<string>();
  /** How many records are to be sent again. */
  size = 0;

  /** Whether it has to see the records of a request that was answered with a code. */
  wants(code: number): boolean {
    return REFUSALS.has(code) || (code === 0 && this.#keys.size > 0);
  }

  /** Takes what is to be sent again of a request; returns the others, whose fate is known. */
  take(records: readonly AnsweredRecord[]): readonly AnsweredRecord[] {
    if (records[0]?.code === 0) return this.#takeEarly(records);
    if (records.length <= 1) return records;
    const innocent = records.filter(({ code }) => code === ErrorCode.INVALID_DIFFERENT_RECORD);
    if (innocent.length > 0 && innocent.length < records.length) {
      this.#return(innocent);
      return records.filter(({ code }) => code !== ErrorCode.INVALID_DIFFERENT_RECORD);
    }
    const middle = records.length >> 1;
    this.#return(records.slice(0, middle));
    this.#return(records.slice(middle));
    return [];
  }

  /** Those that were written before a record of their key that was refused. */
  #takeEarly(records: readonly AnsweredRecord[]): readonly AnsweredRecord[] {
    const isEarly = (record: AnsweredRecord) => this.#keys.has(keyOf(record) ?? "");
    const early = records.filter(isEarly);
    if (early.length === 0) return records;
    this.#return(early);
    return records.filter((record) => !isEarly(record));
  }

  #return(group: AnsweredRecord[]): void {
    this.#returned.push(group);
    this.size += group.length;
    for (const record of group) {
      const key = keyOf(record);
      if (key !== undefined) this.#keys.add(key);
    }
  }

  /** The next group. Everything that was sent before must have been answered. */
  next(): readonly AnsweredRecord[] {
    if (this.#returned.length > 0) this.#groups = [...this.#returned, ...this.#groups];
    this.#returned = [];
    this.#keys.clear();
    const group = this.#groups.shift() ?? [];
    this.size -= group.length;
    return group;
  }

  /** All that is left; none of it is sent again. */
  drop(): readonly AnsweredRecord[] {
    const left = [...this.#returned, ...this.#groups].flat();
    this.#groups = [];
    this.#returned = [];
    this.#keys.clear();
    this.size = 0;
    return left;
  }
}

/** A partition and a key as text; `undefined` for a record without a key. */
function keyOf({ partition, key }: AnsweredRecord): string | undefined {
  if (key === null || key.length === 0) return undefined;
  return `${partition}:${Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1")}`;
}

/** The account of a record that is sent again: it passes on to the first one. */
export class ResentAccount implements ReportTarget {
  readonly recordNumber: number;
  readonly #account: ReportTarget;

  /** The account of a record; its own when it was sent again before. */
  static of({ target: account, recordNumber }: AnsweredRecord): ReportTarget {
    return account instanceof ResentAccount ? account : new ResentAccount(account, recordNumber);
  }

  private constructor(account: ReportTarget, recordNumber: number) {
    this.#account = account;
    this.recordNumber = recordNumber;
  }

  reported(code: number, partition: number, offset: number, recordNumber: number, record?: RecordBytes): void {
    this.#account.reported(code, partition, offset, recordNumber, record);
  }
}
