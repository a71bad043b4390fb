/**
 * The writing half of a topic: records to librdkafka, and what became of them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Codec } from "../codecs/codec.ts";
import { type KafkaJavascript, loadKafkaJavascript } from "../librdkafka/kafka_javascript.ts";
import { err2str } from "../librdkafka/native_error.ts";
import { confFor } from "./conf.ts";
import { connected, disconnected } from "./connection.ts";
import { Epoch, type Failure, Sendings, type Tracker } from "./deliveries.ts";
import { KafkaError } from "./kafka_error.ts";
import type { Sender } from "../stream/protocol.ts";
import type { DeliveryReport, TopicInput, TopicRecord } from "./message.ts";
import type { Notices } from "./notices.ts";
import { hasKey, headerList, normalized } from "./records.ts";

type Producer = InstanceType<KafkaJavascript["Producer"]>;
/** Any bytes: the binding takes them as they are, and a Buffer for each would cost more than its message. */
type Bytes = Uint8Array;

/** A record with its bytes. */
interface Encoded<K, V> {
  readonly record: TopicRecord<K, V>;
  readonly key: Bytes | null;
  readonly value: Bytes | null;
}

/** The settings a writer adds where nothing was said: nothing may be lost, reordered or written twice by a retry. */
const DEFAULTS = { "enable.idempotence": true, "queue.buffering.max.messages": 100_000 } as const;
const QUEUE_FULL = -184;
/** How long a close waits for what is still on its way, in milliseconds; then it says how much was left. */
const FLUSH_MS = 30_000;
const SCRATCH_BYTES = 65_536;

/** Writes to one topic. Connects when first asked to write. */
export class TopicWriter<K, V> {
  readonly #topic: string;
  readonly #conf: Readonly<Record<string, unknown>>;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #notices: Notices;
  readonly #room: number;
  #producer: Producer | undefined;
  #opening: Promise<Producer> | undefined;
  /** The client from its making on, so that a close reaches it while it is still connecting. */
  #connecting: Producer | undefined;
  #closing: Promise<void> | undefined;
  #onTheirWay = 0;
  #waiting: (() => void)[] = [];
  readonly #failure: Failure;
  #epoch: Epoch;
  #sendings: Sendings | undefined;
  #unsettled = new Set<Promise<void>>();
  #sending: Promise<void> = Promise.resolve();
  #keyScratch: Buffer = Buffer.allocUnsafeSlow(1024);
  #valueScratch: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

  constructor(
    topic: string,
    conf: Readonly<Record<string, unknown>>,
    codecs: { key: Codec<K>; value: Codec<V> },
    notices: Notices,
  ) {
    this.#topic = topic;
    this.#conf = { ...defaultsFor(conf), ...confFor("P", conf) };
    this.#key = codecs.key;
    this.#value = codecs.value;
    this.#notices = notices;
    this.#room = Number(this.#conf["queue.buffering.max.messages"]);
    this.#failure = (code) =>
      new KafkaError(`Topic ${JSON.stringify(topic)}: a message was not delivered: ${err2str(code)}`, {
        code,
      });
    this.#epoch = new Epoch(this.#failure);
  }

  /** Takes a record, in order; a promise only when there is no connection or no room yet. */
  accept(input: TopicInput<K, V>, sender?: Sender, message?: unknown): void | Promise<void> {
    const record = normalized(input);
    const producer = this.#producer;
    if (producer === undefined || this.#onTheirWay >= this.#room) return this.#acceptLater(record, sender, message);
    return this.#write(producer, record, sender, message);
  }

  async #acceptLater(record: TopicRecord<K, V>, sender: Sender | undefined, message: unknown): Promise<void> {
    const producer = await this.#open();
    while (this.#onTheirWay >= this.#room) await this.#someRoom();
    await this.#write(producer, record, sender, message);
  }

  /** What hears how a record of a sender fares, that is given now. */
  #trackerFor(sender: Sender | undefined): Tracker {
    if (sender === undefined) return this.#epoch;
    const last = this.#sendings;
    if (last?.epoch === this.#epoch && last.sender === sender && !last.full) return last;
    return this.#sendings = new Sendings(this.#epoch, sender, this.#failure);
  }

  /** What hears of a record that had to wait: its epoch may be settled by now, for others who share the writer. */
  #renewed(tracker: Tracker): Tracker {
    if (tracker instanceof Sendings) return this.#trackerFor(tracker.sender);
    return tracker instanceof Epoch ? this.#epoch : tracker;
  }

