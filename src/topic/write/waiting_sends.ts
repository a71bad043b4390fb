/**
 * Sends that wait for their turn.
 *
 * @module
 */

import type { ReportTarget } from "../../kafka/port.ts";
import { type Bytes, type Encoded, kept } from "./encoder.ts";
import type { TopicRecord } from "./topic_record.ts";
import type { Waiting } from "./line.ts";
import type { ProducerLink } from "./producer_link.ts";
import type { SendBatch, Sends } from "./sends.ts";

/** A call of `send()` that waits. */
export class WaitingSend implements Waiting {
  readonly owner = this;
  records: readonly Encoded[] | undefined;
  readonly #sends: Sends;
  readonly #number: number;
  #isOver = false;

  constructor(
    sends: Sends,
    number: number,
    link: ProducerLink,
    record: TopicRecord<unknown, unknown>,
    key: Bytes | null | Promise<Bytes>,
    value: Bytes | null | Promise<Bytes>,
  ) {
    this.#sends = sends;
    this.#number = number;
    const encoded = [kept(key), kept(value)];
    const take = ([key, value]: unknown[]) => {
      this.records = [{ record, key: key as Bytes | null, value: value as Bytes | null }];
    };
    if (encoded.some((one) => one instanceof Promise)) {
      Promise.all(encoded).then(take, (error) => this.refused(0, error)).then(() => link.move());
    } else take(encoded);
  }

  accountOf(): ReportTarget {
    this.#sends.recordNumber = this.#number;
    return this.#sends;
  }

  produced(): void {
    this.#isOver = true;
  }

  refused(_index: number, error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.records = [];
    this.#sends.refused(this.#number, error);
  }

  dropped(index: number, error: unknown): void {
    this.refused(index, error);
  }
}

/** A call of `sendBatch()` that waits, with its records from one on. */
export class WaitingBatch implements Waiting {
  readonly owner = this;
  records: readonly Encoded[] | undefined;
  readonly #batch: SendBatch;
  readonly #from: number;

  constructor(batch: SendBatch, from: number, link: ProducerLink, encoded: readonly Encoded[] | Promise<Encoded[]>) {
    this.#batch = batch;
    this.#from = from;
    if (encoded instanceof Promise) {
      encoded.then((records) => this.records = records, (error) => {
        this.records = [];
        batch.fail(error);
      }).then(() => link.move());
    } else this.records = encoded;
  }

  accountOf(index: number): ReportTarget {
    return this.#batch.accountOf(this.#from + index);
  }

  produced(): void {}

  refused(index: number, error: unknown): void {
    this.#batch.failed(this.#from + index, error);
  }

  dropped(index: number, error: unknown): void {
    this.#batch.failedFrom(this.#from + index, error);
  }
}
