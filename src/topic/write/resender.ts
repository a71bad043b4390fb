/**
 * Sends refused records again.
 *
 * @module
 */

import { type AnsweredRecord, ErrorCode, type PortProducer } from "../../kafka/port.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { ResendQueue, ResentRecord } from "./resend_queue.ts";

/** How long librdkafka is asked to send at once, instead of waiting for `linger.ms`, in milliseconds. */
const FLUSH_MS = 30_000;

/** What a `Resender` needs of its producer. */
export interface ResenderParts {
  readonly topic: string;
  /** Returns the client, while records can be produced. */
  producer(): PortProducer | undefined;
  /** Returns how many records are in flight, those that wait to be sent again included. */
  inFlight(): number;
  /** A group was sent. */
  onSent(): void;
  /** The last group was answered: new records may be produced again. */
  onDone(): void;
  /** The client has had a fatal error. */
  onFatal(error: unknown): void;
}

/**
 * Sends refused records again, group by group: each when all records before it have been answered. Nothing new may be
 * produced while it is active.
 */
export class Resender {
  readonly #parts: ResenderParts;
  readonly #queue = new ResendQueue();
  /** The records of the current group that the client had no room for yet. */
  #group: readonly AnsweredRecord[] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isActive = false;

  constructor(parts: ResenderParts) {
    this.#parts = parts;
  }

  /** Whether records are being sent again. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** How many records wait to be sent again. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether `onAnswered()` needs to see the records of a request that was answered with a code. */
  wants(code: number): boolean {
    return this.#queue.wants(code);
  }

  /** Keeps the records of an answered request that are to be sent again, and reports the others. */
  onAnswered(records: readonly AnsweredRecord[]): void {
    const final = this.#queue.take(records);
    if (this.#queue.size > 0 && !this.#isActive) {
      this.#isActive = true;
      // What waits for linger.ms goes at once.
      void this.#parts.producer()?.flush(FLUSH_MS);
    }
    report(final);
  }

  /** Sends the next group, if everything before it was answered. After the last group, it is not active any more. */
  next(): void {
    if (!this.#isActive || this.#group.length > 0 || this.#parts.inFlight() > this.#queue.size) return;
    if (this.#queue.size > 0) {
      this.#group = this.#queue.next();
      return this.#sendGroup();
    }
    this.#isActive = false;
    this.#parts.onDone();
  }

  #sendGroup(): void {
    const group = this.#group, producer = this.#parts.producer();
    if (producer === undefined) return;
    for (const [index, record] of group.entries()) {
      const { partition, key, value, timestamp, headers } = record;
      try {
        producer.produce(this.#parts.topic, partition, value, key, timestamp, ResentRecord.of(record), headers);
      } catch (error) {
        const code = KafkaError.codeOf(error) ?? record.code;
        if (code === ErrorCode.QUEUE_FULL || code === ErrorCode.FATAL) {
          if (code === ErrorCode.FATAL) this.#parts.onFatal(error);
          this.#group = group.slice(index);
          this.#retry = setTimeout(() => this.#sendGroup(), 1);
          return;
        }
        report([{ ...record, code }]);
      }
    }
    this.#group = [];
    void producer.flush(FLUSH_MS);
    this.#parts.onSent();
  }

  /** Sends nothing again: the records fail with the code with which they were refused. */
  stop(): void {
    clearTimeout(this.#retry);
    const records = [...this.#group, ...this.#queue.clear()];
    this.#group = [];
    this.#isActive = false;
    report(records);
  }
}

/** Reports each record of an answered request to its target. */
export function report(records: readonly AnsweredRecord[]): void {
  for (const record of records) {
    record.target.reported(record.code, record.partition, record.offset, record.recordNumber, record);
  }
}
