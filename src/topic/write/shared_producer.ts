/**
 * A producer that many write through, from its creation to its end.
 *
 * @module
 */

import { Connection } from "../../kafka/connection.ts";
import {
  type AnsweredRecord,
  type ClientFactory,
  ErrorCode,
  type PortProducer,
  type ReportTarget,
} from "../../kafka/port.ts";
import { bootstrapServersOf } from "../../kafka/client_factories.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { Notices } from "../../notices/notices.ts";
import { numberOrDefault } from "../conf/number_or_default.ts";
import type { Bytes, EncodedRecord } from "./encoded_record.ts";
import { deliveryError, type ProducerFacts, refusalError, type UndeliveredRecord } from "./record_errors.ts";
import { headerList } from "./record_input.ts";
import type { RecordTracker } from "./record_tracker.ts";
import { report, Resender } from "./resender.ts";
import { type QueuedRecords, SendQueue } from "./send_queue.ts";
import { TimeoutQueue } from "./timeout_queue.ts";
import type { TopicRecord } from "./topic_record.ts";

/** The options of a `SharedProducer`. */
export interface SharedProducerOptions {
  readonly topic: string;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly clients: ClientFactory;
  readonly notices: Notices;
  /** Called once when nothing can be delivered any more; ends the producer. */
  readonly onFatal: (producer: SharedProducer, error: KafkaError) => void;
}

/** How often a record is offered, 1 ms apart, to a client that has no room although nothing is in flight. */
const TRIES = 50;
/** How long records that are in flight may take after a fatal error, in milliseconds. */
const FATAL_FLUSH_MS = 1000;
/** How long the event with the reason of a fatal error may take, in milliseconds. */
const REASON_MS = 1000;

/**
 * Produces records in order. Records wait in a queue while there is no connection or no room, or while others wait or are
 * sent again. Connects when it is made. It is used for one connection: after its end, or after a fatal error, its owner
 * makes another one.
 *
 * When a broker refuses a request of several records, `Resender` sends them again, and nothing new is produced before.
 */
export class SharedProducer implements RecordTracker {
  readonly #options: SharedProducerOptions;
  readonly #where: string;
  /** How many records may be in flight. */
  readonly #maxInFlight: number;
  /** The client, once it is made. */
  #client: PortProducer | undefined;
  /** The client, while records can be produced. */
  #producer: PortProducer | undefined;
  #connection: Connection | undefined;
  #hasConnected = false;
  readonly #queue = new SendQueue();
  /** Times out what is queued before a broker has answered. */
  readonly #timeouts: TimeoutQueue<QueuedRecords>;
  readonly #resender: Resender;
  readonly #facts: ProducerFacts;
  /** Runs after the client has reported a fatal error, until its event has the reason. */
  #reasonTimer: ReturnType<typeof setTimeout> | undefined;
  #inFlight = 0;
  /** How many of the records in flight nobody waits for any more. */
  #abandoned = 0;
  /** The queue moves on when no more records than this are in flight; −1 when it does not wait for room. */
  #queueMovesAt = -1;
  /** `landed()` calls `#check()` when no more records than this are in flight, rather than for each record. */
  #checkAt = -1;
  #tries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #fatalError: KafkaError | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  readonly #opening: Promise<void>;
  #isEnding = false;
  #ending: Promise<void> | undefined;

