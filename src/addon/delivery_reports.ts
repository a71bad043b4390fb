/**
 * Delivery reports of a producer: from librdkafka's events to the program's callback.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { CallbackQueue, CALLBACKS_PER_FETCH } from "./callback_queue.ts";
import type { Caller } from "./client_handle.ts";
import { EVENT } from "./events.ts";
import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";
import type { NativeHeader } from "../ffi/message_headers.ts";
import { type NativeReport, ReportReader } from "../ffi/report_reader.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { MESSAGES_PER_VALUE, OpaqueValues } from "../ffi/opaque_values.ts";

/**
 * `delivery_cb`, called with the report of each record.
 *
 * With `outcomesOnly`, that is called instead, and no report object is made, which is most of a report's cost. Its
 * `number` is the property `recordNumber` that the opaque had when the record was produced: from 0, below `MESSAGES_PER_VALUE`.
 */
export interface DeliveryCallback {
  (code: number | null, report: NativeReport): void;
  /** Whether reports carry the payload; the npm client sets it. */
  dr_msg_cb?: boolean;
  outcomesOnly?: (code: number, opaque: unknown, partition: number, offset: number, number: number) => void;
  /** With `outcomesOnly`: receives the records of some produce requests, instead of `outcomesOnly`. */
  requests?: ProduceRequestListener;
}

/** Receives the records of a whole produce request. */
export interface ProduceRequestListener {
  /** Whether to receive the records of a request that the broker has answered with `code`. */
  wantsRequest(code: number): boolean;
  /** Receives the records of one request, in their order, with everything that they were produced with. */
  onRequest(records: readonly ReportedRecord[]): void;
}

/** A record that was produced, and its outcome. */
export interface ReportedRecord {
  /** librdkafka's code; 0 when the record was delivered. */
  readonly code: number;
  readonly opaque: unknown;
  readonly number: number;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: number;
  readonly headers?: readonly NativeHeader[];
}

/** What `DeliveryReports` needs of its producer. */
export interface ProducerAccess {
  readonly callback: () => DeliveryCallback | undefined;
  /** Takes the next event of a queue. */
  readonly nextEvent: (queue: Pointer, caller: Caller) => Pointer;
  /** Passes an event that is not a delivery report to `event_cb`. */
  readonly emitEvent: (type: number, event: Pointer, caller: Caller) => void;
  /** Whether reports are served although the program does not poll. */
  readonly servesByItself: () => boolean;
}

/** The delivery reports of one producer. */
export class DeliveryReports {
  readonly #producer: ProducerAccess;
  readonly #opaques = new OpaqueValues();
  readonly #calls: CallbackQueue;
  #reader = new ReportReader();
  #queue: Pointer = null;
  /** The event whose reports are being taken; it holds those of one produce request. */
  #event: Pointer = null;

  constructor(producer: ProducerAccess) {
    this.#producer = producer;
    this.#calls = new CallbackQueue(() => this.fetch(), producer.servesByItself);
  }

  /** Reads reports from the queue of a new handle, which may have other topics at the old addresses. */
  open(queue: Pointer): void {
    this.#reader = new ReportReader();
    this.#queue = queue;
  }

  /** Drops the opaques of all records. */
  close(): void {
    this.#queue = null;
    this.#opaques.clear();
  }

  /** Keeps the opaque of a record that is to be produced; returns the number that stands for it in C, 0 for none. */
  keep(opaque: unknown): number {
    const callback = this.#producer.callback();
    if (opaque === undefined || callback === undefined) return 0;
    // A program's own opaque may have a property `recordNumber`, too: it is read only where ours are known to come.
    if (callback.outcomesOnly === undefined) return this.#opaques.put(opaque);
    return this.#opaques.put(opaque, (opaque as { recordNumber?: number }).recordNumber);
  }

  /** Drops the opaque of a record that librdkafka has refused: there will be no report. */
  drop(id: number): void {
    if (id !== 0) this.#opaques.take(id);
  }

  /** Calls back for what is there, if the producer serves its reports by itself. */
  serve(): void {
    if (this.#producer.servesByItself()) this.#calls.runNow();
  }

  /** Calls back soon for everything that was fetched. */
  serveSoon(): void {
    this.#calls.runSoon();
  }

  /** Fetches all reports that are there, and resolves when the program has received them. */
  serveAll(): Promise<void> {
    return this.#calls.runAll();
  }

  /** Fetches up to `CALLBACKS_PER_FETCH` reports, or one other event; returns whether there was anything. */
  fetch(): boolean {
    const { symbols } = openLibrary(), { add } = this.#calls;
    const event = this.#event ?? (this.#queue === null ? null : this.#producer.nextEvent(this.#queue, add));
    if (event === null) return false;
    const type = symbols.rd_kafka_event_type(event);
    if (type !== EVENT.DR) this.#producer.emitEvent(type, event, add);
    this.#event = type === EVENT.DR && this.#takeReports(event) ? event : null;
    if (this.#event === null) symbols.rd_kafka_event_destroy(event);
    return true;
  }

  /** Takes reports of an event; returns whether there may be more in it. */
  #takeReports(event: Pointer): boolean {
    const callback = this.#producer.callback();
    if (callback?.outcomesOnly !== undefined) {
      this.#takeOutcomes(event, callback.outcomesOnly, callback.requests);
      return false;
    }
    const opaqueOf = (id: number) => this.#opaques.take(id), withPayload = callback?.dr_msg_cb === true;
    const count = this.#reader.takeReports(event, CALLBACKS_PER_FETCH, withPayload, opaqueOf, (code, report) => {
      if (callback === undefined) return;
      this.#calls.add(() => callback(code === ErrorCode.NO_ERROR ? null : code, report));
    });
    return count === CALLBACKS_PER_FETCH;
  }

  #takeOutcomes(
    event: Pointer,
    outcomesOnly: NonNullable<DeliveryCallback["outcomesOnly"]>,
    requests: ProduceRequestListener | undefined,
  ): void {
    if (requests?.wantsRequest(openLibrary().symbols.rd_kafka_event_error(event)) === true) {
      const records = this.#reader.takeRecords(event).map(({ opaqueId, topic: _, size: __, ...record }) => ({
        ...record,
        opaque: this.#opaques.take(opaqueId),
        number: opaqueId % MESSAGES_PER_VALUE,
      }));
      requests.onRequest(records);
      return;
    }
    this.#reader.takeOutcomes(event, (code, id, partition, offset) => {
      outcomesOnly(code, this.#opaques.take(id), partition, offset, id % MESSAGES_PER_VALUE);
    });
  }
}
