/**
 * What a Topic owes to those on whose behalf it writes.
 *
 * @module
 */

import { type RecordBytes, RECORDS_PER_TARGET, type ReportTarget } from "../../kafka/port.ts";
import type { Delivery } from "../../stream/protocol.ts";
import { Settlement } from "../../stream/settlement.ts";
import type { KafkaError } from "../../kafka/kafka_error.ts";
import type { About } from "./undelivered.ts";

/** The client that records are on their way through, as far as their accounts know it. */
export interface Way {
  /** One record less is on its way. */
  landed(): void;
  /** Nobody waits any more for so many of the records on their way; negative when some of them have landed. */
  disown(records: number): void;
  /** The error of a record that was not delivered. */
  failure(code: number, about: About): KafkaError;
}

/** The accounts of one user of a Topic, by delivery. They live as long as their deliveries do. */
export class DeliveryAccounts {
  readonly #accounts = new WeakMap<Delivery, DeliveryRecords>();
  /** Those with records that have not settled. */
  readonly #pending = new Set<DeliveryRecords>();
  // Values come in runs of one delivery: most look-ups end here.
  #lastDelivery: Delivery | undefined;
  #last: DeliveryRecords | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  /** The account of a delivery; made when there is none. */
  of(delivery: Delivery): DeliveryRecords {
    if (delivery === this.#lastDelivery) return this.#last!;
    let account = this.#accounts.get(delivery);
    if (account === undefined) {
      this.#accounts.set(delivery, account = new DeliveryRecords(delivery, this.#pending, this));
    }
    this.#lastDelivery = delivery;
    return this.#last = account;
  }

  /** Resolves when the records of a delivery have settled; rejects if one of them can't be delivered. */
  settle(delivery: Delivery): void | Promise<void> {
    return this.#accounts.get(delivery)?.outcome();
  }

  /** How many records have not settled. */
  get pending(): number {
    let sum = 0;
    for (const account of this.#pending) sum += account.pending;
    return sum;
  }

  /** Resolves when every record has settled, or is given up. */
  settled(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return (this.#waiting ??= Promise.withResolvers()).promise;
  }

  /** Waits for nothing any more: the settlement of each delivery with records that have not settled rejects. */
  giveUp(error: unknown): void {
    for (const account of [...this.#pending]) account.giveUp(error);
  }

  /** An account has no record any more that has not settled. */
  over(account: DeliveryRecords): void {
    this.#pending.delete(account);
    if (this.#pending.size > 0) return;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}

/** The account of one delivery. */
export class DeliveryRecords extends Settlement {
  readonly delivery: Delivery;
  readonly #all: Set<DeliveryRecords>;
  readonly #accounts: DeliveryAccounts;
  #numbered: NumberedRecords | undefined;
  /** How many records have not settled. */
  pending = 0;
  /** How many of them failed, and their delivery is being told. */
  #telling = 0;
  isGivenUp = false;

  constructor(delivery: Delivery, all: Set<DeliveryRecords>, accounts: DeliveryAccounts) {
    super(delivery);
    this.delivery = delivery;
    this.#all = all;
    this.#accounts = accounts;
  }

  /** What the next record is produced with. */
  numbered(way: Way): NumberedRecords {
    const last = this.#numbered;
    if (last !== undefined && last.way === way && last.recordNumber < RECORDS_PER_TARGET) return last;
    return this.#numbered = new NumberedRecords(this, way);
  }

  override accepted(): void {
    if (this.pending++ === 0) this.#all.add(this);
    super.accepted();
  }

  override settled(failure?: { readonly error: unknown }): void {
    if (this.isGivenUp) return;
    const isLast = --this.pending === 0;
    super.settled(failure);
    if (isLast) this.#accounts.over(this);
  }

  /** A record was not delivered. */
  override async undelivered(error: KafkaError, message: unknown): Promise<void> {
    this.#telling++;
    try {
      await this.delivery.undelivered(error, message);
      this.settled();
    } catch (error) {
      this.settled({ error });
    }
    // In the same turn as `settled()`: `giveUp()` compares the two counts.
    this.#telling--;
  }

  /** Records that have not settled count as failed; what becomes of them is nobody's any more. None waits in line. */
  giveUp(error: unknown): void {
    this.#numbered?.way.disown(this.pending - this.#telling);
    for (; this.pending > 0; this.pending--) super.settled({ error });
    this.isGivenUp = true;
    this.#accounts.over(this);
  }
}

/** Records of a delivery, told apart by numbers: an object for each would cost more than all else. */
export class NumberedRecords implements ReportTarget {
  readonly way: Way;
  readonly #account: DeliveryRecords;
  readonly #messages: unknown[] = [];
  /** The number of the record that is produced next. */
  recordNumber = 0;

  constructor(account: DeliveryRecords, way: Way) {
    this.#account = account;
    this.way = way;
  }

  /** The record with the number is produced; it was made of a message. */
  add(message: unknown): void {
    this.recordNumber = this.#messages.push(message);
  }

  reported(code: number, partition: number, _offset: number, number: number, record?: RecordBytes): void {
    const account = this.#account;
    if (account.isGivenUp) this.way.disown(-1);
    else if (code === 0) account.settled();
    else void account.undelivered(this.way.failure(code, aboutOf(partition, record)), this.#messages[number]);
    this.way.landed();
  }
}

/** What a report says of a record that was not delivered. */
export function aboutOf(partition: number, bytes: RecordBytes | undefined, record?: unknown): About {
  return {
    partition,
    ...bytes !== undefined && { key: bytes.key, value: bytes.value },
    ...record !== undefined && { record },
  };
}
