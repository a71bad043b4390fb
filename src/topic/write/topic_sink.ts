/**
 * One user of a Topic that is written to.
 *
 * @module
 */

import { ErrorCode } from "../../kafka/port.ts";
import type { Delivery, SinkWriter } from "../../stream/protocol.ts";
import { DeliveryAccounts, type DeliveryRecords, type NumberedRecords } from "./deliveries.ts";
import { type Bytes, type Encoded, type Encoder, kept } from "./encoder.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { TopicInput, TopicRecord } from "./topic_record.ts";
import type { Waiting } from "./line.ts";
import type { ProducerLink } from "./producer_link.ts";
import { normalized } from "./records.ts";
import { settlesWithin } from "../../async/settles_within.ts";

/** What users of a Topic share. */
export interface SinkHome<K, V> {
  readonly topic: string;
  readonly encoder: Encoder<K, V>;
  /**
   * What everybody writes through now.
   *
   * @throws {KafkaError} If the Topic is closed.
   */
  link(): ProducerLink;
  /** A user needs nothing any more. */
  left(sink: TopicSink<K, V>): Promise<void>;
}

/** How long a close waits for what is still on its way, in milliseconds: without a reason, and with one. */
const FLUSH_MS = 30_000, GIVEN_UP_MS = 500;

/** Writes for one user, such as a run, and keeps the accounts of its deliveries. */
export class TopicSink<K, V> implements SinkWriter<TopicInput<K, V>> {
  readonly #home: SinkHome<K, V>;
  readonly #encoder: Encoder<K, V>;
  readonly #accounts = new DeliveryAccounts();
  /** Whether its client is kept for it until it is closed. */
  readonly keepsLink: boolean;
  #link: ProducerLink | undefined;
  /** Why nothing is accepted any more. */
  #refusal: KafkaError | undefined;
  #closing: Promise<void> | undefined;

  constructor(home: SinkHome<K, V>, keepsLink: boolean) {
    this.#home = home;
    this.#encoder = home.encoder;
    this.keepsLink = keepsLink;
  }

  accept(input: TopicInput<K, V>, delivery: Delivery, message?: unknown): void | Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const record = normalized(input);
    const key = this.#encoder.key(record), value = this.#encoder.value(record);
    const account = this.#accounts.of(delivery);
    const link = this.#link;
    if (link?.isReady !== true || key instanceof Promise || value instanceof Promise) {
      return this.#wait(record, key, value, account, message);
    }
    const numbered = account.numbered(link);
    if (!link.produce(record, key, value, numbered)) return this.#wait(record, key, value, account, message);
    numbered.add(message);
    account.accepted();
  }

  #wait(
    record: TopicRecord<K, V>,
    key: Bytes | null | Promise<Bytes>,
    value: Bytes | null | Promise<Bytes>,
    account: DeliveryRecords,
    message: unknown,
  ): Promise<void> {
    if (this.#link === undefined || this.#link.isOver) this.#link = this.#home.link();
    const link = this.#link;
    const waiting = new WaitingRecord(this, account, link, message);
    if (key instanceof Promise || value instanceof Promise) {
      Promise.all([kept(key), kept(value)]).then(
        ([key, value]) => waiting.encoded([{ record, key: key as Bytes | null, value: value as Bytes | null }]),
        (error) => waiting.refused(0, error),
      ).then(() => link.move());
    } else waiting.encoded([{ record, key: kept(key) as Bytes | null, value: kept(value) as Bytes | null }]);
    link.wait(waiting);
    return waiting.accepted;
  }

  settle(delivery: Delivery): void | Promise<void> {
    return this.#accounts.settle(delivery);
  }

  /** Accepts nothing any more: its client can't deliver, or the Topic is closed. */
  refuse(error: KafkaError, link: ProducerLink | undefined = this.#link): void {
    if (link === this.#link) this.#refusal ??= error;
  }

  /** Waits for nothing any more. */
  giveUp(error: unknown): void {
    this.#link?.takeBack(this, error);
    this.#accounts.giveUp(error);
  }

  /**
   * Ends; waits for its own records, 30 s at most, or half a second when there is a reason. With a reason, what still
   * waits for room or a connection is taken back at once. What can't be waited for counts as not delivered: settling
   * rejects.
   *
   * @throws {KafkaError} If some were not delivered, unless there is a reason.
   */
  close(reason?: unknown): Promise<void> {
    return this.#closing ??= this.#close(reason);
  }

  async #close(reason: unknown): Promise<void> {
    const where = `Topic ${JSON.stringify(this.#home.topic)}`;
    const closed = new KafkaError(`${where}: closed before the message was delivered`, { cause: reason });
    this.#refusal ??= new KafkaError(`${where}: it is closed for this user`, { cause: reason });
    const link = this.#link, ms = reason === undefined ? FLUSH_MS : GIVEN_UP_MS;
    if (reason !== undefined) link?.takeBack(this, closed);
    let left = 0;
    if (link?.isConnected === true && this.#accounts.pending > 0) {
      // What waits for linger.ms goes at once; others' records go along.
      void link.flush(ms);
      if (!await settlesWithin(this.#accounts.settled(), ms)) left = this.#accounts.pending;
    }
    this.giveUp(closed);
    await this.#home.left(this);
    if (left > 0 && reason === undefined) {
      throw new KafkaError(`${where}: closed with ${left} messages undelivered after ${ms} ms`, {
        code: ErrorCode.TIMED_OUT,
      });
    }
  }
}

/** A record that waits for its turn. */
class WaitingRecord implements Waiting {
  readonly owner: object;
  readonly #account: DeliveryRecords;
  readonly #link: ProducerLink;
  readonly #message: unknown;
  readonly #outcome = Promise.withResolvers<void>();
  #numbered: NumberedRecords | undefined;
  #isOver = false;
  records: readonly Encoded[] | undefined;

  constructor(owner: object, account: DeliveryRecords, link: ProducerLink, message: unknown) {
    this.owner = owner;
    this.#account = account;
    this.#link = link;
    this.#message = message;
    account.accepted();
    // Who was stopped meanwhile awaits it no more; settling tells as well.
    this.#outcome.promise.catch(() => {});
  }

  /** Resolves when the record is produced. */
  get accepted(): Promise<void> {
    return this.#outcome.promise;
  }

  encoded(records: readonly Encoded[]): void {
    if (!this.#isOver) this.records = records;
  }

  accountOf(): NumberedRecords {
    return this.#numbered = this.#account.numbered(this.#link);
  }

  produced(): void {
    this.#isOver = true;
    this.#numbered!.add(this.#message);
    this.#outcome.resolve();
  }

  /** It belongs to whoever awaits its acceptance; the delivery has nothing of it. */
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
    this.#account.settled(failure);
    this.#outcome.reject(error);
  }
}
