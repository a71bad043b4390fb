/**
 * The writing half of a topic: what all who write share.
 *
 * @module
 */

import { ErrorCode } from "../../kafka/port.ts";
import type { Codec } from "../../codecs/codec.ts";
import { clientFactoryFor } from "../../kafka/client_factories.ts";
import { confFor } from "../conf/conf.ts";
import { Encoder } from "./encoder.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { DeliveryReport, TopicInput } from "./topic_record.ts";
import type { Notices } from "../../notices/notices.ts";
import { type LinkOptions, ProducerLink } from "./producer_link.ts";
import { normalized } from "./records.ts";
import { SendBatch, Sends } from "./sends.ts";
import { type SinkHome, TopicSink } from "./topic_sink.ts";
import { settlesWithin } from "../../async/settles_within.ts";
import { WaitingBatch, WaitingSend } from "./waiting_sends.ts";

/**
 * The settings a writer adds where nothing was said. Nothing may be lost, reordered or written twice by a retry. And who
 * awaits what it sends waits for `linger.ms` each time: librdkafka's 5 ms are most of what a small batch takes, and
 * without any, records to many partitions make many small requests.
 */
const DEFAULTS = { "enable.idempotence": true, "queue.buffering.max.messages": 100_000, "linger.ms": 1 } as const;
/** How long a close waits for what is still on its way, in milliseconds; then it says how much was left. */
const FLUSH_MS = 30_000;
/** After so long, in milliseconds, one line on stderr says what a close waits for. */
const PATIENCE_MS = 3000;

/**
 * Writes to one topic, for many at once: runs, pipes, and calls of `send()`. Records are written in the order of the
 * calls, whoever calls. The client is made for the first who writes, and disconnected when the last run has ended and
 * nobody else has anything on its way.
 */
