/**
 * The writing half of a Topic, which everyone who writes to it shares.
 *
 * @module
 */

import { settlesWithin } from "../../async/settles_within.ts";
import type { Codec } from "../../codecs/codec.ts";
import { clientFactoryFor } from "../../kafka/client_factories.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { ErrorCode } from "../../kafka/port.ts";
import type { Notices } from "../../notices/notices.ts";
import { confFor } from "../conf/conf.ts";
import { Encoder } from "./encoder.ts";
import { QueuedBatch, QueuedSend } from "./queued_sends.ts";
import { toRecord } from "./record_input.ts";
import { SendBatchCall, SendCalls } from "./send_calls.ts";
import { SharedProducer, type SharedProducerOptions } from "./shared_producer.ts";
import type { DeliveryReport, TopicInput } from "./topic_record.ts";
import { type SinkParent, TopicSink } from "./topic_sink.ts";

/**
 * The properties of a producer, where the program sets no others. With idempotence, no record is lost, reordered or
 * duplicated by a retry. `linger.ms`: a program that awaits its sends waits that long each time, and librdkafka's 5 ms are
 * most of the time that a small batch takes; with 0 ms, records for many partitions make many small requests.
 */
const DEFAULTS = { "enable.idempotence": true, "queue.buffering.max.messages": 100_000, "linger.ms": 1 } as const;
/** How long `close()` waits for the records in flight, in milliseconds. */
const FLUSH_MS = 30_000;
/** After so long, in milliseconds, `close()` reports a notice. */
const NOTICE_AFTER_MS = 3000;

/**
 * Writes to one topic, for many at once: handlers, `WritableStream`s, and calls of `send()`. Records are written in the
 * order of the calls, whoever calls. The producer is made when the first of them writes. It is disconnected when the last
 * handler has ended and no record is queued or in flight.
 */