  /** Resolves when everything accepted so far is delivered. */
  settle(): void | Promise<void> {
    const epoch = this.#epoch;
    if (epoch.used) {
      this.#epoch = new Epoch(this.#failure);
      const settled = epoch.wait();
      this.#unsettled.add(settled);
      settled.then(() => this.#unsettled.delete(settled), () => this.#unsettled.delete(settled));
    }
    // What was accepted before an earlier moment of settling may still be on its way.
    if (this.#unsettled.size > 0) return Promise.all(this.#unsettled).then(() => {});
  }

  /**
   * Sends records in order, and resolves with where they were written. Encodes all before it writes one. Calls that are
   * not awaited write in the order of the calls, however long their codecs take: each takes its turn before it encodes.
   */
  async send(inputs: readonly TopicInput<K, V>[]): Promise<DeliveryReport[]> {
    const encoding = this.#encodeAll(inputs);
    encoding.catch(() => {}); // told when its turn comes
    const turn = this.#sending.then(async () => {
      const records = await encoding;
      const producer = await this.#open();
      const reports: Promise<DeliveryReport>[] = [];
      for (const encoded of records) {
        while (this.#onTheirWay >= this.#room) await this.#someRoom();
        reports.push(this.#sendOne(producer, encoded));
      }
      return { reports };
    });
    // A call that fails gives its turn to the next.
    this.#sending = turn.then(() => {}, () => {});
    const { reports } = await turn;
    const outcomes = await Promise.allSettled(reports);
    const failed = outcomes.flatMap((outcome, index) =>
      outcome.status === "rejected" ? [{ error: outcome.reason as KafkaError, record: inputs[index] }] : []
    );
    if (failed.length === 0) {
      return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<DeliveryReport>).value);
    }
    const { error } = failed[0]!;
    throw new KafkaError(
      inputs.length === 1 ? error.message : `${failed.length} of ${inputs.length}: ${error.message}`,
      {
        cause: error,
        ...(error.code === undefined ? {} : { code: error.code }),
        records: failed.map(({ record }) => record),
      },
    );
  }

