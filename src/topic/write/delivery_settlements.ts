/**
 * Which records of each delivery have settled: what a `TopicSink` answers `settle()` from.
 *
 * @module
 */

import { type RecordBytes, RECORDS_PER_TARGET, type ReportTarget } from "../../kafka/port.ts";
import type { KafkaError } from "../../kafka/kafka_error.ts";
import type { Delivery } from "../../protocol/protocol.ts";
import { Settlement } from "../../protocol/settlement.ts";
import { undeliveredRecord } from "./record_errors.ts";
import type { RecordTracker } from "./record_tracker.ts";

/** The settlements of one sink, by delivery. They live as long as their deliveries do. */
export class DeliverySettlements {
  readonly #settlements = new WeakMap<Delivery, DeliverySettlement>();
  /** Those with records that have not settled. */
  readonly #pending = new Set<DeliverySettlement>();
  // Successive records mostly belong to one delivery, so most look-ups end here.
  #lastDelivery: Delivery | undefined;
  #last: DeliverySettlement | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  /** The settlement of a delivery; made when there is none. */
  of(delivery: Delivery): DeliverySettlement {
    if (delivery === this.#lastDelivery) return this.#last!;
    let settlement = this.#settlements.get(delivery);
    if (settlement === undefined) {
      this.#settlements.set(delivery, settlement = new DeliverySettlement(delivery, this.#pending, this));
    }
    this.#lastDelivery = delivery;
    return this.#last = settlement;
  }

  /** Resolves when the records of a delivery have settled; rejects if one of them can't be delivered. */
  settle(delivery: Delivery): void | Promise<void> {
    return this.#settlements.get(delivery)?.outcome();
  }

  /** How many records have not settled. */
  get pending(): number {
    let sum = 0;
    for (const settlement of this.#pending) sum += settlement.pending;
    return sum;
  }

  /** Resolves when every record has settled, or is abandoned. */
  allSettled(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return (this.#waiting ??= Promise.withResolvers()).promise;
  }

  /** Abandons the records that have not settled: `settle()` of their deliveries rejects. */
  abandon(error: unknown): void {
    for (const settlement of [...this.#pending]) settlement.abandon(error);
  }

  /** All records of a delivery have settled. */
  onSettled(settlement: DeliverySettlement): void {
    this.#pending.delete(settlement);
    if (this.#pending.size > 0) return;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}

/** The settlement of one delivery. */
export class DeliverySettlement extends Settlement {
  readonly delivery: Delivery;
  readonly #allPending: Set<DeliverySettlement>;
  readonly #all: DeliverySettlements;
  #numbered: NumberedRecords | undefined;
  /** How many records have not settled. */
  pending = 0;
  /** How many of them have failed, and wait for their delivery's `undelivered()`. */
  #failing = 0;
  isAbandoned = false;

  constructor(delivery: Delivery, allPending: Set<DeliverySettlement>, all: DeliverySettlements) {
    super(delivery);
    this.delivery = delivery;
    this.#allPending = allPending;
    this.#all = all;
  }

  /** Returns the report target of the next record. */
  numbered(tracker: RecordTracker): NumberedRecords {
    const last = this.#numbered;
    if (last !== undefined && last.tracker === tracker && last.recordNumber < RECORDS_PER_TARGET) return last;
    return this.#numbered = new NumberedRecords(this, tracker);
  }

  override accepted(): void {
    if (this.pending++ === 0) this.#allPending.add(this);
    super.accepted();
  }

  override settled(failure?: { readonly error: unknown }): void {
    if (this.isAbandoned) return;
    const isLast = --this.pending === 0;
    super.settled(failure);
    if (isLast) this.#all.onSettled(this);
  }

  /** A record was not delivered: the delivery decides whether it counts as settled or as failed. */
  override async undelivered(error: KafkaError, message: unknown): Promise<void> {
    this.#failing++;
    try {
      await this.delivery.undelivered(error, message);
      this.settled();
    } catch (error) {
      this.settled({ error });
    }
    // In the same turn as `settled()`: `abandon()` compares the two counts.
    this.#failing--;
  }

  /** Counts the records that have not settled as failed, and ignores what becomes of them. None of them may be queued. */
  abandon(error: unknown): void {
    this.#numbered?.tracker.abandon(this.pending - this.#failing);
    for (; this.pending > 0; this.pending--) super.settled({ error });
    this.isAbandoned = true;
    this.#all.onSettled(this);
  }
}

/** Records of a delivery, distinguished by numbers: an object for each would cost more than all else. */
export class NumberedRecords implements ReportTarget {
  readonly tracker: RecordTracker;
  readonly #settlement: DeliverySettlement;
  /** The message that each record was made of, by number. */
  readonly #messages: unknown[] = [];
  /** The number of the record that is produced next. */
  recordNumber = 0;

  constructor(settlement: DeliverySettlement, tracker: RecordTracker) {
    this.#settlement = settlement;
    this.tracker = tracker;
  }

  /** The record with the number was produced; it was made of a message. */
  add(message: unknown): void {
    this.recordNumber = this.#messages.push(message);
  }

  reported(code: number, partition: number, _offset: number, number: number, record?: RecordBytes): void {
    const settlement = this.#settlement;
    if (settlement.isAbandoned) this.tracker.abandon(-1);
    else if (code === 0) settlement.settled();
    else {
      const error = this.tracker.deliveryError(code, undeliveredRecord(partition, record));
      void settlement.undelivered(error, this.#messages[number]);
    }
    this.tracker.landed();
  }
}
