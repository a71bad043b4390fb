/**
 * Calls of `send()` and `sendBatch()` that wait for their delivery reports.
 *
 * @module
 */

import { type RecordBytes, RECORDS_PER_TARGET, type ReportTarget } from "../../kafka/port.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { undeliveredRecord } from "./record_errors.ts";
import type { RecordTracker } from "./record_tracker.ts";
import type { DeliveryReport } from "./topic_record.ts";

type Resolve = (report: DeliveryReport) => void;
type Reject = (error: unknown) => void;

// One executor for all promises: a closure for each would be garbage.
let takenResolve: Resolve, takenReject: Reject;
const takeFunctions = (resolve: Resolve, reject: Reject): void => {
  takenResolve = resolve;
  takenReject = reject;
};

/** Many calls of `send()`, distinguished by numbers: an object for each would cost more than all else. */
export class SendCalls implements ReportTarget {
  readonly #topic: string;
  readonly #tracker: RecordTracker;
  readonly #resolve: (Resolve | undefined)[] = [];
  readonly #reject: (Reject | undefined)[] = [];
  readonly #inputs: unknown[] = [];
  /** The number of the record that is produced next. */
  recordNumber = 0;

  constructor(topic: string, tracker: RecordTracker) {
    this.#topic = topic;
    this.#tracker = tracker;
  }

  /** Whether there is a number for another call. */
  get hasRoom(): boolean {
    return this.#inputs.length < RECORDS_PER_TARGET;
  }

  /** Adds a call, and sets `recordNumber` to its number. Returns the promise of the call. */
  add(input: unknown): Promise<DeliveryReport> {
    const report = new Promise<DeliveryReport>(takeFunctions);
    this.#resolve.push(takenResolve);
    this.#reject.push(takenReject);
    this.recordNumber = this.#inputs.push(input) - 1;
    return report;
  }

  reported(code: number, partition: number, offset: number, number: number, record?: RecordBytes): void {
    if (code === 0) this.#resolve[number]!({ topic: this.#topic, partition, offset });
    else {
      const undelivered = undeliveredRecord(partition, record, this.#inputs[number]);
      this.#reject[number]!(this.#tracker.deliveryError(code, undelivered));
    }
    this.#forget(number);
    this.#tracker.landed();
  }

  /** Rejects a call whose record is not produced. */
  refused(number: number, error: unknown): void {
    this.#reject[number]!(error);
    this.#forget(number);
  }

  /** Frees what a call holds; the records of other calls may be in flight for long. */
  #forget(number: number): void {
    this.#resolve[number] = this.#reject[number] = this.#inputs[number] = undefined;
  }
}

/** One call of `sendBatch()`. */
export class SendBatchCall {
  /** Resolves with the reports in the order of the records; rejects with one error for all that failed. */
  readonly reports: Promise<DeliveryReport[]>;
  readonly #inputs: readonly unknown[];
  readonly #slices: BatchSlice[] = [];
  readonly #topic: string;
  readonly #tracker: RecordTracker;
  readonly #delivered: DeliveryReport[];
  readonly #failed = new Map<number, unknown>();
  readonly #outcome = Promise.withResolvers<DeliveryReport[]>();
  #pending: number;

  constructor(topic: string, tracker: RecordTracker, inputs: readonly unknown[]) {
    this.#topic = topic;
    this.#tracker = tracker;
    this.#inputs = inputs;
    this.#pending = inputs.length;
    this.#delivered = new Array(inputs.length);
    this.reports = this.#outcome.promise;
    if (inputs.length === 0) this.#outcome.resolve([]);
  }

  /** Returns the report target of a record. */
  targetOf(index: number): ReportTarget {
    const number = index % RECORDS_PER_TARGET, first = index - number;
    const slice = this.#slices[first / RECORDS_PER_TARGET] ??= new BatchSlice(this, this.#tracker, first);
    slice.recordNumber = number;
    return slice;
  }

  /** A record was delivered. */
  delivered(index: number, partition: number, offset: number): void {
    this.#delivered[index] = { topic: this.#topic, partition, offset };
    if (--this.#pending === 0) this.#answer();
  }

  /** A record was not delivered. */
  failed(index: number, error: unknown): void {
    this.#failed.set(index, error);
    if (--this.#pending === 0) this.#answer();
  }

  /** The records from an index on are not produced. */
  failedFrom(index: number, error: unknown): void {
    for (let i = index; i < this.#inputs.length; i++) this.failed(i, error);
  }

  /** None of the records is produced. */
  fail(error: unknown): void {
    this.#outcome.reject(error);
  }

  #answer(): void {
    if (this.#failed.size === 0) return this.#outcome.resolve(this.#delivered);
    const inOrder = [...this.#failed].sort(([a], [b]) => a - b);
    const cause = inOrder[0]![1];
    const { message, code, fatal } = cause as KafkaError;
    const all = this.#inputs.length;
    this.#outcome.reject(
      new KafkaError(all === 1 ? message : `${inOrder.length} of ${all}: ${message}`, {
        cause,
        ...(code === undefined ? {} : { code }),
        ...(fatal === true ? { fatal } : {}),
        records: inOrder.map(([index]) => this.#inputs[index]),
      }),
    );
  }
}

/** As many successive records of a batch as a report target has numbers. */
class BatchSlice implements ReportTarget {
  readonly #batch: SendBatchCall;
  readonly #tracker: RecordTracker;
  readonly #first: number;
  recordNumber = 0;

  constructor(batch: SendBatchCall, tracker: RecordTracker, first: number) {
    this.#batch = batch;
    this.#tracker = tracker;
    this.#first = first;
  }

  reported(code: number, partition: number, offset: number, number: number, record?: RecordBytes): void {
    const index = this.#first + number;
    if (code === 0) this.#batch.delivered(index, partition, offset);
    else this.#batch.failed(index, this.#tracker.deliveryError(code, undeliveredRecord(partition, record)));
    this.#tracker.landed();
  }
}