  async #encodeAll(inputs: readonly TopicInput<K, V>[]): Promise<Encoded<K, V>[]> {
    const records: Encoded<K, V>[] = [];
    for (const input of inputs) {
      const record = normalized(input);
      const key = hasKey(record) ? this.#encode(this.#key, record.key!, "key") : null;
      const value = record.value === null ? null : this.#encode(this.#value, record.value, "value");
      records.push({
        record,
        key: key instanceof Promise ? await key : key,
        value: value instanceof Promise ? await value : value,
      });
    }
    return records;
  }

  #sendOne(producer: Producer, { record, key, value }: Encoded<K, V>): Promise<DeliveryReport> {
    return new Promise((resolve, reject) => {
      const topic = this.#topic;
      const tracker: Tracker = {
        add() {},
        remove() {},
        settled: (code, partition, offset) =>
          code === 0 ? resolve({ topic, partition, offset }) : reject(this.#failure(code)),
      };
      const later = this.#produce(producer, record, key, value, tracker);
      if (later !== undefined) later.catch(reject);
    });
  }

  #write(
    producer: Producer,
    record: TopicRecord<K, V>,
    sender: Sender | undefined,
    message: unknown,
  ): void | Promise<void> {
    const key = hasKey(record) ? this.#encodeScratch(this.#key, record.key!, "key", this.#keyScratch) : null;
    const value = record.value === null
      ? null
      : this.#encodeScratch(this.#value, record.value, "value", this.#valueScratch);
    if (key instanceof Promise || value instanceof Promise) {
      // The scratch may be written to again before the other half is there.
      return Promise.all([kept(key), kept(value)])
        .then(([k, v]) => this.#produce(producer, record, k, v, this.#trackerFor(sender), message));
    }
    return this.#produce(producer, record, key, value, this.#trackerFor(sender), message);
  }

  #produce(
    producer: Producer,
    record: TopicRecord<K, V>,
    key: Bytes | null,
    value: Bytes | null,
    tracker: Tracker,
    message?: unknown,
  ): void | Promise<void> {
    const headers = record.headers === undefined ? undefined : headerList(record.headers);
    tracker.add(message);
    this.#onTheirWay++;
    try {
      const to = record.partition ?? -1, at = record.timestamp ?? null;
      producer.produce(this.#topic, to, value as Buffer | null, key as Buffer | null, at, tracker, headers);
    } catch (error) {
      tracker.remove();
      this.#onTheirWay--;
      if (KafkaError.codeOf(error) !== QUEUE_FULL) {
        throw KafkaError.from(`Topic ${JSON.stringify(this.#topic)}: the message was refused`, error, [record]);
      }
      // The bytes are full before the messages are: wait for some of them to leave.
      return Promise.all([kept(key), kept(value), this.#someRoom()])
        .then(([k, v]) => this.#produce(producer, record, k, v, this.#renewed(tracker), message));
    }
  }

  #encodeScratch<T>(codec: Codec<T>, value: T, what: string, scratch: Buffer): Bytes | Promise<Bytes> {
    try {
      const written = codec.encodeInto?.(value, scratch) ?? -1;
      if (written >= 0) return scratch.subarray(0, written);
    } catch (error) {
      throw this.#encodeError(codec, what, error);
    }
    return this.#encode(codec, value, what);
  }

  #encode<T>(codec: Codec<T>, value: T, what: string): Bytes | Promise<Bytes> {
    try {
      const encoded = codec.encode(value);
      if (encoded instanceof Promise) {
        return encoded.then(checked).catch((error) => Promise.reject(this.#encodeError(codec, what, error)));
      }
      return checked(encoded);
    } catch (error) {
      throw this.#encodeError(codec, what, error);
    }
  }

  #encodeError(codec: { name: string }, what: string, cause: unknown): TypeError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new TypeError(`Topic ${JSON.stringify(this.#topic)}: can't encode the ${what} as ${codec.name}: ${why}`, {
      cause,
    });
  }

  #open(): Promise<Producer> {
    return this.#opening ??= this.#connect();
  }

  async #connect(): Promise<Producer> {
    const { Producer } = await loadKafkaJavascript();
    const producer = new Producer(this.#conf as never, null as never);
    this.#producer = undefined;
    const callback = Object.assign(() => {}, {
      outcomesOnly: (code: number, tracker: Tracker, partition: number, offset: number, number: number) => {
        this.#onTheirWay--;
        if (this.#waiting.length > 0 && this.#onTheirWay <= this.#room / 2) this.#wakeWaiting();
        tracker.settled(code, partition, offset, number);
      },
    });
    // The package's own place for delivery callbacks; its dr_cb would make a report and an event of each message.
    (producer as unknown as { _cb_configs: { event: Record<string, unknown> } })._cb_configs.event.delivery_cb =
      callback;
    this.#connecting = producer;
    await connected(producer, `Topic ${JSON.stringify(this.#topic)}`, servers(this.#conf), this.#notices);
    producer.setPollInBackground(true);
    return this.#producer = producer;
  }

  #someRoom(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      // Nothing is on its way: there is room, or nothing will ever make some.
      if (this.#onTheirWay === 0) this.#wakeWaiting();
    });
  }

  #wakeWaiting(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /**
   * Delivers what is on its way and disconnects; writing connects again.
   *
   * @param flushMs how long to wait for deliveries; 0 gives up at once
   */
  close(flushMs: number = FLUSH_MS): Promise<void> {
    return this.#closing ??= this.#close(flushMs).finally(() => this.#closing = undefined);
  }

  async #close(flushMs: number): Promise<void> {
    const producer = this.#connecting;
    if (producer === undefined) return;
    let left = 0;
    if (this.#producer !== undefined) {
      await new Promise<void>((resolve) => producer.flush(flushMs, () => resolve()));
      left = this.#onTheirWay;
    }
    await disconnected(producer);
    await this.#opening?.catch(() => {});
    this.#producer = this.#connecting = this.#opening = undefined;
    if (left > 0) {
      throw new KafkaError(
        `Topic ${JSON.stringify(this.#topic)}: closed with ${left} messages undelivered after ${flushMs} ms`,
        { code: -185 },
      );
    }
  }
}

function servers(conf: Readonly<Record<string, unknown>>): unknown {
  return conf["bootstrap.servers"] ?? conf["metadata.broker.list"];
}

/** Idempotence, unless what was said speaks against it. */
function defaultsFor(conf: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { "enable.idempotence": idempotence, ...rest } = DEFAULTS;
  const acks = conf.acks ?? conf["request.required.acks"] ?? "all";
  const inFlight = Number(conf["max.in.flight"] ?? conf["max.in.flight.requests.per.connection"] ?? 5);
  const retries = Number(conf.retries ?? conf["message.send.max.retries"] ?? 1);
  const fits = ["-1", "all"].includes(String(acks)) && inFlight <= 5 && retries > 0;
  return fits ? { ...rest, "enable.idempotence": idempotence } : rest;
}

function checked(encoded: unknown): Bytes {
  if (encoded instanceof Uint8Array) return encoded;
  throw new TypeError(`a codec must make a Uint8Array: it made ${encoded === null ? "null" : typeof encoded}`);
}

/** A copy of bytes in the scratch; what is its own already comes as a promise. */
function kept(bytes: Bytes | null | Promise<Bytes>): Bytes | null | Promise<Bytes> {
  return bytes === null || bytes instanceof Promise ? bytes : new Uint8Array(bytes);
}
