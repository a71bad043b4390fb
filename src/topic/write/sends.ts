/**
 * Who waits for the reports of records that are sent.
 *
 * @module
 */

import { type RecordBytes, RECORDS_PER_TARGET, type ReportTarget } from "../../kafka/port.ts";
import { aboutOf, type Way } from "./deliveries.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { DeliveryReport } from "./topic_record.ts";

type Resolve = (report: DeliveryReport) => void;
type Reject = (error: unknown) => void;

// One function for all promises: a closure for each would be the collector's to take away.
let takenResolve: Resolve, takenReject: Reject;
const take = (resolve: Resolve, reject: Reject): void => {
  takenResolve = resolve;
  takenReject = reject;
};

/** Many calls of `send()`, told apart by numbers: an object for each would cost more than the rest. */
export class Sends implements ReportTarget {
  readonly #topic: string;
  readonly #way: Way;
  readonly #resolve: (Resolve | undefined)[] = [];
  readonly #reject: (Reject | undefined)[] = [];
  readonly #records: unknown[] = [];
  /** The number of the record that is produced next. */
  recordNumber = 0;

  constructor(topic: string, way: Way) {
    this.#topic = topic;
    this.#way = way;
  }

  /** Whether there is a number for another record. */
  get hasRoom(): boolean {
    return this.#records.length < RECORDS_PER_TARGET;
  }

  /** Gives a record a number, and makes it that of the record that is produced next. Resolves with its report. */
  add(record: unknown): Promise<DeliveryReport> {
    const report = new Promise<DeliveryReport>(take);
    this.#resolve.push(takenResolve);
    this.#reject.push(takenReject);
    this.recordNumber = this.#records.push(record) - 1;
    return report;
  }

  reported(code: number, partition: number, offset: number, number: number, record?: RecordBytes): void {
    if (code === 0) this.#resolve[number]!({ topic: this.#topic, partition, offset });
    else this.#reject[number]!(this.#way.failure(code, aboutOf(partition, record, this.#records[number])));
    this.#forget(number);
    this.#way.landed();
  }

  /** A record is not produced. */
  refused(number: number, error: unknown): void {
    this.#reject[number]!(error);
    this.#forget(number);
  }

  /** Other records of the account may be on their way for long. */
  #forget(number: number): void {
    this.#resolve[number] = this.#reject[number] = this.#records[number] = undefined;
  }
}

/** One call of `sendBatch()`. */
export class SendBatch {
  /** Resolves with the reports, in the order of the records; rejects with all that failed. */
  readonly reports: Promise<DeliveryReport[]>;
  readonly #inputs: readonly unknown[];
  readonly #parts: BatchPart[] = [];
  readonly #topic: string;
  readonly #way: Way;
  readonly #delivered: DeliveryReport[];
  readonly #failed = new Map<number, unknown>();
  readonly #outcome = Promise.withResolvers<DeliveryReport[]>();
  #left: number;

  constructor(topic: string, way: Way, inputs: readonly unknown[]) {
    this.#topic = topic;
    this.#way = way;
    this.#inputs = inputs;
    this.#left = inputs.length;
    this.#delivered = new Array(inputs.length);
    this.reports = this.#outcome.promise;
    if (inputs.length === 0) this.#outcome.resolve([]);
  }

  /** What a record is produced with. */
  accountOf(index: number): ReportTarget {
    const number = index % RECORDS_PER_TARGET, first = index - number;
    const part = this.#parts[first / RECORDS_PER_TARGET] ??= new BatchPart(this, this.#way, first);
    part.recordNumber = number;
    return part;
  }

  /** A record is delivered. */
  delivered(index: number, partition: number, offset: number): void {
    this.#delivered[index] = { topic: this.#topic, partition, offset };
    if (--this.#left === 0) this.#answer();
  }

  /** A record is not delivered. */
  failed(index: number, error: unknown): void {
    this.#failed.set(index, error);
    if (--this.#left === 0) this.#answer();
  }

  /** No record from an index on is delivered. */
  failedFrom(index: number, error: unknown): void {
    for (let i = index; i < this.#inputs.length; i++) this.failed(i, error);
  }

  /** None of the records is written. */
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

/** As many records of a batch as there are numbers. */
class BatchPart implements ReportTarget {
  readonly #batch: SendBatch;
  readonly #way: Way;
  readonly #first: number;
  recordNumber = 0;

  constructor(batch: SendBatch, way: Way, first: number) {
    this.#batch = batch;
    this.#way = way;
    this.#first = first;
  }

  reported(code: number, partition: number, offset: number, number: number, record?: RecordBytes): void {
    if (code === 0) this.#batch.delivered(this.#first + number, partition, offset);
    else this.#batch.failed(this.#first + number, this.#way.failure(code, aboutOf(partition, record)));
    this.#way.landed();
  }
}
