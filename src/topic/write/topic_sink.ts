/**
 * One writer of a Topic: a handler, a dead letter policy or a `WritableStream`.
 *
 * @module
 */

import { settlesWithin } from "../../async/settles_within.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { ErrorCode } from "../../kafka/port.ts";
import type { Delivery, SinkWriter } from "../../protocol/protocol.ts";
import { type DeliverySettlement, DeliverySettlements, type NumberedRecords } from "./delivery_settlements.ts";
import { copyOf, type Encoder } from "./encoder.ts";
import type { Bytes, EncodedRecord } from "./encoded_record.ts";
import { toRecord } from "./record_input.ts";
import type { QueuedRecords } from "./send_queue.ts";
import type { SharedProducer } from "./shared_producer.ts";
import type { TopicInput, TopicRecord } from "./topic_record.ts";

/** What the sinks of a Topic share. */
export interface SinkParent<K, V> {
  readonly topic: string;
  readonly encoder: Encoder<K, V>;
  /**
   * Returns the producer that all sinks write through now.
   *
   * @throws {KafkaError} If the Topic is closed.
   */
  producer(): SharedProducer;
  /** A sink was closed. */
  onClosed(sink: TopicSink<K, V>): Promise<void>;
}

/** How long `close()` waits for records in flight, in milliseconds: without a reason, and with one. */
const FLUSH_MS = 30_000, ABANDON_MS = 500;

/** Writes records, and reports which of each delivery have settled. */
export class TopicSink<K, V> implements SinkWriter<TopicInput<K, V>> {
  readonly #parent: SinkParent<K, V>;
  readonly #encoder: Encoder<K, V>;
  readonly #settlements = new DeliverySettlements();
  /** Whether the producer stays connected until this sink is closed. */
  readonly keepsProducer: boolean;
  #producer: SharedProducer | undefined;
  /** Why no more records are accepted. */
  #refusal: KafkaError | undefined;
  #closing: Promise<void> | undefined;

  constructor(parent: SinkParent<K, V>, keepsProducer: boolean) {
    this.#parent = parent;
    this.#encoder = parent.encoder;
    this.keepsProducer = keepsProducer;
  }

  accept(input: TopicInput<K, V>, delivery: Delivery, message?: unknown): void | Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const record = toRecord(input);
    const key = this.#encoder.key(record), value = this.#encoder.value(record);
    const settlement = this.#settlements.of(delivery);
    const producer = this.#producer;
    if (producer?.isReady !== true || key instanceof Promise || value instanceof Promise) {
      return this.#enqueue(record, key, value, settlement, message);
    }
    const numbered = settlement.numbered(producer);
    if (!producer.produce(record, key, value, numbered)) {
      return this.#enqueue(record, key, value, settlement, message);
    }
    numbered.add(message);
    settlement.accepted();
  }

  #enqueue(
    record: TopicRecord<K, V>,
    key: Bytes | null | Promise<Bytes>,
    value: Bytes | null | Promise<Bytes>,
    settlement: DeliverySettlement,
    message: unknown,
  ): Promise<void> {
    if (this.#producer === undefined || this.#producer.isOver) this.#producer = this.#parent.producer();
    const producer = this.#producer;
    const queued = new QueuedRecord(this, settlement, producer, message);
    if (key instanceof Promise || value instanceof Promise) {
      Promise.all([copyOf(key), copyOf(value)]).then(
        ([key, value]) => queued.encoded([{ record, key: key as Bytes | null, value: value as Bytes | null }]),
        (error) => queued.refused(0, error),
      ).then(() => producer.move());
    } else queued.encoded([{ record, key: copyOf(key) as Bytes | null, value: copyOf(value) as Bytes | null }]);
    producer.enqueue(queued);
    return queued.accepted;
  }

  settle(delivery: Delivery): void | Promise<void> {
    return this.#settlements.settle(delivery);
  }

  /** Accepts no more records: the producer has failed, or the Topic is closed. */
  refuse(error: KafkaError, producer: SharedProducer | undefined = this.#producer): void {
    if (producer === this.#producer) this.#refusal ??= error;
  }

  /** Removes the queued records, and waits for no record in flight: `settle()` of their deliveries rejects. */
  abandon(error: unknown): void {
    this.#producer?.withdraw(this, error);
    this.#settlements.abandon(error);
  }

  /**
   * Waits until the records of this sink are delivered, and ends. Waits for 30 s at most; with a reason, for half a
   * second, and without the records that are queued. The remaining records count as not delivered: `settle()` of their
   * deliveries rejects.
   *
   * @throws {KafkaError} If records remain, unless there is a reason.
   */
  close(reason?: unknown): Promise<void> {
    return this.#closing ??= this.#close(reason);
  }

  async #close(reason: unknown): Promise<void> {
    const where = `Topic ${JSON.stringify(this.#parent.topic)}`;
    const closed = new KafkaError(`${where}: closed before the message was delivered`, { cause: reason });
    this.#refusal ??= new KafkaError(`${where}: this writer is closed`, { cause: reason });
    const producer = this.#producer, ms = reason === undefined ? FLUSH_MS : ABANDON_MS;
    if (reason !== undefined) producer?.withdraw(this, closed);
    let undelivered = 0;
    if (producer?.isConnected === true && this.#settlements.pending > 0) {
      // What waits for linger.ms goes at once, records of other sinks included.
      void producer.flush(ms);
      if (!await settlesWithin(this.#settlements.allSettled(), ms)) undelivered = this.#settlements.pending;
    }
    this.abandon(closed);
    await this.#parent.onClosed(this);
    if (undelivered > 0 && reason === undefined) {
      throw new KafkaError(`${where}: closed with ${undelivered} messages undelivered after ${ms} ms`, {
        code: ErrorCode.TIMED_OUT,
      });
    }
  }
}

/** A record of a sink that is queued. */
class QueuedRecord implements QueuedRecords {
  readonly owner: object;
  readonly #settlement: DeliverySettlement;
  readonly #producer: SharedProducer;
  readonly #message: unknown;
  readonly #outcome = Promise.withResolvers<void>();
  #numbered: NumberedRecords | undefined;
  #isOver = false;
  records: readonly EncodedRecord[] | undefined;

  constructor(owner: object, settlement: DeliverySettlement, producer: SharedProducer, message: unknown) {
    this.owner = owner;
    this.#settlement = settlement;
    this.#producer = producer;
    this.#message = message;
    settlement.accepted();
    // A run that was stopped does not await acceptance any more; `settle()` rejects as well.
    this.#outcome.promise.catch(() => {});
  }

  /** Resolves when the record is produced. */
  get accepted(): Promise<void> {
    return this.#outcome.promise;
  }

  encoded(records: readonly EncodedRecord[]): void {
    if (!this.#isOver) this.records = records;
  }

  targetOf(): NumberedRecords {
    return this.#numbered = this.#settlement.numbered(this.#producer);
  }

  produced(): void {
    this.#isOver = true;
    this.#numbered!.add(this.#message);
    this.#outcome.resolve();
  }

  /** Rejects the acceptance: the caller of `accept()` handles the error, and the delivery does not fail. */
  refused(_index: number, error: unknown): void {
    this.#end(error, undefined);
  }

  dropped(_index: number, error: unknown): void {
    this.#end(error, { error });
  }

  #end(error: unknown, failure: { readonly error: unknown } | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.records = [];
    this.#settlement.settled(failure);
    this.#outcome.reject(error);
  }
}
