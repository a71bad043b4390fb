/**
 * Calls of `send()` and `sendBatch()` whose records are queued.
 *
 * @module
 */

import type { ReportTarget } from "../../kafka/port.ts";
import { copyOf } from "./encoder.ts";
import type { Bytes, EncodedRecord } from "./encoded_record.ts";
import type { SendBatchCall, SendCalls } from "./send_calls.ts";
import type { QueuedRecords } from "./send_queue.ts";
import type { SharedProducer } from "./shared_producer.ts";
import type { TopicRecord } from "./topic_record.ts";

/** A call of `send()`. */
export class QueuedSend implements QueuedRecords {
  readonly owner = this;
  records: readonly EncodedRecord[] | undefined;
  readonly #calls: SendCalls;
  readonly #number: number;
  #isOver = false;

  constructor(
    calls: SendCalls,
    number: number,
    producer: SharedProducer,
    record: TopicRecord<unknown, unknown>,
    key: Bytes | null | Promise<Bytes>,
    value: Bytes | null | Promise<Bytes>,
  ) {
    this.#calls = calls;
    this.#number = number;
    const encoded = [copyOf(key), copyOf(value)];
    const setRecord = ([key, value]: unknown[]) => {
      this.records = [{ record, key: key as Bytes | null, value: value as Bytes | null }];
    };
    if (encoded.some((bytes) => bytes instanceof Promise)) {
      Promise.all(encoded).then(setRecord, (error) => this.refused(0, error)).then(() => producer.move());
    } else setRecord(encoded);
  }

  targetOf(): ReportTarget {
    this.#calls.recordNumber = this.#number;
    return this.#calls;
  }

  produced(): void {
    this.#isOver = true;
  }

  refused(_index: number, error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.records = [];
    this.#calls.refused(this.#number, error);
  }

  dropped(index: number, error: unknown): void {
    this.refused(index, error);
  }
}

/** The records from an index on of a call of `sendBatch()`. */
export class QueuedBatch implements QueuedRecords {
  readonly owner = this;
  records: readonly EncodedRecord[] | undefined;
  readonly #batch: SendBatchCall;
  readonly #from: number;

  constructor(
    batch: SendBatchCall,
    from: number,
    producer: SharedProducer,
    encoded: readonly EncodedRecord[] | Promise<EncodedRecord[]>,
  ) {
    this.#batch = batch;
    this.#from = from;
    if (encoded instanceof Promise) {
      encoded.then((records) => this.records = records, (error) => {
        this.records = [];
        batch.fail(error);
      }).then(() => producer.move());
    } else this.records = encoded;
  }

  targetOf(index: number): ReportTarget {
    return this.#batch.targetOf(this.#from + index);
  }

  produced(): void {}

  refused(index: number, error: unknown): void {
    this.#batch.failed(this.#from + index, error);
  }

  dropped(index: number, error: unknown): void {
    this.#batch.failedFrom(this.#from + index, error);
  }
}
