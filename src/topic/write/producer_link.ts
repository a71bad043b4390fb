/**
 * A producer that many write through, from its making to its end.
 *
 * @module
 */

import {
  type AnsweredRecord,
  type ClientFactory,
  ErrorCode,
  type PortProducer,
  type ReportTarget,
} from "../../kafka/port.ts";
import { bootstrapServersOf } from "../../kafka/client_factories.ts";
import { Connection } from "../../kafka/connection.ts";
import type { Way } from "./deliveries.ts";
import type { Bytes, Encoded } from "./encoder.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { Line, type Waiting } from "./line.ts";
import { Patience } from "./patience.ts";
import type { TopicRecord } from "./topic_record.ts";
import type { Notices } from "../../notices/notices.ts";
import { headerList } from "./records.ts";
import { Resends, ResentAccount } from "./resends.ts";
import { type About, remedyFor, whichRecord } from "./undelivered.ts";

/** What a link goes by. */
export interface LinkOptions {
  readonly topic: string;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly clients: ClientFactory;
  readonly notices: Notices;
  /** Hears, once, that nothing can be delivered any more; then ends the link. */
  readonly onFatal: (link: ProducerLink, error: KafkaError) => void;
}

/** The codes of records that librdkafka gives up because of a fatal error. */
const AFTER_FATAL: ReadonlySet<number> = new Set([
  ErrorCode.PURGE_QUEUE,
  ErrorCode.PURGE_INFLIGHT,
  ErrorCode.FATAL,
]);
/** What `message.timeout.ms` is when it is not set. */
const MESSAGE_TIMEOUT_MS = 300_000;
/** How often a record is offered, 1 ms apart, to a client that has no room although nothing is on its way. */
const TRIES = 50;
/** How long what is on its way may take after a fatal error, in milliseconds. */
const FATAL_FLUSH_MS = 1000;
/** How long what is on its way is hurried along before refused records are sent again, in milliseconds. */
const RESEND_FLUSH_MS = 30_000;
/** How long the event with the reason of a fatal error may take, in milliseconds. */
const REASON_MS = 1000;

/**
 * Produces records in order. Who comes when there is no connection, no room, or somebody is waiting, waits in line.
 * Connects at once. It is made for one connection: after its end, or after a fatal error, another one is made.
 *
 * When a broker refuses a request of several records, it produces nothing new before everything on its way has been
 * answered and the refused records were sent again, as `Resends` has it.
 */