export class TopicWriter<K, V> implements SinkParent<K, V> {
  readonly topic: string;
  readonly encoder: Encoder<K, V>;
  readonly #options: SharedProducerOptions;
  readonly #sinks = new Set<TopicSink<K, V>>();
  #producer: SharedProducer | undefined;
  /** Whether the last handler has ended, so that the producer ends as soon as no record is queued or in flight. */
  #isRetiring = false;
  /** The calls of `send()` that the next one joins, and their producer. */
  #sendCalls: SendCalls | undefined;
  #sendCallsProducer: SharedProducer | undefined;
  /** Producers that are ending. */
  readonly #ending = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor(
    topic: string,
    conf: Readonly<Record<string, unknown>>,
    codecs: { readonly key: Codec<K>; readonly value: Codec<V> },
    notices: Notices,
  ) {
    this.topic = topic;
    this.encoder = new Encoder(topic, codecs);
    this.#options = {
      topic,
      // Without the reports of records that are delivered, nothing would ever settle.
      conf: { ...defaultsFor(conf), ...confFor("P", conf), "delivery.report.only.error": false },
      clients: clientFactoryFor(conf),
      notices,
      onFatal: (producer, error) => {
        for (const sink of this.#sinks) sink.refuse(error, producer);
        this.#end(producer);
      },
    };
  }

  /** Opens a sink. With `keepsProducer`, the producer stays connected until the sink is closed. */
  open({ keepsProducer }: { readonly keepsProducer: boolean }): TopicSink<K, V> {
    const sink = new TopicSink<K, V>(this, keepsProducer);
    this.#sinks.add(sink);
    if (keepsProducer) this.#isRetiring = false;
    return sink;
  }

  producer(): SharedProducer {
    if (this.#closing !== undefined) throw this.#closedError();
    if (this.#producer === undefined || this.#producer.isOver) this.#producer = new SharedProducer(this.#options);
    return this.#producer;
  }

  async onClosed(sink: TopicSink<K, V>): Promise<void> {
    if (!this.#sinks.delete(sink) || !sink.keepsProducer) return;
    for (const { keepsProducer } of this.#sinks) if (keepsProducer) return;
    const producer = this.#producer;
    if (producer === undefined || this.#closing !== undefined) return;
    this.#isRetiring = true;
    const retiring = this.#retire(producer);
    // The sink's close does not wait for records of others.
    if (producer.pending === 0) await retiring;
  }

  /** Ends a producer once no record is queued or in flight, unless a sink was opened meanwhile. */
  async #retire(producer: SharedProducer): Promise<void> {
    while (producer.pending > 0) await producer.idle();
    if (this.#isRetiring && producer === this.#producer) await this.#end(producer);
  }

  #end(producer: SharedProducer): Promise<void> {
    const ended = producer.end();
    this.#ending.add(ended);
    return ended.finally(() => this.#ending.delete(ended));
  }

  /** See `Topic.send`. */
  send(input: TopicInput<K, V>): Promise<DeliveryReport> {
    try {
      const record = toRecord(input);
      const key = this.encoder.key(record), value = this.encoder.value(record);
      const producer = this.producer(), calls = this.#sendCallsOf(producer);
      const report = calls.add(input), number = calls.recordNumber;
      if (producer.isReady && !(key instanceof Promise) && !(value instanceof Promise)) {
        try {
          if (producer.produce(record, key, value, calls)) return report;
        } catch (error) {
          calls.refused(number, error);
          return report;
        }
      }
      producer.enqueue(new QueuedSend(calls, number, producer, record, key, value));
      return report;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #sendCallsOf(producer: SharedProducer): SendCalls {
    if (producer !== this.#sendCallsProducer || !this.#sendCalls!.hasRoom) {
      this.#sendCalls = new SendCalls(this.topic, producer);
      this.#sendCallsProducer = producer;
    }
    return this.#sendCalls!;
  }

  /** See `Topic.sendBatch`. */
  // deno-lint-ignore require-await -- an error that it throws must reject
  async sendBatch(inputs: readonly TopicInput<K, V>[]): Promise<DeliveryReport[]> {
    const records = inputs.map(toRecord<K, V>);
    const encoded = this.encoder.all(records);
    const producer = this.producer();
    const batch = new SendBatchCall(this.topic, producer, inputs);
    if (encoded instanceof Promise) {
      producer.enqueue(new QueuedBatch(batch, 0, producer, encoded));
      return batch.reports;
    }
    let index = 0;
    if (producer.isReady) {
      for (; index < records.length; index++) {
        try {
          const target = batch.targetOf(index);
          if (!producer.produce(records[index]!, encoded.key(index), encoded.value(index), target)) break;
        } catch (error) {
          batch.failed(index, error);
        }
      }
    }
    if (index < records.length) producer.enqueue(new QueuedBatch(batch, index, producer, encoded.copy(index)));
    encoded.release();
    return batch.reports;
  }

  /**
   * Delivers all records of all sinks and calls, and disconnects. Nothing can be written afterwards. Does not wait for
   * brokers that have never answered.
   *
   * @throws {KafkaError} If records are not delivered within 30 s; the error has their number.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const producer = this.#producer;
    for (const sink of this.#sinks) sink.refuse(this.#closedError());
    let undelivered = 0;
    if (producer?.isConnected === true && !await this.#idle(producer)) undelivered = producer.pending;
    const closed = this.#closedError();
    for (const sink of this.#sinks) sink.abandon(closed);
    if (producer !== undefined) this.#end(producer);
    await Promise.all(this.#ending);
    if (undelivered > 0) {
      throw new KafkaError(
        `Topic ${JSON.stringify(this.topic)}: closed with ${undelivered} messages undelivered after ${FLUSH_MS} ms`,
        { code: ErrorCode.TIMED_OUT },
      );
    }
  }

  async #idle(producer: SharedProducer): Promise<boolean> {
    const timer = setTimeout(() => {
      const where = `Topic ${JSON.stringify(this.topic)}`, seconds = (FLUSH_MS - NOTICE_AFTER_MS) / 1000;
      this.#options.notices.event(
        "close-slow",
        `${where}: ${producer.pending} messages are not delivered yet; waiting ${seconds} s more`,
      );
    }, NOTICE_AFTER_MS);
    try {
      // What waits for linger.ms goes at once.
      void producer.flush(FLUSH_MS);
      return await settlesWithin(producer.idle(), FLUSH_MS);
    } finally {
      clearTimeout(timer);
    }
  }

  #closedError(): KafkaError {
    return new KafkaError(`Topic ${JSON.stringify(this.topic)} is closed: make a new one`, { fatal: true });
  }
}

/** Returns the defaults that don't contradict a configuration. */
function defaultsFor(conf: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { "enable.idempotence": idempotence, "linger.ms": linger, ...rest } = DEFAULTS;
  const acks = conf.acks ?? conf["request.required.acks"] ?? "all";
  const inFlight = Number(conf["max.in.flight"] ?? conf["max.in.flight.requests.per.connection"] ?? 5);
  const retries = Number(conf.retries ?? conf["message.send.max.retries"] ?? 1);
  const threshold = Number(conf["queue.buffering.backpressure.threshold"] ?? 1);
  const allowsIdempotence = ["-1", "all"].includes(String(acks)) && inFlight <= 5 && retries > 0 && threshold === 1 &&
    conf["queuing.strategy"] !== "lifo";
  return {
    ...rest,
    ...(allowsIdempotence ? { "enable.idempotence": idempotence } : {}),
    // queue.buffering.max.ms is another name of linger.ms.
    ...(conf["queue.buffering.max.ms"] === undefined ? { "linger.ms": linger } : {}),
  };
}