export class TopicWriter<K, V> implements SinkHome<K, V> {
  readonly topic: string;
  readonly encoder: Encoder<K, V>;
  readonly #options: LinkOptions;
  readonly #sinks = new Set<TopicSink<K, V>>();
  #link: ProducerLink | undefined;
  /** The last run has ended: the client is kept no longer than there is something on its way. */
  #isRetiring = false;
  /** What the last `send()` was counted by, and its client. */
  #sends: Sends | undefined;
  #sendsLink: ProducerLink | undefined;
  /** Clients on their way out. */
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
      // Who writes hears of every record here: without the report of what is delivered it would never settle.
      conf: { ...defaultsFor(conf), ...confFor("P", conf), "delivery.report.only.error": false },
      clients: clientFactoryFor(conf),
      notices,
      onFatal: (link, error) => {
        for (const sink of this.#sinks) sink.refuse(error, link);
        this.#end(link);
      },
    };
  }

  /** A user of its own. With `keepsLink`, the client stays connected for it until it is closed. */
  open({ keepsLink }: { readonly keepsLink: boolean }): TopicSink<K, V> {
    const sink = new TopicSink<K, V>(this, keepsLink);
    this.#sinks.add(sink);
    if (keepsLink) this.#isRetiring = false;
    return sink;
  }

  link(): ProducerLink {
    if (this.#closing !== undefined) throw this.#closed();
    if (this.#link === undefined || this.#link.isOver) this.#link = new ProducerLink(this.#options);
    return this.#link;
  }

  async left(sink: TopicSink<K, V>): Promise<void> {
    if (!this.#sinks.delete(sink) || !sink.keepsLink) return;
    for (const { keepsLink } of this.#sinks) if (keepsLink) return;
    const link = this.#link;
    if (link === undefined || this.#closing !== undefined) return;
    this.#isRetiring = true;
    const retiring = this.#retire(link);
    // Others' records are not waited for.
    if (link.pending === 0) await retiring;
  }

  /** Disconnects when nobody uses a client. */
  async #retire(link: ProducerLink): Promise<void> {
    while (link.pending > 0) await link.idle();
    if (this.#isRetiring && link === this.#link) await this.#end(link);
  }

  #end(link: ProducerLink): Promise<void> {
    const ended = link.end();
    this.#ending.add(ended);
    return ended.finally(() => this.#ending.delete(ended));
  }

  /**
   * Sends a record, and resolves with where it was written.
   *
   * @throws {TypeError} If a codec can't encode it; nothing is written.
   * @throws {KafkaError} If it is not delivered.
   */
  send(input: TopicInput<K, V>): Promise<DeliveryReport> {
    try {
      const record = normalized(input);
      const key = this.encoder.key(record), value = this.encoder.value(record);
      const link = this.link(), sends = this.#sendsOf(link);
      const report = sends.add(input), number = sends.recordNumber;
      if (link.isReady && !(key instanceof Promise) && !(value instanceof Promise)) {
        try {
          if (link.produce(record, key, value, sends)) return report;
        } catch (error) {
          sends.refused(number, error);
          return report;
        }
      }
      link.wait(new WaitingSend(sends, number, link, record, key, value));
      return report;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #sendsOf(link: ProducerLink): Sends {
    if (link !== this.#sendsLink || !this.#sends!.hasRoom) {
      this.#sends = new Sends(this.topic, link);
      this.#sendsLink = link;
    }
    return this.#sends!;
  }

  /**
   * Sends records in order, and resolves with where they were written. All are encoded before one is written.
   *
   * @throws {TypeError} If a codec can't encode one of them; nothing is written.
   * @throws {KafkaError} If some are not delivered; `records` holds them.
   */
  // deno-lint-ignore require-await -- what it throws rejects
  async sendBatch(inputs: readonly TopicInput<K, V>[]): Promise<DeliveryReport[]> {
    const records = inputs.map(normalized<K, V>);
    const slab = this.encoder.all(records);
    const link = this.link();
    const batch = new SendBatch(this.topic, link, inputs);
    if (slab instanceof Promise) {
      link.wait(new WaitingBatch(batch, 0, link, slab));
      return batch.reports;
    }
    let index = 0;
    if (link.isReady) {
      for (; index < records.length; index++) {
        try {
          const account = batch.accountOf(index);
          if (!link.produce(records[index]!, slab.key(index), slab.value(index), account)) break;
        } catch (error) {
          batch.failed(index, error);
        }
      }
    }
    if (index < records.length) link.wait(new WaitingBatch(batch, index, link, slab.kept(index)));
    slab.release();
    return batch.reports;
  }

  /**
   * Delivers what is on its way and disconnects, for all who write; it is not written to again. At once where no broker
   * has answered.
   *
   * @throws {KafkaError} If some could not be delivered within 30 s: says how many.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const link = this.#link;
    for (const sink of this.#sinks) sink.refuse(this.#closed());
    let left = 0;
    if (link?.isConnected === true && !await this.#idle(link)) left = link.pending;
    const closed = this.#closed();
    for (const sink of this.#sinks) sink.giveUp(closed);
    if (link !== undefined) this.#end(link);
    await Promise.all(this.#ending);
    if (left > 0) {
      throw new KafkaError(
        `Topic ${JSON.stringify(this.topic)}: closed with ${left} messages undelivered after ${FLUSH_MS} ms`,
        { code: ErrorCode.TIMED_OUT },
      );
    }
  }

  async #idle(link: ProducerLink): Promise<boolean> {
    const patience = setTimeout(() => {
      const seconds = (FLUSH_MS - PATIENCE_MS) / 1000;
      this.#options.notices.event(
        "close-slow",
        `Topic ${
          JSON.stringify(this.topic)
        }: ${link.pending} messages are not delivered yet; waiting ${seconds} s more`,
      );
    }, PATIENCE_MS);
    try {
      // What waits for linger.ms goes at once.
      void link.flush(FLUSH_MS);
      return await settlesWithin(link.idle(), FLUSH_MS);
    } finally {
      clearTimeout(patience);
    }
  }

  #closed(): KafkaError {
    return new KafkaError(`Topic ${JSON.stringify(this.topic)} is closed: make a new one`, { fatal: true });
  }
}

/** The defaults that what was said does not speak against. */
function defaultsFor(conf: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { "enable.idempotence": idempotence, "linger.ms": linger, ...rest } = DEFAULTS;
  const acks = conf.acks ?? conf["request.required.acks"] ?? "all";
  const inFlight = Number(conf["max.in.flight"] ?? conf["max.in.flight.requests.per.connection"] ?? 5);
  const retries = Number(conf.retries ?? conf["message.send.max.retries"] ?? 1);
  const threshold = Number(conf["queue.buffering.backpressure.threshold"] ?? 1);
  const fits = ["-1", "all"].includes(String(acks)) && inFlight <= 5 && retries > 0 && threshold === 1 &&
    conf["queuing.strategy"] !== "lifo";
  return {
    ...rest,
    ...(fits ? { "enable.idempotence": idempotence } : {}),
    // The same property by its other name.
    ...(conf["queue.buffering.max.ms"] === undefined ? { "linger.ms": linger } : {}),
  };
}
