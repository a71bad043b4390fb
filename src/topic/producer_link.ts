/**
 * A producer that many write through, from its making to its end.
 *
 * @module
 */

import type { DeliveryAccount, KafkaClients, KafkaProducer } from "../kafka/client.ts";
import { Connection } from "./connection.ts";
import type { Way } from "./deliveries.ts";
import type { Bytes, Encoded } from "./encoder.ts";
import { KafkaError } from "./kafka_error.ts";
import { Line, type Waiting } from "./line.ts";
import type { TopicRecord } from "./message.ts";
import type { Notices } from "./notices.ts";
import { headerList } from "./records.ts";

/** What a link goes by. */
export interface LinkOptions {
  readonly topic: string;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly clients: KafkaClients;
  readonly notices: Notices;
  /** Hears, once, that nothing can be delivered any more; then ends the link. */
  readonly onFatal: (link: ProducerLink, error: KafkaError) => void;
}

const QUEUE_FULL = -184, FATAL = -150;
/** How often a record is offered, 1 ms apart, to a client that has no room although nothing is on its way. */
const TRIES = 50;
/** How long what is on its way may take after a fatal error, in milliseconds. */
const FATAL_FLUSH_MS = 1000;

/**
 * Produces records in order. Who comes when there is no connection, no room, or somebody is waiting, waits in line.
 * Connects at once. It is made for one connection: after its end, or after a fatal error, another one is made.
 */
export class ProducerLink implements Way {
  readonly #options: LinkOptions;
  readonly #where: string;
  readonly #room: number;
  /** The client, once it is made. */
  #client: KafkaProducer | undefined;
  /** The client, while records can be produced. */
  #producer: KafkaProducer | undefined;
  #hasConnected = false;
  readonly #line = new Line();
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
    this.#opening = this.#open();
  }

  /** Whether {@linkcode ProducerLink.produce} may be called: connected, and nobody waits. */
  get isReady(): boolean {
    return this.#producer !== undefined && this.#line.length === 0;
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
   * Produces a record; says whether there was room. When there was none, it has to {@linkcode ProducerLink.wait}.
   *
   * @throws {KafkaError} If the record is refused.
   */
  produce(
    record: TopicRecord<unknown, unknown>,
    key: Bytes | null,
    value: Bytes | null,
    account: DeliveryAccount,
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
      if (code === QUEUE_FULL) return false;
      const refused = KafkaError.from(`${this.#where}: the message was refused`, error, { records: [record] });
      if (code === FATAL) this.#fail(refused);
      throw refused;
    }
  }

  /** Records wait for their turn. */
  wait(waiting: Waiting): void {
    if (this.#failure !== undefined) return waiting.dropped(0, this.#failure);
    if (this.#isEnding) return waiting.dropped(0, this.#closed());
    this.#line.push(waiting);
    // Those before it wait for something that moves the line.
    if (this.#line.length === 1) this.move();
  }

  /** Takes back what waits of an owner. */
  takeBack(owner: object, error: unknown): void {
    this.#line.drop(error, owner);
    this.move();
  }

  /** Produces what waits, as far as there is room. */
  move(): void {
    if (this.#producer === undefined) return;
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
      code: QUEUE_FULL,
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
    this.#looksAt = Math.max(this.#movesAt, this.#idle === undefined ? -1 : this.#disowned);
  }

  #look(): void {
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

  failure(code: number, record?: unknown): KafkaError {
    const text = this.#options.clients.errorText(code);
    return new KafkaError(`${this.#where}: a message was not delivered: ${text}`, {
      code,
      ...(this.#failure === undefined ? {} : { fatal: true, cause: this.#failure }),
      ...(record === undefined ? {} : { records: [record] }),
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
    this.#line.drop(this.#closed());
    // What a broker has already may still be confirmed.
    if (this.#failure !== undefined && this.#client?.isConnected === true) await this.#client.flush(FATAL_FLUSH_MS);
    await this.#client?.disconnect();
    await this.#opening;
  }

  async #open(): Promise<void> {
    const { conf, clients, notices } = this.#options;
    const connection = new Connection(this.#where, serversOf(conf), notices);
    try {
      const client = await connection.make(clients.producer(conf, {
        onError: (code, message) => {
          connection.onError(code, message);
          if (code === FATAL) {
            this.#fail(new KafkaError(`${this.#where}: nothing can be delivered: ${message}`, { code }));
          }
        },
        onLog: (severity, message) => connection.onLog(severity, message),
      }));
      // It may have ended before there was anything to end.
      if (this.#isEnding) return await client.disconnect();
      this.#client = client;
      await connection.open(client);
      if (this.#isEnding) return;
      this.#producer = client;
      this.#hasConnected = true;
      this.move();
    } catch (error) {
      if (!this.#isEnding) this.#fail(error as KafkaError);
    }
  }

  #fail(error: KafkaError): void {
    if (this.isOver) return;
    this.#failure = error;
    this.#producer = undefined;
    this.#line.drop(error);
    this.#options.onFatal(this, error);
  }

  #closed(): KafkaError {
    const before = this.#hasConnected
      ? "the message was sent"
      : `a broker at ${serversOf(this.#options.conf)} had answered`;
    return new KafkaError(`${this.#where}: closed before ${before}`);
  }
}

function serversOf(conf: Readonly<Record<string, unknown>>): unknown {
  return conf["bootstrap.servers"] ?? conf["metadata.broker.list"];
}