export class ProducerLink implements Way {
  readonly #options: LinkOptions;
  readonly #where: string;
  readonly #room: number;
  /** The client, once it is made. */
  #client: PortProducer | undefined;
  /** The client, while records can be produced. */
  #producer: PortProducer | undefined;
  #hasConnected = false;
  readonly #line = new Line();
  readonly #resends = new Resends();
  /** Who waits for a broker, and for how long. */
  readonly #patience: Patience<Waiting>;
  /** Whether records are being sent again. */
  #isResending = false;
  /** Those of a group that is sent again that there was no room for yet. */
  #group: readonly AnsweredRecord[] = [];
  #connection: Connection | undefined;
  #groupRetry: ReturnType<typeof setTimeout> | undefined;
  /** The client says that it had a fatal error, and its event with the reason has not come yet. */
  #fatal: ReturnType<typeof setTimeout> | undefined;
  #onTheirWay = 0;
  #disowned = 0;
  /** The line moves on when no more than this are on their way; −1 when room is not what it waits for. */
  #movesAt = -1;
  #tries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failure: KafkaError | undefined;
  /** When no more than this are on their way, there is something to do: it is not asked for each record. */
  #looksAt = -1;
  #idle: PromiseWithResolvers<void> | undefined;
  readonly #opening: Promise<void>;
  #isEnding = false;
  #ending: Promise<void> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#where = `Topic ${JSON.stringify(options.topic)}`;
    // 0 is without a limit.
    this.#room = Number(options.conf["queue.buffering.max.messages"]) || Infinity;
    const timeoutMs = timeoutOf(options.conf);
    this.#patience = new Patience(timeoutMs, (late) => {
      const why = this.#whyUnconnected();
      const error = new KafkaError(
        `${this.#where}: no broker at ${
          bootstrapServersOf(options.conf)
        } has answered within message.timeout.ms, ${timeoutMs} ms${why}`,
        { code: ErrorCode.MSG_TIMED_OUT },
      );
      this.#line.drop(error, (waiting) => late.has(waiting));
      this.#look();
    });
    this.#opening = this.#open();
  }

  /** Whether `ProducerLink.produce` may be called: connected, and nobody waits. */
  get isReady(): boolean {
    return this.#producer !== undefined && this.#line.length === 0 && !this.#isResending;
  }

  /** Whether it is used no more: it ends, or had a fatal error. */
  get isOver(): boolean {
    return this.#isEnding || this.#failure !== undefined;
  }

  /** Whether a broker has answered. */
  get isConnected(): boolean {
    return this.#producer !== undefined;
  }

  /** How many records somebody waits for. */
  get pending(): number {
    return this.#onTheirWay - this.#disowned + this.#line.records;
  }

  /**
   * Produces a record; says whether there was room. When there was none, it has to `ProducerLink.wait`.
   *
   * @throws {KafkaError} If the record is refused.
   */
  produce(
    record: TopicRecord<unknown, unknown>,
    key: Bytes | null,
    value: Bytes | null,
    account: ReportTarget,
  ): boolean {
    if (this.#onTheirWay >= this.#room) return false;
    const producer = this.#producer;
    if (producer === undefined) throw this.#failure ?? this.#closed();
    const headers = record.headers === undefined ? undefined : headerList(record.headers);
    const to = record.partition ?? -1, at = record.timestamp ?? null;
    this.#onTheirWay++;
    try {
      producer.produce(this.#options.topic, to, value, key, at, account, headers);
      return true;
    } catch (error) {
      this.#onTheirWay--;
      const code = KafkaError.codeOf(error);
      if (code === ErrorCode.QUEUE_FULL) return false;
      if (code === ErrorCode.FATAL) {
        this.#failSoon(error);
        return false;
      }
      throw this.#refusal(code, error, { record, key, value, ...record.partition !== undefined && { partition: to } });
    }
  }

  /** Records wait for their turn. */
  wait(waiting: Waiting): void {
    if (this.#failure !== undefined) return waiting.dropped(0, this.#failure);
    if (this.#isEnding) return waiting.dropped(0, this.#closed());
    this.#line.push(waiting);
    if (this.#producer === undefined) this.#patience.begin(waiting);
    // Those before it wait for something that moves the line.
    if (this.#line.length === 1) this.move();
  }

  /** Takes back what waits of an owner. */
  takeBack(owner: object, error: unknown): void {
    this.#line.drop(error, (one) => one.owner === owner);
    this.move();
  }

  /** Produces what waits, as far as there is room. */
  move(): void {
    if (this.#producer === undefined || this.#isResending) return;
    this.#movesAt = -1;
    for (let head; (head = this.#line.head) !== undefined; this.#line.shift()) {
      const { records } = head;
      if (records === undefined) break;
      while (this.#line.next < records.length) {
        if (!this.#offer(head, records[this.#line.next]!, this.#line.next)) return;
        this.#line.next++;
      }
    }
    this.#look();
  }

  /** Produces a record that has waited, or tells that it is refused; says `false` when it has to wait on. */
  #offer(waiting: Waiting, { record, key, value }: Encoded, index: number): boolean {
    try {
      if (!this.produce(record, key, value, waiting.accountOf(index))) return this.#isTooLarge(record);
      waiting.produced(index);
    } catch (error) {
      waiting.refused(index, error);
    }
    this.#tries = 0;
    return true;
  }

  /** There is no room. Where nothing is on its way, nothing will ever make some. */
  #isTooLarge(record: TopicRecord<unknown, unknown>): false {
    if (this.#fatal !== undefined) return false;
    if (this.#onTheirWay > 0) {
      // Half of it, so that what waits comes in runs.
      this.#movesAt = this.#onTheirWay >> 1;
      this.#lookWhen();
      return false;
    }
    // librdkafka gives room back a little after it has reported.
    if (this.#tries < TRIES) {
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#tries++;
        this.move();
      }, 1);
      return false;
    }
    throw new KafkaError(`${this.#where}: the message is larger than queue.buffering.max.kbytes has room for`, {
      code: ErrorCode.QUEUE_FULL,
      records: [record],
    });
  }

  landed(): void {
    if (--this.#onTheirWay <= this.#looksAt) this.#look();
  }

  disown(records: number): void {
    this.#disowned += records;
    this.#lookWhen();
    this.#look();
  }

  #lookWhen(): void {
    this.#looksAt = Math.max(
      this.#movesAt,
      this.#idle === undefined ? -1 : this.#disowned,
      this.#isResending ? this.#resends.size : -1,
    );
  }

  #look(): void {
    if (this.#isResending && this.#onTheirWay === this.#resends.size) queueMicrotask(() => this.#resend());
    if (this.#onTheirWay <= this.#movesAt) {
      this.#movesAt = -1;
      // Room comes when all that was reported together is told.
      queueMicrotask(() => this.move());
    }
    if (this.#idle !== undefined && this.pending === 0) {
      this.#idle.resolve();
      this.#idle = undefined;
    }
    this.#lookWhen();
  }

  /** A request was answered. */
  #answered(records: readonly AnsweredRecord[]): void {
    const known = this.isOver ? records : this.#resends.take(records);
    if (this.#resends.size > 0 && !this.#isResending) {
      this.#isResending = true;
      // What waits for linger.ms goes at once.
      void this.flush(RESEND_FLUSH_MS);
    }
    this.#tell(known);
    this.#lookWhen();
    this.#look();
  }

  #tell(records: readonly AnsweredRecord[]): void {
    for (const record of records) {
      record.target.reported(record.code, record.partition, record.offset, record.recordNumber, record);
    }
  }

  /** Sends the next group again when everything else was answered; the line moves on after the last one. */
  #resend(): void {
    if (!this.#isResending || this.#group.length > 0 || this.#onTheirWay > this.#resends.size) return;
    if (this.#resends.size > 0) {
      this.#group = this.#resends.next();
      return this.#sendGroup(0);
    }
    this.#isResending = false;
    this.#lookWhen();
    this.move();
  }

  #sendGroup(from: number): void {
    const group = this.#group, producer = this.#producer;
    if (producer === undefined) return;
    for (let i = from; i < group.length; i++) {
      const record = group[i]!, { partition, key, value, timestamp, headers } = record;
      try {
        producer.produce(this.#options.topic, partition, value, key, timestamp, ResentAccount.of(record), headers);
      } catch (error) {
        const code = KafkaError.codeOf(error) ?? record.code;
        if (code === ErrorCode.QUEUE_FULL || code === ErrorCode.FATAL) {
          if (code === ErrorCode.FATAL) this.#failSoon(error);
          this.#group = group.slice(i);
          this.#groupRetry = setTimeout(() => this.#sendGroup(0), 1);
          return;
        }
        this.#tell([{ ...record, code }]);
      }
    }
    this.#group = [];
    void producer.flush(RESEND_FLUSH_MS);
    this.#look();
  }

  /** What was to be sent again is not: it has failed with what it was refused for. */
  #dropResends(): void {
    clearTimeout(this.#groupRetry);
    const left = [...this.#group, ...this.#resends.drop()];
    this.#group = [];
    this.#isResending = false;
    this.#tell(left);
  }

  failure(code: number, about: About): KafkaError {
    // Why librdkafka throws away what is on its way.
    if (this.#failure !== undefined && AFTER_FATAL.has(code)) {
      return new KafkaError(`${this.#where}: ${whichRecord(about)} was not delivered: ${this.#failure.message}`, {
        code: this.#failure.code ?? code,
        fatal: true,
        cause: this.#failure,
        ...(about.record === undefined ? {} : { records: [about.record] }),
      });
    }
    const text = this.#options.clients.errorText(code), unreachable = this.#connection?.unreachable;
    const why = code === ErrorCode.MSG_TIMED_OUT && unreachable !== undefined ? `; ${unreachable}` : "";
    return this.#error(`${whichRecord(about)} was not delivered: ${text}${why}`, code, about);
  }

  /** The error of a record that the client does not take. */
  #refusal(code: number | undefined, cause: unknown, about: About): KafkaError {
    const text = String((cause as { message?: unknown } | null)?.message ?? cause);
    return this.#error(`${whichRecord(about)} was refused: ${text}`, code, about, cause);
  }

  #error(text: string, code: number | undefined, about: About, cause?: unknown): KafkaError {
    const remedy = code === undefined ? undefined : remedyFor(code, about, cause !== undefined);
    return new KafkaError(`${this.#where}: ${text}${remedy === undefined ? "" : ` (${remedy})`}`, {
      ...(code === undefined ? {} : { code }),
      ...(cause === undefined ? {} : { cause }),
      ...(this.#failure === undefined ? {} : { fatal: true, cause: this.#failure }),
      ...(about.record === undefined ? {} : { records: [about.record] }),
    });
  }

  /** Delivers what is on its way without waiting for more to send along. */
  async flush(ms: number): Promise<void> {
    await this.#producer?.flush(ms);
  }

  /** Resolves when nothing is on its way any more that somebody waits for, and nothing waits. */
  idle(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers();
    this.#lookWhen();
    return this.#idle.promise;
  }

  /** Disconnects. What waits is told so; what is on its way gets a report that says that it is not delivered. */
  end(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    this.#producer = undefined;
    clearTimeout(this.#retry);
    clearTimeout(this.#fatal);
    this.#patience.end();
    this.#dropResends();
    this.#line.drop(this.#closed());
    // What a broker has already may still be confirmed.
    if (this.#failure !== undefined && this.#client?.isConnected === true) await this.#client.flush(FATAL_FLUSH_MS);
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
          wants: (code) => this.#resends.wants(code),
          answered: (records) => this.#answered(records),
        },
      }));
      // It may have ended before there was anything to end.
      if (this.#isEnding) return await client.disconnect();
      this.#client = client;
      await connection.open(client);
      if (this.#isEnding) return;
      this.#producer = client;
      this.#patience.end();
      this.#hasConnected = true;
      this.move();
    } catch (error) {
      if (!this.#isEnding) this.#fail(error as KafkaError);
    }
  }

  #fail(error: KafkaError): void {
    if (this.isOver) return;
    clearTimeout(this.#fatal);
    this.#patience.end();
    this.#failure = error;
    this.#producer = undefined;
    this.#dropResends();
    this.#line.drop(error);
    this.#options.onFatal(this, error);
  }

  /** The reason comes with an event; without it, the client's error must do. */
  #failSoon(error: unknown): void {
    this.#fatal ??= setTimeout(
      () => this.#fail(KafkaError.from(`${this.#where}: nothing can be delivered`, error)),
      REASON_MS,
    );
  }

  #whyUnconnected(): string {
    const reason = this.#connection?.reason ?? "";
    return reason === "" ? "" : ` (${reason})`;
  }

  #closed(): KafkaError {
    const before = this.#hasConnected
      ? "the message was sent"
      : `a broker at ${bootstrapServersOf(this.#options.conf)} had answered`;
    return new KafkaError(`${this.#where}: closed before ${before}`);
  }
}

/** How long a record may wait to be delivered, in milliseconds. */
function timeoutOf(conf: Readonly<Record<string, unknown>>): number {
  const timeoutMs = conf["message.timeout.ms"] ?? conf["delivery.timeout.ms"];
  // 0 is for ever.
  return timeoutMs === undefined ? MESSAGE_TIMEOUT_MS : Number(timeoutMs) || Infinity;
}
