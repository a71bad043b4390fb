/**
 * Records that wait to be produced, in order.
 *
 * @module
 */

import type { ReportTarget } from "../../kafka/port.ts";
import type { EncodedRecord } from "./encoded_record.ts";

/** Records of one call that wait together: for a connection, for room, for records before them, or for their codecs. */
export interface QueuedRecords {
  /** Whose records they are: `SharedProducer.withdraw` removes all records of an owner. */
  readonly owner: object;
  /** The records in order; `undefined` while their codecs work. */
  records: readonly EncodedRecord[] | undefined;
  /** Returns what receives the report of a record. Called again for a record that there was no room for. */
  targetOf(index: number): ReportTarget;
  /** A record was produced. */
  produced(index: number): void;
  /** A record can't be produced. */
  refused(index: number, error: unknown): void;
  /** The records from an index on are not produced: the producer has failed or ended, or their owner withdraws them. */
  dropped(index: number, error: unknown): void;
}

/** The records that wait, in the order of the calls. */
export class SendQueue {
  #entries: (QueuedRecords | undefined)[] = [];
  /** The index of the first entry: `shift()` of a long array would move all others each time. */
  #first = 0;
  /** The index of the next record to produce, in the first entry. */
  nextRecord = 0;

  /** How many entries wait. */
  get length(): number {
    return this.#entries.length - this.#first;
  }

  /** How many records wait; those of an entry that is being encoded count as one. */
  get records(): number {
    let sum = -this.nextRecord;
    for (let i = this.#first; i < this.#entries.length; i++) sum += this.#entries[i]!.records?.length ?? 1;
    return sum;
  }

  /** The first entry. */
  get head(): QueuedRecords | undefined {
    return this.#entries[this.#first];
  }

  /** Adds an entry at the end. */
  push(entry: QueuedRecords): void {
    this.#entries.push(entry);
  }

  /** Removes the first entry, whose records were all produced or refused. */
  shift(): void {
    this.#entries[this.#first++] = undefined;
    this.nextRecord = 0;
    if (this.length > 0) return;
    this.#entries = [];
    this.#first = 0;
  }

  /**
   * Removes entries, whose records are not produced.
   *
   * @param isDropped whether an entry is removed; when left out, all are
   */
  drop(error: unknown, isDropped: (entry: QueuedRecords) => boolean = () => true): void {
    const entries = this.#entries.slice(this.#first).filter((entry) => entry !== undefined);
    const { nextRecord } = this;
    this.#entries = entries.filter((entry) => !isDropped(entry));
    this.#first = 0;
    if (entries.length > 0 && isDropped(entries[0]!)) this.nextRecord = 0;
    entries.forEach((entry, index) => {
      if (isDropped(entry)) entry.dropped(index === 0 ? nextRecord : 0, error);
    });
  }
}