  constructor(options: SharedProducerOptions) {
    const { topic, conf, clients } = options;
    this.#options = options;
    const where = this.#where = `Topic ${JSON.stringify(topic)}`;
    // 0 is for no limit.
    this.#maxInFlight = Number(conf["queue.buffering.max.messages"]) || Infinity;
    const fatalError = () => this.#fatalError, unreachableBroker = () => this.#connection?.unreachable;
    this.#facts = {
      where,
      get fatalError() {
        return fatalError();
      },
      get unreachableBroker() {
        return unreachableBroker();
      },
      errorText: (code) => clients.errorText(code),
    };
    this.#resender = new Resender({
      topic,
      producer: () => this.#producer,
      inFlight: () => this.#inFlight,
      onSent: () => this.#check(),
      onDone: () => {
        this.#setCheckAt();
        this.move();
      },
      onFatal: (error) => this.#failSoon(error),
    });
    const timeoutMs = messageTimeoutMs(conf);
    this.#timeouts = new TimeoutQueue(timeoutMs, (expired) => {
      const reason = this.#connection?.reason ?? "";
      const error = new KafkaError(
        `${where}: no broker at ${bootstrapServersOf(conf)} has answered within message.timeout.ms, ${timeoutMs} ms${
          reason === "" ? "" : ` (${reason})`
        }`,
        { code: ErrorCode.MSG_TIMED_OUT },
      );
      this.#queue.drop(error, (entry) => expired.has(entry));
      this.#check();
    });
    this.#opening = this.#open();
  }

  /** Whether `produce()` may be called: a broker has answered, and no records wait. */
  get isReady(): boolean {
    return this.#producer !== undefined && this.#queue.length === 0 && !this.#resender.isActive;
  }

  /** Whether it ends, or has had a fatal error. */
  get isOver(): boolean {
    return this.#isEnding || this.#fatalError !== undefined;
  }

  /** Whether a broker has answered. */
  get isConnected(): boolean {
    return this.#producer !== undefined;
  }

  /** How many records are queued or in flight, without those that nobody waits for. */
  get pending(): number {
    return this.#inFlight - this.#abandoned + this.#queue.records;
  }

  /**
   * Produces a record, unless there is no room: then it must be queued.
   *
   * @param target receives the delivery report
   * @returns whether there was room
   * @throws {KafkaError} If the client refuses the record.
   */
  produce(
    record: TopicRecord<unknown, unknown>,
    key: Bytes | null,
    value: Bytes | null,
    target: ReportTarget,
  ): boolean {
    if (this.#inFlight >= this.#maxInFlight) return false;
    const producer = this.#producer;
    if (producer === undefined) throw this.#fatalError ?? this.#closedError();
    const headers = record.headers === undefined ? undefined : headerList(record.headers);
    const { partition = -1, timestamp = null } = record;
    this.#inFlight++;
    try {
      producer.produce(this.#options.topic, partition, value, key, timestamp, target, headers);
      return true;
    } catch (error) {
      this.#inFlight--;
      const code = KafkaError.codeOf(error);
      if (code === ErrorCode.QUEUE_FULL) return false;
      if (code === ErrorCode.FATAL) {
        this.#failSoon(error);
        return false;
      }
      throw refusalError(code, error, { input: record, key, value, partition }, this.#facts);
    }
  }

  /** Queues records. */
  enqueue(entry: QueuedRecords): void {
    if (this.#fatalError !== undefined) return entry.dropped(0, this.#fatalError);
    if (this.#isEnding) return entry.dropped(0, this.#closedError());
    this.#queue.push(entry);
    if (this.#producer === undefined) this.#timeouts.add(entry);
    // Entries before it wait for an event that moves the queue.
    if (this.#queue.length === 1) this.move();
  }

  /** Removes the queued records of an owner. */
  withdraw(owner: object, error: unknown): void {
    this.#queue.drop(error, (entry) => entry.owner === owner);
    this.move();
  }

  /** Produces queued records, as far as they are encoded and there is room. */
  move(): void {
    if (this.#producer === undefined || this.#resender.isActive) return;
    this.#queueMovesAt = -1;
    for (let head; (head = this.#queue.head) !== undefined; this.#queue.shift()) {
      const { records } = head;
      if (records === undefined) break;
      while (this.#queue.nextRecord < records.length) {
        if (!this.#produceQueued(head, records[this.#queue.nextRecord]!, this.#queue.nextRecord)) return;
        this.#queue.nextRecord++;
      }
    }
    this.#check();
  }

  /** Produces or refuses a queued record; returns `false` if it must wait for room. */
  #produceQueued(entry: QueuedRecords, { record, key, value }: EncodedRecord, index: number): boolean {
    try {
      if (!this.produce(record, key, value, entry.targetOf(index))) {
        this.#waitForRoom(record);
        return false;
      }
      entry.produced(index);
    } catch (error) {
      entry.refused(index, error);
    }
    this.#tries = 0;
    return true;
  }

  /** @throws {KafkaError} If there will never be room for the record: nothing is in flight. */
  #waitForRoom(record: TopicRecord<unknown, unknown>): void {
    if (this.#reasonTimer !== undefined) return;
    if (this.#inFlight > 0) {
      // Half of the records in flight, so that queued records are produced many at a time.
      this.#queueMovesAt = this.#inFlight >> 1;
      this.#setCheckAt();
      return;
    }
    // librdkafka frees the room of a record a little after it has reported it.
    if (this.#tries < TRIES) {
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#tries++;
        this.move();
      }, 1);
      return;
    }
    throw new KafkaError(`${this.#where}: the message is larger than queue.buffering.max.kbytes has room for`, {
      code: ErrorCode.QUEUE_FULL,
      records: [record],
    });
  }

  landed(): void {
    if (--this.#inFlight <= this.#checkAt) this.#check();
  }

  abandon(records: number): void {
    this.#abandoned += records;
    this.#setCheckAt();
    this.#check();
  }

  deliveryError(code: number, record: UndeliveredRecord): KafkaError {
    return deliveryError(code, record, this.#facts);
  }

  #setCheckAt(): void {
    this.#checkAt = Math.max(
      this.#queueMovesAt,
      this.#idle === undefined ? -1 : this.#abandoned,
      this.#resender.isActive ? this.#resender.waiting : -1,
    );
  }

  /** Continues what waits until few enough records are in flight. */
  #check(): void {
    if (this.#resender.isActive && this.#inFlight === this.#resender.waiting) {
      queueMicrotask(() => this.#resender.next());
    }
    if (this.#inFlight <= this.#queueMovesAt) {
      this.#queueMovesAt = -1;
      // There is room when all records of this round of reports have been reported.
      queueMicrotask(() => this.move());
    }
    if (this.#idle !== undefined && this.pending === 0) {
      this.#idle.resolve();
      this.#idle = undefined;
    }
    this.#setCheckAt();
  }

  #onRequestAnswered(records: readonly AnsweredRecord[]): void {
    if (this.isOver) report(records);
    else this.#resender.onAnswered(records);
    this.#setCheckAt();
    this.#check();
  }

  /** Sends what waits for `linger.ms`; resolves when nothing is in flight, or the time is out. */
  async flush(ms: number): Promise<void> {
    await this.#producer?.flush(ms);
  }

  /** Resolves when no records are queued or in flight that somebody waits for. */
  idle(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers();
    this.#setCheckAt();
    return this.#idle.promise;
  }

  /** Disconnects. Queued records are dropped; records in flight are reported as not delivered. */
  end(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    this.#producer = undefined;
    clearTimeout(this.#retry);
    clearTimeout(this.#reasonTimer);
    this.#timeouts.clear();
    this.#resender.stop();
    this.#queue.drop(this.#closedError());
    // Records that a broker has already written may still be confirmed.
    if (this.#fatalError !== undefined && this.#client?.isConnected === true) await this.#client.flush(FATAL_FLUSH_MS);
    await this.#client?.disconnect();
    await this.#opening;
  }

  async #open(): Promise<void> {
    const { conf, clients, notices } = this.#options;
    const connection = this.#connection = new Connection(this.#where, bootstrapServersOf(conf), notices);
    try {
      const client = await connection.make(clients.producer(conf, {
        onError: (code, message, isFatal = code === ErrorCode.FATAL) => {
          connection.onError(code, message);
          if (isFatal) {
            this.#fail(new KafkaError(`${this.#where}: nothing can be delivered: ${message}`, { code, fatal: true }));
          }
        },
        onLog: (severity, message) => connection.onLog(severity, message),
        requests: {
          wants: (code) => this.#resender.wants(code),
          answered: (records) => this.#onRequestAnswered(records),
        },
      }));
      // `end()` may have been called before there was a client to disconnect.
      if (this.#isEnding) return await client.disconnect();
      this.#client = client;
      await connection.open(client);
      if (this.#isEnding) return;
      this.#producer = client;
      this.#timeouts.clear();
      this.#hasConnected = true;
      this.move();
    } catch (error) {
      if (!this.#isEnding) this.#fail(error as KafkaError);
    }
  }

  #fail(error: KafkaError): void {
    if (this.isOver) return;
    clearTimeout(this.#reasonTimer);
    this.#timeouts.clear();
    this.#fatalError = error;
    this.#producer = undefined;
    this.#resender.stop();
    this.#queue.drop(error);
    this.#options.onFatal(this, error);
  }

  /** Fails with the reason, which comes as an event; without one, with the client's error. */
  #failSoon(error: unknown): void {
    this.#reasonTimer ??= setTimeout(
      () => this.#fail(KafkaError.from(`${this.#where}: nothing can be delivered`, error)),
      REASON_MS,
    );
  }

  #closedError(): KafkaError {
    const before = this.#hasConnected
      ? "the message was sent"
      : `a broker at ${bootstrapServersOf(this.#options.conf)} had answered`;
    return new KafkaError(`${this.#where}: closed before ${before}`);
  }
}

/** Returns how long a record may take to be delivered, in milliseconds. */
function messageTimeoutMs(conf: Readonly<Record<string, unknown>>): number {
  // 0 is for no limit.
  return Number(conf["message.timeout.ms"] ?? numberOrDefault(conf, "delivery.timeout.ms")) || Infinity;
}
